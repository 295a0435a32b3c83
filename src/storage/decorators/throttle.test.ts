import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SimulatedTime } from '../../sim/index.ts';
import { MemoryLocation } from '../adapters/memory/index.ts';
import { describeLocationContract, memoryHarness } from '../contract.ts';
import { throttle } from './throttle.ts';
import { TokenBucket } from './token-bucket.ts';

const signal = new AbortController().signal;

const memory = memoryHarness();
describeLocationContract('a throttled location', {
  ...memory,
  bigBytes: 1_000_000,
  manyKeys: 50,
  open: async () => throttle(await memory.open(), { upload: 10 ** 10, download: 10 ** 10 }, memory),
});

test('Safety: no stretch of time sees more bytes than the rate allows, the burst and the last object', async () => {
  const rate = 1000;
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ afterMs: fc.nat(3000), sizeBytes: fc.nat(5000) }), { minLength: 1, maxLength: 30 }),
      async (takes) => {
        const time = new SimulatedTime();
        const clock = time.clock();
        const bucket = new TokenBucket(rate, clock);
        const begun: { atMs: number; sizeBytes: number }[] = [];
        for (const { afterMs, sizeBytes } of takes) {
          await time.advance(afterMs);
          void bucket.take(sizeBytes, signal).then(() => begun.push({ atMs: clock.monotonicMs(), sizeBytes }));
        }
        await time.advance(takes.length * 5000);
        expect(begun).toHaveLength(takes.length);
        expect(
          begun.map(({ sizeBytes }) => sizeBytes),
          'in their order',
        ).toEqual(takes.map(({ sizeBytes }) => sizeBytes));
        for (const [first, { atMs: fromMs }] of begun.entries()) {
          let sum = 0;
          for (const { atMs, sizeBytes } of begun.slice(first)) {
            expect(sum).toBeLessThanOrEqual(((atMs - fromMs + 1000) * rate) / 1000 + 1);
            sum += sizeBytes;
          }
        }
      },
    ),
    { numRuns: 50 },
  );
});

test('holds the rate over time, and lets a lone object go at once', async () => {
  const time = new SimulatedTime();
  const clock = time.clock();
  const location = throttle(new MemoryLocation('far', { clock }), { upload: 1000, download: 500 }, { clock });
  await location.put('k', [new Uint8Array(1000)], { signal });
  expect(time.nowMs).toBe(0);
  const puts = Promise.all(
    Array.from({ length: 10 }, (_, n) => location.put(`k/${n}`, [new Uint8Array(500), new Uint8Array(500)], { signal })),
  );
  await time.advance(9000);
  await puts;
  const gets = Promise.all([
    location.get('k', { signal }),
    location.get('k', { signal, range: { offset: 0, sizeBytes: 500 } }),
    location.get('k', { signal }),
  ]);
  let read = false;
  void gets.then(() => (read = true));
  await time.advance(1999);
  expect(read).toBe(false);
  await time.advance(2);
  await gets;
});

test('who gives up gives back its turn', async () => {
  const time = new SimulatedTime();
  const clock = time.clock();
  const location = throttle(new MemoryLocation('far', { clock }), { upload: 1 }, { clock });
  await location.put('k', [new Uint8Array(10)], { signal });
  const abort = new AbortController();
  const reason = new Error('not wanted any more');
  const given = location.put('k', [new Uint8Array(1000)], { signal: abort.signal });
  await time.advance(1);
  abort.abort(reason);
  await expect(given).rejects.toBe(reason);
  const next = location.put('k', [new Uint8Array(1)], { signal });
  await time.advance(10_000);
  await next;
});

test('without limits it is the location itself; one way may be free', async () => {
  const time = new SimulatedTime();
  const clock = time.clock();
  const inner = new MemoryLocation('far', { clock });
  expect(throttle(inner, {}, { clock })).toBe(inner);
  const location = throttle(inner, { upload: 1 }, { clock });
  await location.put('k', [new Uint8Array(1000)], { signal });
  for (let n = 0; n < 5; n += 1) await location.get('k', { signal });
  expect(time.nowMs).toBe(0);
  expect(() => new TokenBucket(0, clock)).toThrow(RangeError);
});
