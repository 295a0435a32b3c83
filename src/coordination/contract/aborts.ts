import { expect, it } from 'vitest';
import type { CoordinationStore, OwnTicket, Session } from '../store.ts';
import { freshName, within, type StoreHarness } from './harness.ts';

interface Scene {
  readonly store: CoordinationStore;
  readonly session: Session;
  readonly ticket: OwnTicket;
  readonly key: string;
  readonly revision: bigint;
}

/** Every call that takes a signal, on a scene where it would succeed. */
const calls: Readonly<Record<string, (scene: Scene, signal: AbortSignal) => Promise<unknown>>> = {
  openSession: ({ store, session }, signal) => store.openSession({ ttlMs: session.ttlMs, name: 'aborted', signal }),
  isSessionAlive: ({ store, session }, signal) => store.isSessionAlive(session.id, { signal }),
  get: ({ store, key }, signal) => store.get(key, { signal }),
  list: ({ store, key }, signal) => store.list(key, { signal }),
  swap: ({ store, key, revision }, signal) => store.swap(key, 'changed', revision, { signal }),
  'swap with a session': ({ store, key, session }, signal) => store.swap(`${key}/bound`, 'created', 'absent', { session, signal }),
  remove: ({ store, key, revision }, signal) => store.remove(key, revision, { signal }),
  enqueue: ({ store, key, session }, signal) => store.enqueue(key, 'write', session, { signal }),
  queue: ({ store, key }, signal) => store.queue(key, { signal }),
  leave: ({ store, ticket }, signal) => store.leave(ticket, { signal }),
  untilGone: ({ store, ticket }, signal) => store.untilGone(ticket, { signal }),
};

async function setScene(harness: StoreHarness, store: CoordinationStore, stack: AsyncDisposableStack): Promise<Scene> {
  const key = freshName();
  const session = stack.use(await store.openSession({ ttlMs: harness.ttlMs, name: 'scene' }));
  const created = await store.swap(key, 'original', 'absent');
  if (!created.swapped) throw new Error('lost');
  return { store, session, key, revision: created.revision, ticket: await store.enqueue(key, 'write', session) };
}

export function describeAborts(harness: StoreHarness): void {
  const reason = new Error('not wanted any more');

  it.each(Object.keys(calls))('%s does nothing when its signal is over before', async (name) => {
    await using stack = new AsyncDisposableStack();
    const store = stack.use(await harness.open());
    const scene = await setScene(harness, store, stack);
    await expect(calls[name]!(scene, AbortSignal.abort(reason))).rejects.toBe(reason);
    await harness.clock.sleep(50);
    expect(await store.get(scene.key)).toMatchObject({ value: 'original', revision: scene.revision });
    expect(await store.list(scene.key)).toEqual([]);
    expect((await store.queue(scene.key)).map((ticket) => ticket.order)).toEqual([scene.ticket.order]);
  });

  it.each(Object.keys(calls))('%s can be aborted right after the call, and leaves all well', async (name) => {
    await using stack = new AsyncDisposableStack();
    const store = stack.use(await harness.open());
    const scene = await setScene(harness, store, stack);
    const abort = new AbortController();
    const call = calls[name]!(scene, abort.signal);
    abort.abort(reason);
    // It may have been done, or not; but it answers at once, and the client goes on working.
    await within(
      harness.clock,
      2000,
      name,
      call.catch((error: unknown) => expect(error).toBe(reason)),
    );
    expect(typeof (await store.isSessionAlive(scene.session.id))).toBe('boolean');
    const probe = freshName();
    expect((await store.swap(probe, 'x', 'absent')).swapped).toBe(true);
  });

  if (harness.pause === undefined || harness.resume === undefined) return;
  it.each(Object.keys(calls))('%s can be aborted while the store does not answer', { timeout: 60_000 }, async (name) => {
    await using stack = new AsyncDisposableStack();
    const store = stack.use(await harness.open());
    const scene = await setScene(harness, store, stack);
    await harness.pause!();
    try {
      const abort = new AbortController();
      const call = calls[name]!(scene, abort.signal);
      call.catch(() => {});
      await harness.clock.sleep(50);
      abort.abort(reason);
      // A store may be able to read while it can not write; then there was an answer before.
      await within(
        harness.clock,
        1000,
        name,
        call.catch((error: unknown) => expect(error).toBe(reason)),
      );
    } finally {
      await harness.resume!();
    }
  });
}
