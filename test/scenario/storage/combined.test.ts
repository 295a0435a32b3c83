import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { checkRepository } from '../../../src/backup/check/check.ts';
import { initRepository, openRepository } from '../../../src/backup/open/open-repository.ts';
import { encodeTree } from '../../../src/backup/tree/tree.ts';
import { silentLogger } from '../../../src/core/logger.ts';
import { createClock, createRandom } from '../../../src/runtime/index.ts';
import { LocalLocation } from '../../../src/storage/adapters/local/local-location.ts';
import { createMirror } from '../../../src/storage/combinators/mirror/mirror.ts';
import { createParity } from '../../../src/storage/combinators/parity/parity.ts';
import { scrub } from '../../../src/storage/combinators/scrub.ts';
import type { Location } from '../../../src/storage/location.ts';
import { hasRestic, Restic } from '../backup/restic.ts';

const runtime = { clock: createClock(), random: createRandom(), logger: silentLogger };
const { signal } = new AbortController();
const password = 'correct horse';
/** restic's own cost is half a second for each key. */
const kdfCost = { N: 1024, r: 8, p: 1 };
const stamp = '2026-11-22T14:03:07.123456789Z';
const pieces = Array.from({ length: 6 }, () => randomBytes(700_000));

let scratch: string;
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'holdfast-combined-'));
});
afterAll(() => rm(scratch, { recursive: true }));

async function directories(...names: string[]): Promise<LocalLocation[]> {
  return await Promise.all(
    names.map(async (name) => {
      await mkdir(join(scratch, name), { recursive: true });
      return new LocalLocation(name, join(scratch, name), runtime);
    }),
  );
}

/** A repository with one file in one snapshot. */
async function fill(location: Location): Promise<void> {
  await initRepository(location, { password, kdfCost }, runtime, { signal });
  await using repository = await openRepository(location, { password, threads: 0, packBytes: 1024 * 1024 }, runtime, { signal });
  await using writer = await repository.write({ signal });
  const content: string[] = [];
  for (const piece of pieces) content.push((await writer.saveBlob('data', piece)).id);
  const size = pieces.reduce((sum, { length }) => sum + length, 0);
  const common = { mtime: stamp, atime: stamp, ctime: stamp, uid: 0, gid: 0, inode: 7n, links: 1 };
  const tree = await writer.saveBlob('tree', encodeTree([{ ...common, name: 'file', type: 'file', mode: 0o644, size, content }]));
  await writer.saveSnapshot({ time: stamp, tree: tree.id, paths: ['/'], hostname: 'here', username: 'me', tags: [] });
}

async function check(location: Location): Promise<void> {
  await using repository = await openRepository(location, { password, threads: 0 }, runtime, { signal });
  const report = await checkRepository(repository, { signal, readData: { kind: 'all' } });
  expect(report).toMatchObject({ ok: true, damages: [], snapshots: 1 });
}

/** Paths of what a part stores, below its directory. */
async function stored(part: string): Promise<string[]> {
  const entries = await readdir(join(scratch, part), { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return files.filter((path) => !path.includes('holdfast/')).toSorted();
}

describe.runIf(hasRestic())('a mirror of directories (skipped where restic is absent)', () => {
  test('each of which is a whole repository to restic, also after rot, a loss and a scrub', async () => {
    await using mirror = createMirror('both', await directories('one', 'other'), runtime);
    await fill(mirror);
    const copies = ['one', 'other'].map((name) => new Restic(join(scratch, name), password));
    for (const restic of copies) expect(restic.run('check', '--read-data')).toContain('no errors were found');

    const rotten = (await stored('one')).find((path) => path.includes('/data/'))!;
    const bytes = await readFile(rotten);
    bytes[bytes.length >> 1]! ^= 1;
    await rm(rotten);
    await writeFile(rotten, bytes);
    const lost = (await stored('other')).filter((path) => /\/(?:index|snapshots)\//.test(path));
    for (const path of lost) await rm(path);
    expect(copies[0]!.try(['check', '--read-data']).status, 'restic sees the rot').not.toBe(0);
    await check(mirror);

    const report = await scrub(mirror, runtime, { signal });
    expect(report.open).toBe(0);
    await mirror.catchUp({ signal });
    for (const restic of copies) expect(restic.run('check', '--read-data')).toContain('no errors were found');
    const target = join(scratch, 'restored');
    copies[1]!.run('restore', 'latest', '--target', target);
    expect((await readFile(join(target, 'file'))).equals(Buffer.concat(pieces))).toBe(true);
  });
});

test('parity over three directories loses any one of them, twice, with a scrub between', async () => {
  const names = ['a', 'b', 'c'];
  await using vault = createParity('vault', await directories(...names), { data: 2, parity: 1 }, runtime);
  await fill(vault);
  const before = new Map<string, Buffer>();
  for (const name of names) for (const path of await stored(name)) before.set(path, await readFile(path));
  for (const name of ['b', 'a']) {
    for (const path of await stored(name)) await rm(path);
    await check(vault);
    expect((await scrub(vault, runtime, { signal })).open).toBe(0);
    await vault.catchUp({ signal });
    expect((await stored(name)).length).toBeGreaterThan(3);
  }
  // What a check locked and unlocked is gone; all else is byte for byte what it was.
  const after = (await Promise.all(names.map(stored))).flat();
  expect(after).toEqual([...before.keys()].filter((path) => !path.includes('/locks/')).toSorted());
  for (const path of after) expect((await readFile(path)).equals(before.get(path)!), path).toBe(true);
});
