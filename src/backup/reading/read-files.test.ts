import { randomBytes } from 'node:crypto';
import { closeSync, ftruncateSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { checkRepository } from '../check/check.ts';
import { createFixedCutter } from '../chunk/cutter.ts';
import { sha256 } from '../documents/ids.ts';
import { backupFiles, type BackupResult } from '../files/backup.ts';
import { restoreFiles } from '../files/restore/restore.ts';
import type { OpenedRepository } from '../open/opened-repository.ts';
import { forever as signal, hastyRuntime, openMemoryRepository } from '../testing/repositories.ts';
import type { Location } from '../../storage/index.ts';
import { FaultyLocation } from '../../storage/testing/faulty.ts';

const mebibyte = 1024 * 1024;

let root: string;
let source: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'holdfast-reading-'));
  source = join(root, 'source');
  mkdirSync(source);
});
afterEach(() => rmSync(root, { recursive: true }));

function fill(): string[] {
  const names: string[] = [];
  const write = (name: string, data: Uint8Array): void => {
    writeFileSync(join(source, name), data);
    names.push(name);
  };
  for (const [index, size] of [0, 1, 511, 524_288, 600_000, 9_000_000].entries()) write(`size-${index}`, randomBytes(size));
  for (let index = 0; index < 400; index += 1) write(`small-${index}`, randomBytes((index * 37) % 5_000));
  write('text', Buffer.from('a line of text that says little\n'.repeat(60_000)));
  // Of more than one segment, most of it a hole.
  const fd = openSync(join(source, 'long'), 'w');
  ftruncateSync(fd, 70 * mebibyte);
  for (const at of [0, 30, 64, 69]) writeSync(fd, randomBytes(mebibyte), 0, mebibyte, at * mebibyte - (at === 0 ? 0 : 1234));
  closeSync(fd);
  names.push('long');
  return names;
}

function backup(repository: OpenedRepository, parent?: 'none'): Promise<BackupResult> {
  return backupFiles(repository, hastyRuntime, { paths: ['.'], base: source, ...(parent && { parent }), signal });
}

describe('files that threads read', () => {
  test('come back byte for byte; what is there is not stored again', { timeout: 120_000 }, async () => {
    const names = fill();
    await using repository = await openMemoryRepository({ threads: 2, packBytes: mebibyte });
    const { snapshot, summary } = await backup(repository);
    expect(summary).toMatchObject({ filesNew: names.length, dataBlobs: expect.any(Number) as unknown });
    const target = join(root, 'target');
    await restoreFiles(repository, snapshot!, { target, durable: false, signal });
    for (const name of names) {
      const [expected, found] = [readFileSync(join(source, name)), readFileSync(join(target, name))];
      expect(found.equals(expected), name).toBe(true);
    }
    const again = await backup(repository, 'none');
    expect(again.summary).toMatchObject({ addedBytes: 0, dataBlobs: 0 });
    expect(again.snapshot!.tree).toBe(snapshot!.tree);
    expect((await checkRepository(repository, { readData: { kind: 'all' }, signal })).damages).toEqual([]);
  });

  test('become the blobs that reading in place makes of them, where no segment ends', async () => {
    for (const size of [3_000_000, 30_000_000]) writeFileSync(join(source, `${size}`), randomBytes(size));
    const objects = new Map();
    const trees: string[] = [];
    for (const threads of [2, 0]) {
      await using repository = await openMemoryRepository({ threads, objects });
      trees.push((await backup(repository, 'none')).snapshot!.tree);
    }
    expect(trees[0]).toBe(trees[1]);
  });

  test('are cut in pieces of one length when told so', async () => {
    writeFileSync(join(source, 'file'), randomBytes(2_500));
    await using repository = await openMemoryRepository({ threads: 1 });
    await using writer = await repository.write({ signal });
    const fd = openSync(join(source, 'file'), 'r');
    try {
      const { content, sizeBytes } = await writer.saveFile!(fd, [{ from: 0, to: 2_500 }], { kind: 'fixed', sizeBytes: 1_000 });
      expect([content.length, sizeBytes]).toEqual([3, 2_500]);
      expect(createFixedCutter(1_000).cutting).toEqual({ kind: 'fixed', sizeBytes: 1_000 });
      // It has become shorter.
      expect(await writer.saveFile!(fd, [{ from: 0, to: 9_000 }], { kind: 'fixed', sizeBytes: 1_000 })).toMatchObject({
        sizeBytes: 2_500,
        newBlobs: 0,
      });
    } finally {
      closeSync(fd);
    }
  });

  test('are read in parts where the others are known', async () => {
    const bytes = randomBytes(5_000);
    writeFileSync(join(source, 'file'), bytes);
    await using repository = await openMemoryRepository({ threads: 1 });
    await using writer = await repository.write({ signal });
    const fd = openSync(join(source, 'file'), 'r');
    try {
      const parts = [
        { from: 1_000, to: 3_000 },
        { from: 4_000, to: 5_000 },
      ];
      const { content, sizeBytes } = await writer.saveFile!(fd, parts, { kind: 'fixed', sizeBytes: 1_000 });
      const expected = [1_000, 2_000, 4_000].map((at) => sha256(new Uint8Array(bytes.subarray(at, at + 1_000))));
      expect([content, sizeBytes]).toEqual([expected, 3_000]);
      expect(await writer.saveFile!(fd, [], { kind: 'fixed', sizeBytes: 1_000 })).toMatchObject({ content: [], sizeBytes: 0 });
    } finally {
      closeSync(fd);
    }
  });

  test('one that can not be read costs itself alone', async () => {
    writeFileSync(join(source, 'file'), 'content');
    await using repository = await openMemoryRepository({ threads: 1 });
    await using writer = await repository.write({ signal });
    const [file, directory] = [openSync(join(source, 'file'), 'r'), openSync(source, 'r')];
    const cutting = { kind: 'fixed', sizeBytes: 1_000 } as const;
    const outcomes = await Promise.allSettled([directory, file].map((fd) => writer.saveFile!(fd, [{ from: 0, to: 7 }], cutting)));
    for (const fd of [file, directory]) closeSync(fd);
    expect(outcomes[0]).toMatchObject({ status: 'rejected', reason: { code: 'EISDIR' } });
    expect(outcomes[1]).toMatchObject({ status: 'fulfilled', value: { newBlobs: 1, addedBytes: 7 } });
    expect(writer.signal.aborted).toBe(false);
  });

  test('a pack that can not be stored ends it, and nothing is left waiting', async () => {
    writeFileSync(join(source, 'file'), randomBytes(40 * mebibyte));
    let faulty: FaultyLocation | undefined;
    const around = (location: Location): Location => (faulty = new FaultyLocation(location, hastyRuntime));
    await using repository = await openMemoryRepository({ threads: 2, packBytes: mebibyte, around });
    faulty!.killAt = { change: faulty!.changes + 4, done: false };
    await expect(backup(repository)).rejects.toThrow('killed by the test');
  });
});
