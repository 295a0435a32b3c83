import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { checkRepository } from '../check/check.ts';
import { openRepository } from '../open/open-repository.ts';
import { prune } from '../prune/prune.ts';
import { forever as signal, hastyRuntime, openMemoryRepository } from '../testing/repositories.ts';
import { MemoryLocation, type MemoryObjects } from '../../storage/adapters/memory/index.ts';
import { backupFiles, type BackupResult } from './backup.ts';

let root: string;
let objects: MemoryObjects;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'holdfast-late-'));
  objects = new Map();
  for (const directory of ['a', 'b']) {
    mkdirSync(join(root, directory));
    for (const name of ['one', 'two']) writeFileSync(join(root, directory, name), `${directory} ${name}`);
  }
});
afterEach(() => rmSync(root, { recursive: true }));

/** Backs up; before its lock is there, all files have been looked at, and `meanwhile` is done. */
async function backUp(meanwhile: () => Promise<void>): Promise<BackupResult> {
  const looked = Promise.withResolvers<void>();
  class Slow extends MemoryLocation {
    override async put(
      key: string,
      ...rest: Parameters<MemoryLocation['put']> extends [string, ...infer Rest] ? Rest : never
    ): Promise<void> {
      if (key.startsWith('locks/')) {
        await looked.promise;
        await meanwhile();
      }
      await super.put(key, ...rest);
    }
  }
  // One that looks whether holders of locks are alive.
  const slow = new Slow('slow', hastyRuntime, objects);
  await using repository = await openRepository(slow, { password: 'x', threads: 0 }, hastyRuntime, { signal });
  const onProgress = ({ processedFiles }: BackupResult['summary']): void => void (processedFiles === 4 && looked.resolve());
  return await backupFiles(repository, hastyRuntime, { paths: ['.'], base: root, host: 'test', onProgress, signal });
}

async function first(): Promise<void> {
  await using repository = await openMemoryRepository({ objects });
  await backupFiles(repository, hastyRuntime, { paths: ['.'], base: root, host: 'test', signal });
}

test('files are looked at while the lock settles', async () => {
  await first();
  const { summary, snapshot } = await backUp(() => Promise.resolve());
  expect([summary.filesUnmodified, summary.dirsUnmodified, summary.addedBytes]).toEqual([4, 2, 0]);
  await using repository = await openMemoryRepository({ objects });
  expect((await repository.snapshot('latest', { signal })).id).toBe(snapshot!.id);
});

test('Safety: what was removed until the lock was there is stored anew. Method: all of the parent is pruned once every file was taken for unchanged', async () => {
  await first();
  const { summary } = await backUp(async () => {
    await using other = await openMemoryRepository({ objects });
    const { id } = await other.snapshot('latest', { signal });
    {
      await using maintenance = await other.maintain({ signal });
      await maintenance.removeSnapshots([id]);
    }
    await prune(other, { signal, limits: { maxUnusedPercent: 0 } });
    expect([...objects.keys()].filter((key) => key.startsWith('data/'))).toEqual([]);
  });
  expect(summary.processedFiles).toBe(4);
  await using repository = await openMemoryRepository({ objects });
  expect(await checkRepository(repository, { readData: { kind: 'all' }, signal })).toMatchObject({ ok: true, snapshots: 1 });
});

test('where there will be no lock nothing is stored, and that is what is told', async () => {
  await first();
  const before = [...objects.keys()].filter((key) => !key.startsWith('locks/'));
  let holder: AsyncDisposable | undefined;
  const backup = backUp(async () => {
    const other = await openMemoryRepository({ objects });
    holder = await other.lock({ exclusive: true, signal });
  });
  await backup.catch(() => undefined);
  await holder?.[Symbol.asyncDispose]();
  await expect(backup).rejects.toMatchObject({ code: 'BACKUP_LOCKED' });
  expect([...objects.keys()].filter((key) => !key.startsWith('locks/'))).toEqual(before);
});
