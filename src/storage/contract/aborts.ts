import { expect, it } from 'vitest';
import type { Location } from '../location.ts';
import { collect, expectSame, freshKey, keysOf, type LocationHarness, noise, read, signal as never, text } from './harness.ts';

type Call = (location: Location, key: string, signal: AbortSignal) => Promise<unknown>;

/** Every call that takes a signal, on an object that is there. */
const calls: Readonly<Record<string, Call>> = {
  put: (location, key, signal) => location.put(key, text('changed'), { signal }),
  'put if absent': (location, key, signal) => location.put(`${key}-new`, text('changed'), { signal, ifAbsent: true }),
  get: (location, key, signal) => location.get(key, { signal }),
  'get a part': (location, key, signal) => location.get(key, { signal, range: { offset: 0, sizeBytes: 2 } }),
  stat: (location, key, signal) => location.stat(key, { signal }),
  list: (location, _key, signal) => collect(location.list('contract/', { signal })),
  remove: (location, key, signal) => location.remove(key, { signal }),
};

const cutBytes = 4 * 1024 * 1024;
/** When a put of so many bytes is cut: at once, and after so many milliseconds. */
const cutsAfterMs = [0, 1, 2, 5, 10, 20, 40];

export function describeAborts(harness: LocationHarness): void {
  const reason = new Error('not wanted any more');

  it.each(Object.keys(calls))('%s does nothing when its signal is over before', async (name) => {
    await using location = await harness.open();
    const key = freshKey();
    await location.put(key, text('original'), { signal: never });
    await expect(calls[name]!(location, key, AbortSignal.abort(reason))).rejects.toBe(reason);
    expect(await read(location, key)).toBe('original');
    expect(await location.stat(`${key}-new`, { signal: never })).toBeUndefined();
  });

  it.each(Object.keys(calls))('%s can be aborted right after the call, and the location goes on', async (name) => {
    await using location = await harness.open();
    const key = freshKey();
    await location.put(key, text('original'), { signal: never });
    const abort = new AbortController();
    const call = calls[name]!(location, key, abort.signal);
    abort.abort(reason);
    await call.catch((error: unknown) => expect(error).toBe(reason));
    const probe = freshKey();
    await location.put(probe, text('probe'), { signal: never });
    expect(await read(location, probe)).toBe('probe');
  });

  it('shows nothing of a put that was cut, to anybody', { timeout: 60_000 }, async () => {
    await using location = await harness.open();
    await using other = await harness.open();
    const root = freshKey();
    const data = noise(cutBytes);
    let cut = 0;
    for (const [n, delayMs] of cutsAfterMs.entries()) {
      const key = `${root}/${n}`;
      const abort = new AbortController();
      const ended = location.put(key, [data], { signal: abort.signal, ifAbsent: n % 2 === 0 }).then(
        () => 'done',
        (error: unknown) => error,
      );
      if (delayMs > 0) await harness.clock.sleep(delayMs);
      abort.abort(reason);
      const how = await ended;
      if (how !== 'done') expect(how).toBe(reason);
      cut += how === 'done' ? 0 : 1;
      // It may have been done all the same; then it is whole.
      const info = await other.stat(key, { signal: never });
      if (how === 'done' || info !== undefined) expectSame(await other.get(key, { signal: never }), data);
    }
    expect(cut).toBeGreaterThan(0);
    for (const { sizeBytes } of await collect(other.list(`${root}/`, { signal: never }))) expect(sizeBytes).toBe(cutBytes);
  });

  it('leaves the old object where replacing it was cut', { timeout: 60_000 }, async () => {
    await using location = await harness.open();
    const key = freshKey();
    const [old, next] = [noise(100_000), noise(cutBytes)];
    await location.put(key, [old], { signal: never });
    const abort = new AbortController();
    const put = location.put(key, [next], { signal: abort.signal });
    abort.abort(reason);
    await expect(put).rejects.toBe(reason);
    // What was under way may still arrive, whole.
    const found = await location.get(key, { signal: never });
    expectSame(found, found.byteLength === cutBytes ? next : old);
    expect(await keysOf(location, `${key}/`)).toEqual([]);
  });

  it('ends a list that is under way', async () => {
    await using location = await harness.open();
    const root = freshKey();
    for (const name of ['1', '2', '3']) await location.put(`${root}/${name}`, text(name), { signal: never });
    const abort = new AbortController();
    const listing = (async () => {
      for await (const _ of location.list(`${root}/`, { signal: abort.signal })) abort.abort(reason);
    })();
    await expect(listing).rejects.toBe(reason);
  });
}
