import { expect, test } from 'vitest';
import { silentLogger } from '../../core/logger.ts';
import { SimulatedTime, seededRandom } from '../../sim/index.ts';
import { MemoryLocation, type MemoryObjects } from '../adapters/memory/index.ts';
import { describeLocationContract, memoryHarness } from '../contract.ts';
import { busy, denied } from '../failures.ts';
import type { Location } from '../location.ts';
import { type FaultRates, FaultyLocation } from '../testing/faulty.ts';
import { retry, type RetryPolicy } from './retry.ts';

const signal = new AbortController().signal;
const policy: RetryPolicy = { attemptsMax: 5, timeMaxMs: 60_000, pauseMs: 100, pauseMsMax: 1000 };

function scene(rates: Partial<FaultRates> = {}, seed = 'retry') {
  const time = new SimulatedTime();
  const clock = time.clock();
  const runtime = { clock, random: seededRandom(seed), logger: silentLogger };
  const objects: MemoryObjects = new Map();
  const faulty = new FaultyLocation(
    new MemoryLocation('far', { clock }, objects),
    { clock, random: seededRandom(`${seed}-faults`) },
    { rates },
  );
  return { time, clock, objects, faulty, runtime, location: retry(faulty, runtime, policy) };
}

/** Runs a call on simulated time. */
async function settled<T>(time: SimulatedTime, call: Promise<T>): Promise<T> {
  let done = false;
  const end = (): void => void (done = true);
  call.then(end, end);
  await time.runUntil(() => done);
  return await call;
}

const text = (content: string): Uint8Array[] => [new TextEncoder().encode(content)];

const memory = memoryHarness();
describeLocationContract('a retried location', {
  ...memory,
  bigBytes: 1_000_000,
  manyKeys: 50,
  open: async () => retry(await memory.open(), { clock: memory.clock, random: seededRandom(1), logger: silentLogger }),
});

test('every call gets through a bad connection, and what was put is there', async () => {
  for (let seed = 0; seed < 20; seed += 1) {
    const { time, location, objects } = scene({ cutBefore: 0.15, cutAfter: 0.15, busy: 0.1 }, `bad-${seed}`);
    const outcome = async (n: number): Promise<string> => {
      const key = `k/${n}`;
      await location.put(key, text(key), { signal, ifAbsent: n % 2 === 0 });
      expect(new TextDecoder().decode(await location.get(key, { signal }))).toBe(key);
      expect((await location.stat(key, { signal }))?.sizeBytes).toBe(key.length);
      if (n % 5 === 0) await location.remove(key, { signal });
      return 'done';
    };
    const results = await settled(time, Promise.allSettled(Array.from({ length: 20 }, (_, n) => outcome(n))));
    // Five failures in a row are rare and allowed; nothing else is.
    for (const result of results) if (result.status === 'rejected') expect(result.reason).toMatchObject({ retryable: true });
    expect(results.filter(({ status }) => status === 'fulfilled').length).toBeGreaterThan(10);
    for (const [n, result] of results.entries()) if (result.status === 'fulfilled') expect(objects.has(`k/${n}`)).toBe(n % 5 !== 0);
  }
});

test('ends with the last error after so many tries, whose pauses grow and are drawn by chance', async () => {
  const spent = new Set<number>();
  for (let seed = 0; seed < 50; seed += 1) {
    const { time, location, faulty } = scene({ busy: 1 }, `pauses-${seed}`);
    await expect(settled(time, location.put('k', [], { signal }))).rejects.toMatchObject({ code: 'STORAGE_BUSY' });
    expect(faulty.changes).toBe(policy.attemptsMax);
    // At most 100 + 200 + 400 + 800 ms.
    expect(time.nowMs).toBeLessThanOrEqual(1500);
    spent.add(Math.round(time.nowMs));
  }
  expect(spent.size).toBeGreaterThan(40);
  expect(Math.max(...spent)).toBeGreaterThan(750);
  expect(Math.min(...spent)).toBeLessThan(750);
});

test('ends when the time is over, however many tries are left', async () => {
  const { time, faulty, runtime } = scene({ busy: 1 });
  const patient = retry(faulty, runtime, { attemptsMax: 1000, timeMaxMs: 5000, pauseMs: 100, pauseMsMax: 1000 });
  await expect(settled(time, patient.stat('k', { signal }))).rejects.toMatchObject({ code: 'STORAGE_BUSY' });
  expect(time.nowMs).toBeLessThanOrEqual(5000);
  expect(time.nowMs).toBeGreaterThan(3000);
});

test('does not repeat what can not get better, and ends at once with its signal', async () => {
  const { time, location, faulty } = scene();
  let calls = 0;
  faulty.stat = async () => {
    calls += 1;
    throw denied('far', 'no');
  };
  await expect(location.stat('k', { signal })).rejects.toMatchObject({ code: 'STORAGE_DENIED' });
  expect(calls).toBe(1);
  faulty.stat = async () => {
    throw busy('far', 'later');
  };
  const abort = new AbortController();
  const reason = new Error('not wanted any more');
  const call = location.stat('k', { signal: abort.signal });
  await time.advance(1);
  abort.abort(reason);
  await expect(call).rejects.toBe(reason);
});

