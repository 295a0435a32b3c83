import { randomBytes } from 'node:crypto';
import { beforeEach, describe, expect, test } from 'vitest';
import { checkRepository } from '../check/check.ts';
import { repairIndex } from '../check/repair-index.ts';
import { parseSubset } from '../check/subset.ts';
import { saveDocument } from '../documents/files.ts';
import { sha256 } from '../documents/ids.ts';
import { findParent } from '../files/backup.ts';
import { findBases } from '../postgres/plan.ts';
import { createClock } from '../../runtime/clock.ts';
import { createRandom } from '../../runtime/random.ts';
import { type CallOptions, createMirror, isCombined, type Location, scrub, verifyResticKey } from '../../storage/index.ts';
import { MemoryLocation, type MemoryObjects } from '../../storage/adapters/memory/index.ts';
import { encodeIndex } from '../index/index-file.ts';
import type { IndexedBlob, Snapshot } from '../repository.ts';
import { forgetSnapshots } from '../retention/forget.ts';
import { cheapKdf, forever as signal, hastyRuntime, openMemoryRepository } from '../testing/repositories.ts';
import { encodeTree } from '../tree/tree.ts';
import { openRepository } from './open-repository.ts';
import type { OpenedRepository } from './opened-repository.ts';

const stamp = '2026-11-22T14:03:07.123456789Z';
const packBytes = 1024 * 1024;
const runtime = { clock: createClock(), random: createRandom(), logger: hastyRuntime.logger };
let objects: MemoryObjects;
beforeEach(() => {
  objects = new Map();
});

const keysOf = (prefix: string): string[] => [...objects.keys()].filter((key) => key.startsWith(prefix));

/** Stores files of random bytes, one snapshot. */
async function save(
  repository: OpenedRepository,
  sizes: readonly number[],
  time = stamp,
  more: Record<string, unknown> = {},
): Promise<Snapshot> {
  await using writer = await repository.write({ signal });
  const content = await Promise.all(sizes.map(async (size) => (await writer.saveBlob('data', randomBytes(size))).id));
  const stamps = { mtime: stamp, atime: stamp, ctime: stamp };
  const nodes = content.map((id, index) => ({
    name: `file ${index}`,
    type: 'file' as const,
    mode: 0o644,
    uid: 0,
    gid: 0,
    ...stamps,
    content: [id],
  }));
  const { id: tree } = await writer.saveBlob('tree', encodeTree(nodes.toSorted((a, b) => (a.name < b.name ? -1 : 1))));
  return await writer.saveSnapshot({ time, tree, paths: ['/srv'], hostname: 'here', username: 'me', ...more });
}

/** Calls of one kind fail from the n-th on. */
function failing(location: Location, call: 'put' | 'remove', keys: RegExp, from = 0): Location {
  let calls = 0;
  const check = (key: string): void => {
    if (keys.test(key) && calls++ >= from) throw new Error(`${call} of ${key} fails`);
  };
  return new Proxy(location, {
    get: (target, name) => {
      const value = Reflect.get(target, name) as unknown;
      if (typeof value !== 'function') return value;
      if (name !== call) return value.bind(target) as unknown;
      return async (key: string, ...rest: unknown[]) => {
        check(key);
        await (value as (...all: unknown[]) => Promise<void>).call(target, key, ...rest);
      };
    },
  });
}

