import { expect, test } from 'vitest';
import { SimulatedTime, seededRandom } from '../../sim/index.ts';
import { MemoryLocation, type MemoryObjects } from '../adapters/memory/index.ts';
import { describeLocationContract, memoryHarness } from '../contract.ts';
import { type FaultRates, FaultyLocation, KilledError } from './faulty.ts';

const signal = new AbortController().signal;

function faulty(rates: Partial<FaultRates>, seed = 'faulty') {
  const time = new SimulatedTime();
  const clock = time.clock();
  const objects: MemoryObjects = new Map();
  const location = new FaultyLocation(
    new MemoryLocation('faulty', { clock }, objects),
    { clock, random: seededRandom(seed) },
    { rates, slowMs: 5000 },
  );
  return { time, clock, objects, location };
}

const memory = memoryHarness();
describeLocationContract('a faulty location without faults', {
  ...memory,
  bigBytes: 1_000_000,
  manyKeys: 50,
  open: async () => new FaultyLocation(await memory.open(), { clock: memory.clock, random: seededRandom(1) }),
});

test('does the same for the same seed', async () => {
  const run = async (seed: string): Promise<string> => {
    const { location } = faulty({ cutBefore: 0.3, cutAfter: 0.2, busy: 0.2, full: 0.1 }, seed);
    let log = '';
    for (let n = 0; n < 200; n += 1)
      log += await location.put(`k/${n}`, [new Uint8Array(3)], { signal }).then(
        () => '.',
        (error: { code: string }) => error.code.charAt(8),
      );
    return log;
  };
  const first = await run('a');
  expect(await run('a')).toBe(first);
  expect(await run('b')).not.toBe(first);
  for (const outcome of ['.', 'U', 'B', 'F']) expect(first).toContain(outcome);
});

test.each<[keyof FaultRates, string, boolean]>([
  ['cutBefore', 'STORAGE_UNREACHABLE', false],
  ['cutAfter', 'STORAGE_UNREACHABLE', true],
  ['busy', 'STORAGE_BUSY', false],
  ['full', 'STORAGE_FULL', false],
])('%s fails with %s; done: %s', async (fault, code, done) => {
  const { location, objects } = faulty({ [fault]: 1 });
  await expect(location.put('k', [new Uint8Array(3)], { signal })).rejects.toMatchObject({ code });
  expect(objects.has('k')).toBe(done);
});

test('breaks its word: keeps a part, stores or reads another bit', async () => {
  const data = new Uint8Array(1000).fill(7);
  const differing = (bytes: Uint8Array): number => bytes.filter((byte) => byte !== 7).length;
  const half = faulty({ halfWritten: 1 });
  await half.location.put('k', [data], { signal });
  expect(half.objects.get('k')!.bytes.byteLength).toBeLessThan(1000);
  const rotten = faulty({ flippedWrite: 1 });
  await rotten.location.put('k', [data], { signal });
  expect(differing(rotten.objects.get('k')!.bytes)).toBe(1);
  const misread = faulty({ flippedRead: 1 });
  await misread.location.put('k', [data], { signal });
  expect(differing(await misread.location.get('k', { signal }))).toBe(1);
  expect(differing(misread.objects.get('k')!.bytes)).toBe(0);
  expect(differing(data)).toBe(0);
});

test('lies in its lists', async () => {
  const { location } = faulty({});
  for (let n = 0; n < 50; n += 1) await location.put(`k/${n}`, [], { signal });
  const listed = async (rates: Partial<FaultRates>): Promise<number> => {
    location.rates = { ...location.rates, listOmits: 0, listRepeats: 0, listInvents: 0, ...rates };
    return (await Array.fromAsync(location.list('k/', { signal }))).length;
  };
  expect(await listed({})).toBe(50);
  expect(await listed({ listOmits: 0.5 })).toBeLessThan(50);
  expect(await listed({ listRepeats: 1 })).toBe(100);
  expect(await listed({ listInvents: 1 })).toBe(100);
});

test('is slow for as long as told', async () => {
  const { location, time } = faulty({ slow: 1 });
  const put = location.put('k', [], { signal });
  await time.advance(4999);
  expect(location.status()).toMatchObject({ state: 'ok' });
  let done = false;
  void put.then(() => (done = true));
  await time.advance(0);
  expect(done).toBe(false);
  await time.advance(1);
  await put;
});

test('goes away and comes back with what it had', async () => {
  const { location } = faulty({});
  await location.put('k', [new Uint8Array(3)], { signal });
  location.removed = true;
  await expect(location.get('k', { signal })).rejects.toMatchObject({ code: 'STORAGE_UNREACHABLE' });
  await expect(Array.fromAsync(location.list('', { signal }))).rejects.toMatchObject({ code: 'STORAGE_UNREACHABLE' });
  expect(location.status().state).toBe('away');
  location.removed = false;
  expect((await location.get('k', { signal })).byteLength).toBe(3);
});

test.each([true, false])('kills its user at a change, done: %s', async (done) => {
  const { location, objects } = faulty({});
  location.killAt = { change: 2, done };
  await location.put('one', [], { signal });
  await expect(location.put('two', [], { signal })).rejects.toThrow(KilledError);
  await expect(location.put('three', [], { signal })).rejects.toThrow(KilledError);
  await expect(location.get('one', { signal })).rejects.toThrow(KilledError);
  expect([...objects.keys()]).toEqual(done ? ['one', 'two'] : ['one']);
});
