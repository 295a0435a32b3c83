import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createClock } from '../../runtime/clock.ts';
import { retry, type Draft, type Location } from '../../storage/index.ts';
import { create } from '../../storage/adapters/local/index.ts';
import { MemoryLocation } from '../../storage/adapters/memory/index.ts';
import { randomSealingKey } from '../crypto/seal.ts';
import { objectKey } from '../documents/ids.ts';
import type { IndexedPack } from '../index/index-file.ts';
import { sealRun } from '../reading/sealed-run.ts';
import type { BlobType } from '../repository.ts';
import { forever, hastyRuntime } from '../testing/repositories.ts';
import { Packer } from './packer.ts';
import { readHeader } from './read-header.ts';

const runtime = { ...hastyRuntime, clock: createClock() };
const key = randomSealingKey();
const signal = forever;
const targetBytes = 500_000;

interface Blob {
  readonly type: BlobType;
  readonly data: Buffer;
  readonly id: string;
}

function blobs(count: number, sizeBytes: number): Blob[] {
  return Array.from({ length: count }, (_, n) => {
    const data = randomBytes(sizeBytes - (n % 7));
    return { type: n % 5 === 0 ? 'tree' : 'data', data, id: createHash('sha256').update(data).digest('hex') };
  });
}

function packerOf(location: Location) {
  const stored: IndexedPack[] = [];
  const failures: Error[] = [];
  const told = { stored: (pack: IndexedPack) => void stored.push(pack), failed: (error: Error) => void failures.push(error) };
  const packer = new Packer({ location, key, targetBytes, ...told });
  const add = (all: readonly Blob[]): Promise<PromiseSettledResult<void>[]> =>
    Promise.allSettled(all.map((blob) => packer.add(sealRun(key, blob.type, [blob], true), { signal })));
  return { packer, stored, failures, add };
}

/** What a location has in its packs, looked at as a stranger would. */
async function expectPacks(location: Location, stored: readonly IndexedPack[], expected: readonly Blob[]): Promise<void> {
  const found: string[] = [];
  for (const { packId, entries } of stored) {
    const pack = await location.get(objectKey('data', packId), { signal });
    expect(createHash('sha256').update(pack).digest('hex')).toBe(packId);
    expect(await readHeader({ location, key }, { id: packId, sizeBytes: pack.byteLength }, { signal })).toEqual(entries);
    for (const { id } of entries) found.push(id);
  }
  expect(found.toSorted()).toEqual(expected.map(({ id }) => id).toSorted());
  expect(await Array.fromAsync(location.list('data/', { signal }))).toHaveLength(stored.length);
}

/** The same location, in which the draft's call of this number goes wrong. */
function failingAt(location: Location, call: number, error: Error): Location {
  let calls = 0;
  const next = async <T>(work: () => Promise<T>): Promise<T> => {
    calls += 1;
    if (calls === call) throw error;
    return await work();
  };
  const draft = (options: { readonly signal: AbortSignal }): Promise<Draft> =>
    next(async () => {
      const inner = await location.draft!(options);
      return {
        append: (bytes, how) => next(() => inner.append(bytes, how)),
        put: (at, how) => next(() => inner.put(at, how)),
        [Symbol.asyncDispose]: () => inner[Symbol.asyncDispose](),
      };
    });
  return new Proxy(location, {
    get: (target, name) => {
      if (name === 'draft') return draft;
      const member: unknown = Reflect.get(target, name, target);
      return typeof member === 'function' ? member.bind(target) : member;
    },
  });
}

describe('packs', () => {
  let root: string;
  beforeAll(async () => void (root = await mkdtemp(join(tmpdir(), 'holdfast-packer-'))));
  afterAll(() => rm(root, { recursive: true }));
  const local = async (): Promise<{ location: Location; scratch: () => Promise<string[]> }> => {
    const directory = await mkdtemp(join(root, 'r-'));
    return {
      location: retry(create('local', directory, runtime), runtime),
      scratch: () => readdir(join(directory, '~holdfast')),
    };
  };

  test.each(['a directory, bit by bit', 'memory, as a whole'])('are the same in %s, whoever adds at once', async (where) => {
    const location: Location = where.startsWith('memory') ? new MemoryLocation('memory', hastyRuntime) : (await local()).location;
    expect(location.draft === undefined).toBe(where.startsWith('memory'));
    const { packer, stored, failures, add } = packerOf(location);
    const all = [...blobs(80, 70_000), ...blobs(40, 900), ...blobs(2, 600_000)];
    for (const result of await add(all)) expect(result.status).toBe('fulfilled');
    await packer.flush({ signal });
    await packer[Symbol.asyncDispose]();
    expect(failures).toEqual([]);
    expect(stored.length).toBeGreaterThan(8);
    await expectPacks(location, stored, all);
  });

  test('Safety: whichever call of a draft fails, no pack is told of that is not whole, who flushes hears of it, and nothing is left', async () => {
    const all = blobs(14, 100_000);
    const error = new Error('by the test');
    for (let call = 1; ; call += 1) {
      const { location, scratch } = await local();
      const { packer, stored, add } = packerOf(failingAt(location, call, error));
      const added = await add(all);
      const flushed = await packer.flush({ signal }).catch((reason: unknown) => reason);
      await packer[Symbol.asyncDispose]();
      expect(await scratch()).toEqual([]);
      if (flushed === undefined) {
        expect(added.every(({ status }) => status === 'fulfilled')).toBe(true);
        expect(call, 'there were calls to fail').toBeGreaterThan(15);
        return await expectPacks(location, stored, all);
      }
      expect(flushed).toBe(error);
      for (const result of added) if (result.status === 'rejected') expect(result.reason).toBe(error);
      const told = new Set(stored.flatMap(({ entries }) => entries.map(({ id }) => id)));
      await expectPacks(
        location,
        stored,
        all.filter(({ id }) => told.has(id)),
      );
    }
  });

  test('that are open when it ends leave nothing', async () => {
    const { location, scratch } = await local();
    const { packer, stored, add } = packerOf(location);
    await add(blobs(10, 1000));
    expect(await scratch()).toHaveLength(2);
    await packer[Symbol.asyncDispose]();
    expect([await scratch(), stored]).toEqual([[], []]);
  });
});
