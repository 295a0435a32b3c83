import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Location } from '../storage/index.ts';
import type { MemoryObjects } from '../storage/adapters/memory/index.ts';
import { FaultyLocation } from '../storage/testing/faulty.ts';
import { checkRepository } from './check/check.ts';
import { copySnapshots } from './copy/copy.ts';
import { backupFiles } from './files/backup.ts';
import { restoreFiles } from './files/restore/restore.ts';
import type { OpenedRepository } from './open/opened-repository.ts';
import { prune } from './prune/prune.ts';
import type { Repository, Snapshot } from './repository.ts';
import { forgetByRules } from './retention/forget.ts';
import { forever as signal, hastyRuntime, openMemoryRepository } from './testing/repositories.ts';

// Safety: a process that dies at any call to its storage, before or after the call was done, leaves a repository that opens, in which every
// snapshot that was reported is whole; the next process does what the dead one was to do, and prune leaves nothing of it behind.
// Method: each call that changes the storage is the last one in turn.

const root = mkdtempSync(join(tmpdir(), 'holdfast-crash-'));
const source = join(root, 'source');
/** Two snapshots of different contents, and something that was forgotten: all there is to prune. */
let objects: MemoryObjects;
let first: Snapshot;
let second: Snapshot;

/** Some of it stays from then on, so that packs of what is forgotten are needed in part. */
function fill(generation: string): void {
  for (const name of ['changes', `stays-${generation}`]) writeFileSync(join(source, name), randomBytes(300_000));
}

async function backup(repository: Repository): Promise<Snapshot> {
  const { snapshot } = await backupFiles(repository, hastyRuntime, { paths: ['source'], base: root, host: 'test', signal });
  return snapshot!;
}

beforeAll(async () => {
  objects = new Map();
  await using repository = await open(objects);
  const made: Snapshot[] = [];
  mkdirSync(source);
  for (const generation of ['one', 'two', 'three', 'four', 'five']) {
    fill(generation);
    made.push(await backup(repository));
  }
  const [one, two, three, four, five] = made as [Snapshot, Snapshot, Snapshot, Snapshot, Snapshot];
  [first, second] = [two, five];
  await using maintenance = await repository.maintain({ signal });
  await maintenance.removeSnapshots([one.id, three.id, four.id]);
  writeFileSync(join(source, 'new'), randomBytes(1_300_000));
});
afterAll(() => rmSync(root, { recursive: true }));

function open(from: MemoryObjects, around?: (location: Location) => Location): Promise<OpenedRepository> {
  return openMemoryRepository({ objects: from, pid: 999_999, packBytes: 1024 * 1024, ...(around === undefined ? {} : { around }) });
}

interface Story {
  readonly begin: MemoryObjects;
  /** Done once with death in the midst, then again. */
  readonly act: (repository: OpenedRepository) => Promise<unknown>;
  /** Snapshots that must be there and whole whatever happened. */
  readonly kept: () => readonly Snapshot[];
  readonly after: (repository: OpenedRepository) => Promise<void>;
}

/** Resolves with how many deaths there were. */
async function dieEverywhere(story: Story): Promise<number> {
  let deaths = 0;
  for (let change = 1; ; change += 1) {
    for (const done of [false, true]) {
      const copy: MemoryObjects = new Map(story.begin);
      const died = await dieAt(copy, change, done, story);
      if (!died) return deaths;
      deaths += 1;
      await using next = await open(copy);
      await expectWhole(next, story.kept());
      await story.act(next);
      await story.after(next);
      await prune(next, { signal, limits: { maxUnusedPercent: 0 } });
      await expectWhole(next, story.kept());
      const report = await checkRepository(next, { signal });
      expect(report).toMatchObject({ strayPacks: [], unusedBlobs: 0 });
    }
  }
}

async function dieAt(copy: MemoryObjects, change: number, done: boolean, { act }: Story): Promise<boolean> {
  let faulty!: FaultyLocation;
  try {
    await using doomed = await open(copy, (location) => (faulty = new FaultyLocation(location, hastyRuntime)));
    faulty.killAt = { change, done };
    await act(doomed);
  } catch {
    // It is dead.
  }
  return faulty.changes >= change;
}

async function expectWhole(repository: OpenedRepository, kept: readonly Snapshot[]): Promise<void> {
  const report = await checkRepository(repository, { signal, readData: { kind: 'all' } });
  expect(report.damages).toEqual([]);
  const ids = new Set<string>();
  for await (const { id } of repository.snapshots({ signal })) ids.add(id);
  for (const { id } of kept) expect(ids).toContain(id);
}

