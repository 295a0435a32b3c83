import { expect, test } from 'vitest';
import { loadAhead, loadsAtOnceMax } from './load-ahead.ts';

async function* count(to: number): AsyncGenerator<number> {
  for (let n = 0; n < to; n += 1) yield n;
}

/** Loads that end when they are told to, the last begun first. */
function createStore() {
  const waiting: (() => void)[] = [];
  const store = {
    underWay: 0,
    mostUnderWay: 0,
    load: async (item: number): Promise<number> => {
      store.underWay += 1;
      store.mostUnderWay = Math.max(store.mostUnderWay, store.underWay);
      await new Promise<void>((resolve) => waiting.push(resolve));
      store.underWay -= 1;
      return item * 10;
    },
    /** Until nothing has been asked for during a turn of the loop. */
    serve: async (): Promise<void> => {
      for (let idle = 0; idle < 3; idle += 1) {
        await new Promise((resolve) => setImmediate(resolve));
        if (waiting.length > 0) idle = 0;
        waiting.pop()?.();
      }
    },
  };
  return store;
}

test('many at once, no more than the bound, in the order of the items', async () => {
  const store = createStore();
  const [values] = await Promise.all([Array.fromAsync(loadAhead(count(100), store.load)), store.serve()]);
  expect(values).toEqual(Array.from({ length: 100 }, (_, n) => n * 10));
  expect(store.mostUnderWay).toBe(loadsAtOnceMax);
});

test('a failure comes in its place, and what is under way has ended by then', async () => {
  const store = createStore();
  const load = (item: number): Promise<number> => (item === 5 ? Promise.reject(new Error('the fifth')) : store.load(item));
  const seen: number[] = [];
  const reading = (async () => {
    for await (const value of loadAhead(count(100), load)) seen.push(value);
  })();
  await Promise.all([expect(reading).rejects.toThrow('the fifth'), store.serve()]);
  expect(seen).toEqual([0, 10, 20, 30, 40]);
  expect(store.underWay).toBe(0);
});

test('whoever has enough waits for what is under way, and asks for no more', async () => {
  const store = createStore();
  const first = (async () => {
    for await (const value of loadAhead(count(100), store.load)) return value;
    return undefined;
  })();
  await store.serve();
  expect(await first).toBe(0);
  expect(store.underWay).toBe(0);
  expect(store.mostUnderWay).toBe(loadsAtOnceMax);
});
