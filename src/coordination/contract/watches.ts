import { expect, it } from 'vitest';
import type { CoordinationStore, Expectation } from '../store.ts';
import { eventually, freshName, isSettled, WatchedState, within, type StoreHarness } from './harness.ts';

/** Writes whatever is there now. */
async function put(store: CoordinationStore, key: string, value: string): Promise<void> {
  for (let expectation: Expectation = 'absent'; ;) {
    const result = await store.swap(key, value, expectation);
    if (result.swapped) return;
    expectation = result.current?.revision ?? 'absent';
  }
}

async function drop(store: CoordinationStore, key: string): Promise<void> {
  for (;;) {
    const entry = await store.get(key);
    if (entry === undefined || (await store.remove(key, entry.revision))) return;
  }
}

export function describeWatches(harness: StoreHarness): void {
  const { clock, ttlMs } = harness;
  const limitMs = 10_000;

  it('begins with a snapshot of the key and all below it, and nothing beside it', async () => {
    await using store = await harness.open();
    const root = freshName();
    for (const key of ['a', 'a/b', 'a/b/c', 'ab', 'a-b', 'b']) await put(store, `${root}/${key}`, key);
    await using watched = new WatchedState(store, `${root}/a`);
    await eventually(clock, limitMs, 'a snapshot', () => watched.events.length > 0);
    expect(watched.snapshots).toEqual(['start']);
    expect([...watched.values.values()].toSorted()).toEqual(['a', 'a/b', 'a/b/c']);
    await put(store, `${root}/ab`, 'neighbour');
    await put(store, `${root}/a/new`, 'new');
    await eventually(clock, limitMs, 'the new key', () => watched.values.has(`${root}/a/new`));
    expect(watched.values.has(`${root}/ab`)).toBe(false);
    await watched.end();
  });

  it('begins with an empty snapshot where there is nothing', async () => {
    await using store = await harness.open();
    await using watched = new WatchedState(store, freshName());
    await eventually(clock, limitMs, 'a snapshot', () => watched.events.length > 0);
    expect(watched.events).toEqual([{ type: 'snapshot', entries: [], reason: 'start' }]);
  });

  it('tells of changes by any client, in order, with what get would say', async () => {
    await using store = await harness.open();
    await using writer = await harness.open();
    const key = freshName();
    await using watched = new WatchedState(store, key);
    await eventually(clock, limitMs, 'a snapshot', () => watched.events.length > 0);
    await put(writer, key, 'one');
    await eventually(clock, limitMs, 'the first value', () => watched.values.get(key) === 'one');
    await put(writer, key, 'two');
    await eventually(clock, limitMs, 'the second value', () => watched.values.get(key) === 'two');
    const entry = await writer.get(key);
    expect(watched.events.findLast((event) => event.type === 'put')).toEqual({ type: 'put', entry });
    await writer.remove(key, entry!.revision);
    await eventually(clock, limitMs, 'the deletion', () => !watched.values.has(key));
    const deletion = watched.events.at(-1);
    if (deletion?.type !== 'deleted') throw new Error('the last event is no deletion');
    expect(deletion.key).toBe(key);
    expect(deletion.revision).toBeGreaterThan(entry!.revision);
    expect(watched.disorder).toEqual([]);
  });

  it('tells when a bound key vanishes with its session, and whose it was', async () => {
    await using store = await harness.open();
    await using holder = await harness.open();
    const key = freshName();
    await using watched = new WatchedState(store, key);
    const session = await holder.openSession({ ttlMs, name: 'bound' });
    await holder.swap(`${key}/member`, 'here', 'absent', { session });
    await eventually(clock, limitMs, 'the bound key', () => watched.values.has(`${key}/member`));
    const shown = watched.events.flatMap((event) =>
      event.type === 'put' ? [event.entry] : event.type === 'snapshot' ? event.entries : [],
    );
    expect(shown.find((entry) => entry.key === `${key}/member`)?.sessionId).toBe(session.id);
    await session.close();
    await eventually(clock, limitMs, 'its end', () => !watched.values.has(`${key}/member`));
    await watched.end();
  });

  it('loses nothing while several clients write, whenever the watch began', { timeout: 60_000 }, async () => {
    await using store = await harness.open();
    await using one = await harness.open();
    await using two = await harness.open();
    const root = freshName();
    const writing = Promise.all(
      [one, two].map(async (client, writer) => {
        for (let n = 0; n < 60; n++) {
          const key = `${root}/${writer}/${n % 5}`;
          if (n % 7 === 3) await drop(client, key);
          else await put(client, key, `${writer}:${n}`);
        }
      }),
    );
    await using stack = new AsyncDisposableStack();
    const watches: WatchedState[] = [];
    for (let n = 0; n < 4; n++) {
      watches.push(stack.use(new WatchedState(store, root)));
      await clock.sleep(15);
    }
    await writing;
    await put(one, `${root}/end`, 'end');
    const truth = Object.fromEntries((await two.list(root)).map((entry) => [entry.key, entry.value]));
    for (const watched of watches) {
      await eventually(clock, limitMs, 'the last write', () => watched.values.has(`${root}/end`));
      expect(Object.fromEntries(watched.values)).toEqual(truth);
      expect(watched.disorder).toEqual([]);
    }
  });

  it('delivers to a slow reader the true state in the end', { timeout: 60_000 }, async () => {
    await using store = await harness.open();
    await using writer = await harness.open();
    const root = freshName();
    const abort = new AbortController();
    const events = store.watch(root, { signal: abort.signal })[Symbol.asyncIterator]();
    await events.next();
    for (let n = 0; n < 300; n++) await put(writer, `${root}/${n % 3}`, String(n));
    await put(writer, `${root}/end`, 'end');
    const values = new Map<string, string>();
    while (!values.has(`${root}/end`)) {
      const { value: event, done } = await within(clock, limitMs, 'the next event', events.next());
      if (done === true) throw new Error('the watch ended');
      if (event.type === 'snapshot') {
        values.clear();
        for (const entry of event.entries) values.set(entry.key, entry.value);
      } else if (event.type === 'put') values.set(event.entry.key, event.entry.value);
      else values.delete(event.key);
    }
    expect(Object.fromEntries(values)).toEqual({
      [`${root}/0`]: '297',
      [`${root}/1`]: '298',
      [`${root}/2`]: '299',
      [`${root}/end`]: 'end',
    });
    abort.abort();
    expect((await within(clock, limitMs, 'the end', events.next())).done).toBe(true);
  });

  it('ends quietly with its signal, at once, even when it was over before', async () => {
    await using store = await harness.open();
    const watched = new WatchedState(store, freshName());
    await eventually(clock, limitMs, 'a snapshot', () => watched.events.length > 0);
    await within(clock, 1000, 'the end', watched.end());
    const over = store.watch(freshName(), { signal: AbortSignal.abort(new Error('over before')) });
    for await (const event of over) throw new Error(`an event after the end: ${event.type}`);
  });

  it('lets its reader leave the loop', async () => {
    await using store = await harness.open();
    const leave = async (): Promise<void> => {
      for await (const event of store.watch(freshName(), { signal: new AbortController().signal })) {
        expect(event.type).toBe('snapshot');
        break;
      }
    };
    await within(clock, 2000, 'leaving the loop', leave());
  });

  it('ends with its client', async () => {
    const store = await harness.open();
    await using watched = new WatchedState(store, freshName());
    await eventually(clock, limitMs, 'a snapshot', () => watched.events.length > 0);
    await store[Symbol.asyncDispose]();
    expect(await isSettled(clock, watched.end(), 1000)).toBe(true);
  });
}