describe('writing', () => {
  test('the same is stored once, however often and at whatever moment it comes', async () => {
    await using repository = await openMemoryRepository({ objects });
    await using writer = await repository.write({ signal });
    const data = randomBytes(100_000);
    const saved = await Promise.all(Array.from({ length: 8 }, () => writer.saveBlob('data', data)));
    expect(saved.filter(({ isNew }) => isNew)).toHaveLength(1);
    expect(new Set(saved.map(({ id }) => id))).toEqual(new Set([sha256(data)]));
    expect(repository.has('data', sha256(data))).toBe(true);
    await writer.flush();
    expect(await writer.saveBlob('data', data)).toEqual({ id: sha256(data), isNew: false, storedBytes: 0 });
    expect((await writer.saveBlob('tree', data)).isNew).toBe(true);
    expect(repository.find('data', sha256(data))).toMatchObject({
      offset: 0,
      sizeBytes: 100_032,
      plainSizeBytes: 100_000,
      compressed: false,
    });
  });

  test('what was saved can be read before it is flushed, as soon as its pack is full', async () => {
    await using repository = await openMemoryRepository({ objects, packBytes });
    await using writer = await repository.write({ signal });
    const data = Array.from({ length: 4 }, () => randomBytes(packBytes / 2));
    for (const one of data) await writer.saveBlob('data', one);
    while (repository.find('data', sha256(data[0]!)) === undefined) await Promise.resolve();
    expect(Buffer.compare(await repository.loadBlob('data', sha256(data[0]!), { signal }), data[0]!)).toBe(0);
    expect(keysOf('index/')).toEqual([]);
  });

  test('packs are closed at their size, data and trees apart', async () => {
    await using repository = await openMemoryRepository({ objects, packBytes });
    await save(
      repository,
      Array.from({ length: 20 }, () => 200_000),
    );
    const packs = new Map<string, Set<string>>();
    for (const { type, place } of repository.blobs()) packs.set(place.packId, (packs.get(place.packId) ?? new Set()).add(type));
    expect(packs.size).toBe(5);
    expect([...packs.values()].every((types) => types.size === 1)).toBe(true);
    expect(keysOf('data/')).toHaveLength(5);
    for (const [key, { bytes }] of objects) if (key !== 'config') expect(verifyResticKey(key, bytes)).toBe(true);
  });

  test.each(['data/', 'index/', 'snapshots/'])('Safety: no snapshot is written over a failure to store below %s', async (folder) => {
    await using whole = await openMemoryRepository({ objects });
    await save(whole, [1000]);
    const before = keysOf('snapshots/');
    await using repository = await openMemoryRepository({
      objects,
      packBytes,
      around: (location) => failing(location, 'put', new RegExp(`^${folder}`)),
    });
    const writer = await repository.write({ signal });
    await expect(
      (async () => {
        for (let round = 0; round < 30; round += 1) await writer.saveBlob('data', randomBytes(packBytes / 4));
        const { id: tree } = await writer.saveBlob('tree', encodeTree([]));
        await writer.saveSnapshot({ time: stamp, tree, paths: [] });
      })(),
    ).rejects.toThrow(`put of ${folder}`);
    if (folder !== 'snapshots/') {
      await expect(writer.flush()).rejects.toThrow(`put of ${folder}`);
      await expect(writer.saveSnapshot({ time: stamp, tree: sha256(encodeTree([])), paths: [] })).rejects.toThrow();
    }
    await writer[Symbol.asyncDispose]();
    expect(keysOf('snapshots/')).toEqual(before);
    await using again = await openMemoryRepository({ objects });
    expect(await checkRepository(again, { signal, readData: { kind: 'all' } })).toMatchObject({ ok: true, snapshots: 1 });
  });

  test('a failed pack is not forgotten by a flush that comes after', async () => {
    await using repository = await openMemoryRepository({ objects, packBytes, around: (location) => failing(location, 'put', /^data/, 1) });
    await using writer = await repository.write({ signal });
    await writer.saveBlob('data', randomBytes(packBytes));
    // Its pack is stored behind its back: it may hear of it or not.
    await writer.saveBlob('data', randomBytes(packBytes)).catch(() => undefined);
    for (let turn = 0; turn < 200 && !writer.signal.aborted; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    expect(writer.signal.aborted).toBe(true);
    await expect(writer.flush()).rejects.toThrow('put of data/');
  });

  test('a location that stands still is not written to without bound', async () => {
    const gate = Promise.withResolvers<void>();
    const standing = (location: Location): Location => {
      const put = location.put.bind(location);
      location.put = async (key, ...rest) => {
        if (key.startsWith('data/')) await gate.promise;
        await put(key, ...rest);
      };
      return location;
    };
    await using repository = await openMemoryRepository({ objects, packBytes, around: standing });
    await using writer = await repository.write({ signal });
    let taken = 0;
    const quarter = packBytes / 4;
    const saving = Array.from({ length: 60 }, async () => {
      await writer.saveBlob('data', randomBytes(quarter));
      taken += 1;
    });
    for (let turn = 0; turn < 500; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    // Four packs are being stored; the one that waits for its turn is whole, and nobody was told so of its last blob.
    expect(taken).toBeLessThan(5 * 4);
    gate.resolve();
    await Promise.all(saving);
    await writer.flush();
    expect(keysOf('data/')).toHaveLength(15);
  });

  test('one writer at a time; a snapshot needs its tree; what is disposed of lets go of the lock', async () => {
    await using repository = await openMemoryRepository({ objects });
    const writer = await repository.write({ signal });
    await expect(repository.write({ signal })).rejects.toMatchObject({ code: 'BACKUP_WRITER_ACTIVE' });
    await expect(repository.maintain({ signal })).rejects.toMatchObject({ code: 'BACKUP_WRITER_ACTIVE' });
    await expect(writer.saveSnapshot({ time: stamp, tree: 'ab'.repeat(32), paths: [] })).rejects.toMatchObject({
      code: 'BACKUP_BLOB_MISSING',
    });
    await expect(writer.saveSnapshot({ time: 'now', tree: 'ab'.repeat(32), paths: [] })).rejects.toMatchObject({ code: 'BACKUP_DAMAGED' });
    expect(keysOf('locks/')).toHaveLength(1);
    await writer[Symbol.asyncDispose]();
    await writer[Symbol.asyncDispose]();
    expect(keysOf('locks/')).toEqual([]);
    await (await repository.maintain({ signal }))[Symbol.asyncDispose]();
  });
});

describe('reading', () => {
  test('snapshots are found by id, prefix and latest, with everything that their documents say', async () => {
    await using repository = await openMemoryRepository({ objects });
    await expect(repository.snapshot('latest', { signal })).rejects.toMatchObject({ code: 'BACKUP_SNAPSHOT_UNKNOWN' });
    const first = await save(repository, [10], stamp, { summary: { later: 2n ** 60n }, tags: ['a', 'b'], program_version: 'x' });
    const second = await save(repository, [10], '2026-11-22T16:00:00+01:00');
    expect(second.timeMs - first.timeMs).toBeCloseTo(56 * 60_000 + 52_876.543211, 3);
    expect((await repository.snapshot('latest', { signal })).id).toBe(second.id);
    const found = await repository.snapshot(first.id.slice(0, 12), { signal });
    expect(found).toEqual(first);
    expect(found.document).toMatchObject({ summary: { later: 2n ** 60n }, program_version: 'x' });
    for (const unknown of ['', 'xyz', 'ff'.repeat(32)]) {
      await expect(repository.snapshot(unknown, { signal })).rejects.toMatchObject({
        code: 'BACKUP_SNAPSHOT_UNKNOWN',
        message: expect.stringContaining(first.id.slice(0, 8)),
      });
    }
  });

  test('what another one added since is found without asking for it', async () => {
    await using reader = await openMemoryRepository({ objects });
    await using other = await openMemoryRepository({ objects });
    const { tree } = await save(other, [1000]);
    expect(reader.has('tree', tree)).toBe(false);
    expect((await reader.loadBlob('tree', tree, { signal })).byteLength).toBeGreaterThan(100);
    await expect(reader.loadBlob('data', 'ab'.repeat(32), { signal })).rejects.toMatchObject({ code: 'BACKUP_BLOB_MISSING' });
  });

  test('a blob is read from where it is whole', async () => {
    await using repository = await openMemoryRepository({ objects });
    await save(repository, [1000, 2000]);
    const all = [...repository.blobs()];
    await using maintenance = await repository.maintain({ signal });
    const blob = all.find(({ place }) => place.plainSizeBytes === 1000)!;
    await maintenance.repack(blob.place.packId, [blob]);
    await maintenance.removePacks(new Set());
    const damage = (packId: string): void => void objects.get(`data/${packId.slice(0, 2)}/${packId}`)!.bytes.fill(0, 0, 500);
    damage(blob.place.packId);
    expect((await repository.loadBlob('data', blob.id, { signal })).byteLength).toBe(1000);
    for (const { place } of repository.blobs()) damage(place.packId);
    await expect(repository.loadBlob('data', blob.id, { signal })).rejects.toMatchObject({ code: 'BACKUP_DAMAGED' });
  });
});

describe('a location with several copies', () => {
  /** Gives a bad copy of what is asked for in part, a good one of what is asked for whole: as a mirror does that can not tell yet. */
  function mirrored(location: Location): Location {
    const get = location.get.bind(location);
    location.get = async (key, options) => {
      const bytes = await get(key, options);
      if (options.range !== undefined) bytes[5]! ^= 1;
      return bytes;
    };
    return location;
  }

  test('gives the good one, to readers and to whoever moves blobs', async () => {
    await using whole = await openMemoryRepository({ objects });
    const { tree } = await save(whole, [1000, 70_000]);
    await using repository = await openMemoryRepository({ objects, around: mirrored });
    expect((await repository.loadBlob('tree', tree, { signal })).byteLength).toBeGreaterThan(100);
    const blobs = [...repository.blobs()];
    const packs = new Set(blobs.map(({ place }) => place.packId));
    {
      await using maintenance = await repository.maintain({ signal });
      for (const packId of packs)
        await maintenance.repack(
          packId,
          blobs.filter(({ place }) => place.packId === packId),
        );
      await maintenance.removePacks(packs);
    }
    await using again = await openMemoryRepository({ objects });
    expect(await checkRepository(again, { signal, readData: { kind: 'all' } })).toMatchObject({ ok: true, blobs: 3 });
  });
});

test('one damaged snapshot hides no other, and can be forgotten', async () => {
  await using repository = await openMemoryRepository({ objects });
  const [rotten, good] = [await save(repository, [1000]), await save(repository, [2000])];
  objects.get(`snapshots/${rotten.id}`)!.bytes[20]! ^= 1;
  const damaged: string[] = [];
  const all = await Array.fromAsync(repository.snapshots({ signal, onDamaged: (id) => damaged.push(id) }));
  expect([all.map(({ id }) => id), damaged]).toEqual([[good.id], [rotten.id]]);
  const told = { code: 'BACKUP_DAMAGED', hint: expect.stringContaining(`holdfast forget ${rotten.id.slice(0, 8)}`) as unknown };
  // Who can do without it goes on, whatever else is made or restored.
  expect((await Array.fromAsync(repository.readableSnapshots({ signal }))).map(({ id }) => id)).toEqual([good.id]);
  await expect(findBases(repository, { service: 'orders', signal })).rejects.toMatchObject({ code: 'BACKUP_NO_BASE' });
  expect(await findParent(repository, { host: 'elsewhere', paths: ['/'], signal })).toBeUndefined();
  // What counts all of them is not content with some.
  await expect(repository.snapshot('latest', { signal })).rejects.toMatchObject(told);
  await expect(forgetSnapshots(repository, [good.id], { signal })).rejects.toMatchObject(told);
  expect((await repository.snapshot(good.id, { signal })).id).toBe(good.id);
  await forgetSnapshots(repository, [await repository.snapshotId(rotten.id.slice(0, 8), { signal })], { signal });
  expect((await repository.snapshot('latest', { signal })).id).toBe(good.id);
});

test('a blob that an index puts where no pack reaches is damage, not a fault of the program', async () => {
  const [id, packId] = ['ab'.repeat(32), 'cd'.repeat(32)];
  const place = { offset: 0, sizeBytes: 4_000_000_000, plainSizeBytes: 4_000_000_000 - 32, compressed: false };
  await using repository = await openMemoryRepository({ objects });
  const forged = encodeIndex([{ packId, entries: [{ type: 'data', id, ...place }] }]);
  await saveDocument(repository.parts.files, 'index', forged, { signal });
  objects.set(`data/cd/${packId}`, { bytes: randomBytes(100), modifiedMs: 0 });
  await repository.refresh({ signal });
  expect(repository.find('data', id)).toEqual({ packId, ...place });
  await expect(repository.loadBlob('data', id, { signal })).rejects.toMatchObject({ code: 'BACKUP_DAMAGED' });
  const blobs = [{ entry: { type: 'data' as const, id, ...place }, uses: [] }];
  await expect(repository.writeBlobs(packId, blobs, { signal })).rejects.toMatchObject({ code: 'STORAGE_DAMAGED' });
});

test('a mirror of two repositories is not opened, served or healed: each stays what it is', async () => {
  const places = [new Map(), new Map(), new Map()] as [MemoryObjects, MemoryObjects, MemoryObjects];
  const mirror = (...of: MemoryObjects[]): Location =>
    createMirror(
      'both',
      of.map((held, n) => new MemoryLocation(`part-${n}`, runtime, held)),
      runtime,
    );
  const open = (location: Location) => openRepository(location, { password: 'x', threads: 0 }, runtime, { signal });
  for (const place of places.slice(0, 2)) {
    await using repository = await openMemoryRepository({ objects: place });
    await save(repository, [1000]);
  }
  // But for what the mirror notes for itself.
  const held = () => places.map((place) => [...place.keys()].filter((key) => !key.startsWith('.holdfast/')).toSorted());
  const before = held();
  await using two = mirror(...places);
  const differ = { code: 'BACKUP_REPOSITORIES_DIFFER', message: expect.stringContaining('part-0 and part-1') as unknown };
  await expect(open(two)).rejects.toMatchObject(differ);
  expect(await scrub(two, runtime, { signal })).toMatchObject({ healed: 0, counts: { conflict: 1 } });
  if (isCombined(two)) await two.catchUp({ signal });
  expect(held()).toEqual(before);
  // One that was there already takes an empty location beside it.
  await using grown = mirror(places[0], places[2]);
  await using repository = await open(grown);
  expect(await scrub(grown, runtime, { signal })).toMatchObject({ open: 0 });
  expect(await checkRepository(repository, { signal, readData: { kind: 'all' } })).toMatchObject({ ok: true, snapshots: 1 });
  expect([...places[2].keys()]).toEqual(expect.arrayContaining(before[0]!));
});

describe('maintenance', () => {
  test('packs are replaced by others, and every reader finds its way', async () => {
    await using repository = await openMemoryRepository({ objects, packBytes });
    const { tree } = await save(
      repository,
      Array.from({ length: 12 }, () => 200_000),
    );
    await using reader = await openMemoryRepository({ objects });
    const before = [...repository.blobs()];
    const packs = new Set(before.map(({ place }) => place.packId));
    {
      await using maintenance = await repository.maintain({ signal });
      for (const packId of packs)
        await maintenance.repack(
          packId,
          before.filter(({ place }) => place.packId === packId),
        );
      await maintenance.removePacks(packs);
    }
    const after: IndexedBlob[] = [...repository.blobs()];
    expect(after.map(({ id }) => id).toSorted()).toEqual(before.map(({ id }) => id).toSorted());
    expect(after.some(({ place }) => packs.has(place.packId))).toBe(false);
    expect(keysOf('data/').some((key) => packs.has(key.slice(8)))).toBe(false);
    expect(keysOf('index/')).toHaveLength(1);
    expect((await reader.loadBlob('tree', tree, { signal })).byteLength).toBeGreaterThan(1000);
    expect(await checkRepository(repository, { signal, readData: { kind: 'all' } })).toMatchObject({ ok: true, blobs: 13, unusedBlobs: 0 });
  });

  test('damage is not moved', async () => {
    await using repository = await openMemoryRepository({ objects });
    await save(repository, [1000]);
    const blob = [...repository.blobs()].find(({ type }) => type === 'data');
    const { packId } = blob!.place;
    objects.get(`data/${packId.slice(0, 2)}/${packId}`)!.bytes[20]! ^= 1;
    await using maintenance = await repository.maintain({ signal });
    await expect(maintenance.repack(packId, [blob!])).rejects.toMatchObject({
      code: 'BACKUP_DAMAGED',
      message: expect.stringContaining(packId),
    });
  });

  test('Safety: cut off at any call, nothing is lost, and the index can be made anew. Method: each put and remove in turn fails', async () => {
    for (const call of ['put', 'remove'] as const) {
      for (let from = 0; from < 12; from += 1) {
        objects = new Map();
        await using repository = await openMemoryRepository({ objects, packBytes });
        await save(repository, [700_000, 700_000, 300]);
        await using broken = await openMemoryRepository({
          objects,
          packBytes,
          around: (location) => failing(location, call, /^(?:data|index)/, from),
        });
        const blobs = [...broken.blobs()];
        const packs = new Set(blobs.map(({ place }) => place.packId));
        const replace = async (): Promise<void> => {
          await using maintenance = await broken.maintain({ signal });
          for (const packId of packs)
            await maintenance.repack(
              packId,
              blobs.filter(({ place }) => place.packId === packId),
            );
          await maintenance.removePacks(packs);
        };
        await replace().catch(() => undefined);
        await using again = await openMemoryRepository({ objects });
        expect(await checkRepository(again, { signal, readData: { kind: 'all' } }), `${call} ${from}`).toMatchObject({
          ok: true,
          snapshots: 1,
        });
        for (const key of keysOf('index/')) objects.delete(key);
        await repairIndex(again, { signal });
        await using repaired = await openMemoryRepository({ objects });
        expect(await checkRepository(repaired, { signal }), `${call} ${from}, repaired`).toMatchObject({ ok: true, strayPacks: [] });
      }
    }
  });
});

describe('check', () => {
  test('packs that are gone, strays, and what nobody needs are told', async () => {
    await using repository = await openMemoryRepository({ objects });
    const kept = await save(repository, [1000, 2000]);
    const gone = await save(repository, [3000]);
    objects.delete(`snapshots/${gone.id}`);
    const stray = 'ab'.repeat(32);
    objects.set(`data/ab/${stray}`, { bytes: new Uint8Array(100), modifiedMs: 0 });
    expect(await checkRepository(repository, { signal })).toMatchObject({
      ok: true,
      unusedBlobs: 2,
      strayPacks: [stray],
      snapshots: 1,
      trees: 1,
    });
    const pack = [...repository.blobs()].find(({ place }) => place.plainSizeBytes === 1000)!.place.packId;
    objects.delete(`data/${pack.slice(0, 2)}/${pack}`);
    const report = await checkRepository(repository, { signal });
    expect(report.damages).toMatchObject([{ kind: 'pack', id: pack, problem: 'is not there', lost: { snapshots: [kept.id], files: 2 } }]);
    objects.set(`snapshots/${gone.id}`, { bytes: new Uint8Array(100), modifiedMs: 0 });
    const worse = await checkRepository(repository, { signal });
    expect(worse.damages.map(({ kind, lost }) => [kind, lost.snapshots.length])).toEqual([
      ['snapshot', 1],
      ['pack', 1],
    ]);
  });

  test('headers are compared with the index', async () => {
    await using repository = await openMemoryRepository({ objects });
    await save(repository, [1000, 2000]);
    expect(await checkRepository(repository, { signal, readHeaders: true })).toMatchObject({ ok: true });
    for (const key of keysOf('data/')) objects.get(key)!.bytes[objects.get(key)!.bytes.length - 10]! ^= 1;
    const { damages } = await checkRepository(repository, { signal, readHeaders: true });
    expect(damages.map(({ problem }) => problem)).toEqual(Array(2).fill('has a header that does not match its checksum'));
  });

  test('parts of all packs are together all of them', async () => {
    await using repository = await openMemoryRepository({ objects, packBytes });
    await save(
      repository,
      Array.from({ length: 12 }, () => packBytes),
    );
    let read = 0;
    for (let part = 1; part <= 5; part += 1)
      read += (await checkRepository(repository, { signal, readData: parseSubset(`${part}/5`) })).packsRead;
    expect(read).toBe(13);
    expect((await checkRepository(repository, { signal, readData: parseSubset('0%') })).packsRead).toBe(0);
    expect((await checkRepository(repository, { signal, readData: parseSubset('100GiB') })).packsRead).toBe(13);
    for (const wrong of ['0/5', '6/5', '1/300', 'x', '5'])
      expect(() => parseSubset(wrong), wrong).toThrow(expect.objectContaining({ code: 'UNIT_INVALID' }));
  });
});

test('keys come and go, and the last way in stays', async () => {
  await using repository = await openMemoryRepository({ objects });
  const id = await repository.addKey('another', { signal, kdfCost: cheapKdf });
  const keys = await Array.fromAsync(repository.keys({ signal }));
  expect(keys.filter((key) => key.current)).toHaveLength(1);
  expect(keys).toHaveLength(2);
  const current = keys.find((key) => key.current)!.id;
  await expect(repository.removeKey(current, { signal })).rejects.toMatchObject({ code: 'BACKUP_KEY_IN_USE' });
  await expect(repository.removeKey('', { signal })).rejects.toMatchObject({ code: 'BACKUP_KEY_UNKNOWN' });
  await expect(repository.removeKey('xyz', { signal })).rejects.toMatchObject({ code: 'BACKUP_KEY_UNKNOWN' });
  await repository.removeKey(id, { signal } satisfies CallOptions);
  expect(keysOf('keys/')).toEqual([`keys/${current}`]);
  const changed = await repository.changePassword('changed', { signal, kdfCost: cheapKdf });
  expect(keysOf('keys/')).toEqual([`keys/${changed}`]);
  await expect(openMemoryRepository({ objects })).rejects.toMatchObject({ code: 'BACKUP_PASSWORD_WRONG' });
});