describe('death at every change of the storage', () => {
  test('of a backup', async () => {
    let tree = '';
    {
      await using undisturbed = await open(new Map(objects));
      const latest = await backup(undisturbed);
      tree = latest.tree;
      await restoreFiles(undisturbed, latest, { target: join(root, 'restored'), from: '/source', durable: false, signal });
      for (const name of ['new', 'stays-one', 'changes'])
        expect(readFileSync(join(root, 'restored', name)).equals(readFileSync(join(source, name)))).toBe(true);
    }
    const deaths = await dieEverywhere({
      begin: objects,
      act: backup,
      kept: () => [first, second],
      after: async (repository) => {
        expect((await repository.snapshot('latest', { signal })).tree).toBe(tree);
      },
    });
    expect(deaths).toBeGreaterThan(8);
  });

  test('of a forget', async () => {
    const deaths = await dieEverywhere({
      begin: objects,
      act: (repository) => forgetByRules(repository, hastyRuntime, { rules: { last: 1 }, signal }),
      kept: () => [second],
      after: async (repository) => expect(await Array.fromAsync(repository.snapshots({ signal }))).toHaveLength(1),
    });
    expect(deaths).toBeGreaterThanOrEqual(6);
  });

  test('of a prune', async () => {
    const sizeOf = (map: MemoryObjects): number => [...map.values()].reduce((sum, { bytes }) => sum + bytes.length, 0);
    const pruned: MemoryObjects = new Map(objects);
    {
      await using repository = await open(pruned);
      const figures = await prune(repository, { signal, limits: { maxUnusedPercent: 0 } });
      expect(figures.packs.repacked).toBeGreaterThan(0);
      expect(figures.packs.removed).toBeGreaterThan(0);
    }
    expect(sizeOf(pruned)).toBeLessThan(sizeOf(objects) - 900_000);
    const deaths = await dieEverywhere({
      begin: objects,
      act: (repository) => prune(repository, { signal, limits: { maxUnusedPercent: 0 } }),
      kept: () => [first, second],
      after: async () => {},
    });
    expect(deaths).toBeGreaterThan(12);
  });

  test('of a copy into another repository', async () => {
    await using from = await open(objects);
    const begin: MemoryObjects = new Map();
    {
      await using empty = await open(begin);
      expect(empty.id).not.toBe(from.id);
    }
    const deaths = await dieEverywhere({
      begin,
      act: (repository) => copySnapshots(from, repository, { signal }),
      kept: () => [],
      after: async (repository) => {
        const copies = await Array.fromAsync(repository.snapshots({ signal }));
        expect(new Set(copies.map((copy) => copy.original))).toEqual(new Set([first.id, second.id]));
        expect(copies).toHaveLength(2);
        expect(new Set(copies.map((copy) => copy.tree))).toEqual(new Set([first.tree, second.tree]));
      },
    });
    expect(deaths).toBeGreaterThan(8);
  });
});

/** Dies at the read of that number, and stays dead. */
function mortal(location: Location, readsMax: number, onDeath: () => void): Location {
  let reads = 0;
  const get: Location['get'] = (key, options) => {
    reads += 1;
    if (reads <= readsMax) return location.get(key, options);
    onDeath();
    return Promise.reject(new Error('dead'));
  };
  return {
    name: location.name,
    capabilities: location.capabilities,
    get,
    put: (key, data, options) => location.put(key, data, options),
    stat: (key, options) => location.stat(key, options),
    list: (prefix, options) => location.list(prefix, options),
    remove: (key, options) => location.remove(key, options),
    status: () => location.status(),
    [Symbol.asyncDispose]: () => location[Symbol.asyncDispose](),
  };
}

test('a restore that died at any read goes on', async () => {
  let deaths = 0;
  for (let reads = 8; ; reads += 1) {
    const target = join(root, `target-${reads}`);
    let died = false;
    try {
      await using doomed = await open(new Map(objects), (location) => mortal(location, reads, () => (died = true)));
      await restoreFiles(doomed, second, { target, from: '/source', durable: false, signal });
    } catch {
      // It is dead.
    }
    if (!died) break;
    deaths += 1;
    await using next = await open(new Map(objects));
    const result = await restoreFiles(next, second, { target, from: '/source', verify: true, durable: false, signal });
    expect(result).toMatchObject({ issueCount: 0, files: 6, verifiedFiles: 6 });
    expect(readFileSync(join(target, 'changes')).equals(readFileSync(join(source, 'changes')))).toBe(true);
    rmSync(target, { recursive: true });
  }
  expect(deaths).toBeGreaterThan(5);
});