test('a creation whose answer was lost is known again by its bytes', async () => {
  const { time, location, faulty, objects } = scene({ cutAfter: 1 });
  const put = location.put('lock', text('mine'), { signal, ifAbsent: true });
  await time.advance(0);
  expect(objects.has('lock')).toBe(true);
  faulty.rates = { ...faulty.rates, cutAfter: 0 };
  await settled(time, put);
});

test.each([
  ['of other bytes', 'his!'],
  ['of another length', 'somebody else'],
])('a creation that failed does not take for its own an object %s', async (_, other) => {
  const { time, location, faulty, objects } = scene({ cutBefore: 1 });
  const put = location.put('lock', text('mine'), { signal, ifAbsent: true });
  const refused = put.catch((error: unknown) => error);
  await time.advance(0);
  objects.set('lock', { bytes: text(other)[0]!, modifiedMs: 0 });
  faulty.rates = { ...faulty.rates, cutBefore: 0 };
  await time.runUntilIdle();
  expect(await refused).toMatchObject({ code: 'STORAGE_EXISTS' });
  expect(new TextDecoder().decode(objects.get('lock')!.bytes)).toBe(other);
});

test('a creation that was refused at once is refused, whatever the bytes', async () => {
  const { location, objects } = scene();
  objects.set('lock', { bytes: text('mine')[0]!, modifiedMs: 0 });
  await expect(location.put('lock', text('mine'), { signal, ifAbsent: true })).rejects.toMatchObject({ code: 'STORAGE_EXISTS' });
});

test('a list that breaks goes on: each object once', async () => {
  let ended = 0;
  for (let seed = 0; seed < 10; seed += 1) {
    const { time, location, objects } = scene({ cutAfter: 0.02 }, `list-${seed}`);
    for (let n = 0; n < 60; n += 1) objects.set(`k/${n}`, { bytes: new Uint8Array(n), modifiedMs: 0 });
    const listed = await settled(time, Array.fromAsync(location.list('k/', { signal }))).catch(() => undefined);
    if (listed === undefined) continue;
    ended += 1;
    expect(listed.map(({ key }) => key).toSorted()).toEqual([...objects.keys()].toSorted());
  }
  expect(ended).toBeGreaterThan(5);
});

test('a location that was given up is tried once by each call, until one succeeds', async () => {
  const { time, location, faulty } = scene();
  faulty.removed = true;
  let calls = 0;
  const stat = faulty.stat.bind(faulty);
  faulty.stat = (...args) => {
    calls += 1;
    return stat(...args);
  };
  const look = (): Promise<unknown> => settled(time, location.stat('k', { signal })).catch((error: unknown) => error);
  expect(await look()).toMatchObject({ code: 'STORAGE_UNREACHABLE' });
  expect(calls).toBe(policy.attemptsMax);
  const givenUpAtMs = time.nowMs;
  for (let n = 1; n <= 3; n += 1) {
    expect(await look()).toMatchObject({ code: 'STORAGE_UNREACHABLE' });
    expect(calls).toBe(policy.attemptsMax + n);
  }
  expect(time.nowMs, 'nobody waited').toBe(givenUpAtMs);
  faulty.removed = false;
  await expect(location.get('k', { signal })).rejects.toMatchObject({ code: 'STORAGE_NOT_FOUND' });
  faulty.removed = true;
  calls = 0;
  await look();
  expect(calls).toBe(policy.attemptsMax);
});

test('a location that is busy is not given up', async () => {
  const { time, location, faulty } = scene({ busy: 1 });
  for (let n = 1; n <= 2; n += 1) {
    await expect(settled(time, location.put('k', [], { signal }))).rejects.toMatchObject({ code: 'STORAGE_BUSY' });
    expect(faulty.changes).toBe(n * policy.attemptsMax);
  }
});

test('a draft is begun, added to and named again where that may help; without drafts there are none', async () => {
  const { time, faulty, runtime } = scene();
  expect(retry(faulty, runtime, policy).draft).toBeUndefined();
  const calls: string[] = [];
  const second = (call: string): void => {
    calls.push(call);
    if (calls.filter((one) => one === call).length === 1) throw busy('far', undefined);
  };
  const draft: Location['draft'] = async () => {
    second('draft');
    return {
      append: async (bytes) => second(`append ${bytes.byteLength}`),
      put: async (key) => {
        second(`put ${key}`);
        if (key === 'denied') throw denied('far', undefined);
      },
      [Symbol.asyncDispose]: async () => void calls.push('given up'),
    };
  };
  const location = retry(Object.assign(Object.create(faulty) as Location, { draft }), runtime, policy);
  await settled(
    time,
    (async () => {
      await using begun = await location.draft!({ signal });
      await begun.append(text('four')[0]!, { signal });
      await expect(begun.put('denied', { signal })).rejects.toMatchObject({ code: 'STORAGE_DENIED' });
      await begun.put('k', { signal });
    })(),
  );
  const twice = (call: string): string[] => [call, call];
  expect(calls).toEqual([...twice('draft'), ...twice('append 4'), ...twice('put denied'), ...twice('put k'), 'given up']);
});
