import { describe, expect, it } from 'vitest';
import type { CoordinationStore, Session } from '../store.ts';
import { eventually, freshName, untilReachable, WatchedState, within, type StoreHarness } from './harness.ts';

const never = new AbortController().signal;
const lost = { code: 'COORD_SESSION_LOST' };
const away = { code: 'COORD_UNREACHABLE', retryable: true };
/** No call may hang longer than this on a store that does not answer. */
const answerMsMax = 15_000;

/** Asserts that nobody can still act for this session. */
function expectLost(session: Session): void {
  expect(session.signal.aborted, 'the holder was told').toBe(true);
  expect(session.signal.reason).toMatchObject(lost);
  expect(() => session.assertValid()).toThrow(expect.objectContaining(lost));
}

export function describeFaults(harness: StoreHarness): void {
  if (harness.cut !== undefined && harness.restore !== undefined)
    // Each has its own clients, links and names; what they do is wait.
    describe.concurrent('one client cut off', () => describeCut(harness as Required<StoreHarness>));
  if (harness.pause !== undefined && harness.resume !== undefined)
    describe('store stopped', () => describePause(harness as Required<StoreHarness>));
  if (harness.restart !== undefined) describe('store restarted', () => describeUpset(harness, 'restart', () => harness.restart!()));
  if (harness.changeLeader !== undefined)
    describe('leader of the store changed', () => describeUpset(harness, 'leader change', () => harness.changeLeader!()));
  if (harness.compact !== undefined) describe('store compacted', () => describeCompaction(harness as Required<StoreHarness>));
}

function describeCut(harness: Required<StoreHarness>): void {
  const { clock, ttlMs } = harness;

  it('has stopped holding before anyone else can hold', { timeout: 90_000 }, async () => {
    await using stack = new AsyncDisposableStack();
    const holder = stack.use(await harness.open());
    const rival = stack.use(await harness.open());
    const session = stack.use(await holder.openSession({ ttlMs, name: 'holder' }));
    const key = freshName();
    const ticket = await holder.enqueue(key, 'write', session);
    await holder.swap(key, 'held', 'absent', { session });
    const waiting = rival.untilGone(ticket, { signal: never });
    await clock.sleep(ttlMs * 0.3);
    await harness.cut(holder);
    stack.defer(() => harness.restore(holder));
    const cutMs = clock.monotonicMs();
    await within(clock, session.ttlMs * 3 + 5000, 'the place of the holder is gone', waiting);
    expectLost(session);
    expect(clock.monotonicMs() - cutMs, 'the store waited the TTL out').toBeGreaterThan(session.ttlMs * 0.5);
    await eventually(clock, 5000, 'the bound key is gone', async () => (await rival.get(key)) === undefined);
    expect(await rival.isSessionAlive(session.id)).toBe(false);
    await expect(within(clock, answerMsMax, 'a guarded write', holder.swap(key, 'late', 'absent', { session }))).rejects.toMatchObject(
      lost,
    );
  });

  it('says suspended, not lost, while it can not know; and lives on when the cut was short', { timeout: 90_000 }, async () => {
    await using stack = new AsyncDisposableStack();
    const client = stack.use(await harness.open());
    const other = stack.use(await harness.open());
    const session = stack.use(await client.openSession({ ttlMs: ttlMs * 3, name: 'blink' }));
    const key = freshName();
    await client.swap(key, 'held', 'absent', { session });
    await harness.cut(client);
    await clock.sleep(session.ttlMs * 0.3);
    expect(session.state).not.toBe('lost');
    expect(session.signal.aborted).toBe(false);
    await harness.restore(client);
    await clock.sleep(session.ttlMs * 1.3);
    expect(session.state).toBe('live');
    session.assertValid();
    expect(await other.get(key)).toMatchObject({ value: 'held', sessionId: session.id });
  });

  it('fails calls within a bound, and works again with a new session', { timeout: 90_000 }, async () => {
    await using stack = new AsyncDisposableStack();
    const client = stack.use(await harness.open());
    const session = stack.use(await client.openSession({ ttlMs, name: 'before' }));
    await harness.cut(client);
    await expect(within(clock, answerMsMax, 'get', client.get(freshName()))).rejects.toMatchObject(away);
    await expect(within(clock, answerMsMax, 'swap', client.swap(freshName(), 'x', 'absent'))).rejects.toMatchObject(away);
    await eventually(clock, ttlMs * 2, 'the session is over', () => session.signal.aborted);
    expectLost(session);
    await harness.restore(client);
    await using next = await untilReachable(clock, 20_000, () => client.openSession({ ttlMs, name: 'after' }));
    const key = freshName();
    expect((await untilReachable(clock, 10_000, () => client.swap(key, 'x', 'absent', { session: next }))).swapped).toBe(true);
    expectLost(session);
  });

  it('tells a watch all that it missed', { timeout: 90_000 }, async () => {
    await using stack = new AsyncDisposableStack();
    const client = stack.use(await harness.open());
    const writer = stack.use(await harness.open());
    const root = freshName();
    await writer.swap(`${root}/old`, 'old', 'absent');
    await writer.swap(`${root}/changes`, '0', 'absent');
    const watched = stack.use(new WatchedState(client, root));
    await eventually(clock, 10_000, 'a snapshot', () => watched.values.size === 2);
    await harness.cut(client);
    const old = await writer.get(`${root}/old`);
    await writer.remove(`${root}/old`, old!.revision);
    for (let n = 1; n <= 10; n++) {
      const entry = await writer.get(`${root}/changes`);
      await writer.swap(`${root}/changes`, String(n), entry!.revision);
    }
    await clock.sleep(ttlMs * 1.2);
    await writer.swap(`${root}/new`, 'new', 'absent');
    await harness.restore(client);
    await eventually(clock, 30_000, 'what was missed', () => watched.values.has(`${root}/new`));
    expect(Object.fromEntries(watched.values)).toEqual({ [`${root}/changes`]: '10', [`${root}/new`]: 'new' });
    expect(watched.disorder).toEqual([]);
    await watched.end();
  });

  it('goes on waiting for a place across the cut', { timeout: 90_000 }, async () => {
    await using stack = new AsyncDisposableStack();
    const client = stack.use(await harness.open());
    const holder = stack.use(await harness.open());
    const session = stack.use(await holder.openSession({ ttlMs, name: 'holder' }));
    const ticket = await holder.enqueue(freshName(), 'write', session);
    const waiting = client.untilGone(ticket, { signal: never });
    await clock.sleep(100);
    await harness.cut(client);
    await clock.sleep(ttlMs * 0.5);
    await holder.leave(ticket);
    await clock.sleep(ttlMs * 0.7);
    await harness.restore(client);
    await within(clock, 30_000, 'the news of a place left during the cut', waiting);
  });
}

function describePause(harness: Required<StoreHarness>): void {
  const { clock, ttlMs } = harness;

  it('fails calls within a bound and ends validity in time; goes on when the store does', { timeout: 120_000 }, async () => {
    await using stack = new AsyncDisposableStack();
    const client = stack.use(await harness.open());
    const session = stack.use(await client.openSession({ ttlMs, name: 'before' }));
    const root = freshName();
    await client.swap(`${root}/lasting`, 'x', 'absent');
    const watched = stack.use(new WatchedState(client, root));
    await eventually(clock, 10_000, 'a snapshot', () => watched.values.size === 1);
    await harness.pause();
    try {
      const call = client.get(`${root}/lasting`);
      call.catch(() => {});
      await eventually(clock, ttlMs * 2, 'the session is over', () => session.signal.aborted);
      expectLost(session);
      // A store may be able to read while it can not write: then it says the truth.
      const read = call.then(
        (entry) => expect(entry?.value).toBe('x'),
        (error: unknown) => expect(error).toMatchObject(away),
      );
      await within(clock, answerMsMax, 'get', read);
      await expect(within(clock, answerMsMax, 'openSession', client.openSession({ ttlMs, name: 'during' }))).rejects.toMatchObject(away);
      await within(
        clock,
        answerMsMax,
        'close',
        session.close().catch((error: unknown) => expect(error).toMatchObject(away)),
      );
    } finally {
      await harness.resume();
    }
    await using next = await untilReachable(clock, 20_000, () => client.openSession({ ttlMs, name: 'after' }));
    await untilReachable(clock, 10_000, () => client.swap(`${root}/bound`, 'y', 'absent', { session: next }));
    await eventually(clock, 20_000, 'the watch goes on', () => watched.values.get(`${root}/bound`) === 'y');
    expectLost(session);
  });
}

/** What must hold when the store's servers change under its clients. */
function describeUpset(harness: StoreHarness, what: string, upset: () => Promise<void>): void {
  const { clock, ttlMs } = harness;

  it('keeps what was written, never uses a revision or token again', { timeout: 120_000 }, async () => {
    await using client = await harness.open();
    const [key, name] = [freshName(), freshName()];
    const first = await client.swap(key, 'one', 'absent');
    if (!first.swapped) throw new Error('lost');
    const before = await client.openSession({ ttlMs, name: 'before' });
    const { token } = await client.enqueue(name, 'write', before);
    await before.close();
    await upset();
    expect(await untilReachable(clock, 30_000, () => client.get(key))).toMatchObject({ value: 'one', revision: first.revision });
    const second = await untilReachable(clock, 10_000, () => client.swap(key, 'two', first.revision));
    if (second.swapped) expect(second.revision).toBeGreaterThan(first.revision);
    else expect(second.current?.value, 'written, but the reply was lost').toBe('two');
    await using after = await untilReachable(clock, 10_000, () => client.openSession({ ttlMs, name: 'after' }));
    expect((await untilReachable(clock, 10_000, () => client.enqueue(name, 'write', after))).token).toBeGreaterThan(token);
  });

  it('never leaves a session half alive', { timeout: 120_000 }, async () => {
    await using client = await harness.open();
    await using other = await harness.open();
    await using session = await client.openSession({ ttlMs, name: 'through' });
    const key = freshName();
    await client.swap(key, 'bound', 'absent', { session });
    await upset();
    await clock.sleep(session.ttlMs * 2);
    if (session.signal.aborted) {
      expectLost(session);
      await eventually(
        clock,
        ttlMs * 3 + 20_000,
        'the bound key is gone',
        async () => (await untilReachable(clock, 20_000, () => other.get(key))) === undefined,
      );
      return;
    }
    // It lives on: then the store must agree.
    expect(await untilReachable(clock, 20_000, () => other.isSessionAlive(session.id))).toBe(true);
    expect(await untilReachable(clock, 20_000, () => other.get(key))).toMatchObject({ value: 'bound', sessionId: session.id });
    session.assertValid();
  });

  it('goes on telling watches', { timeout: 120_000 }, async () => {
    await using client = await harness.open();
    await using writer = await harness.open();
    const root = freshName();
    await using watched = new WatchedState(client, root);
    await eventually(clock, 10_000, 'a snapshot', () => watched.events.length > 0);
    await writer.swap(`${root}/before`, 'x', 'absent');
    await upset();
    await untilReachable(clock, 30_000, () => writer.swap(`${root}/after`, 'y', 'absent'));
    await eventually(clock, 30_000, `the change after the ${what}`, () => watched.values.has(`${root}/after`));
    expect(Object.fromEntries(watched.values)).toEqual({ [`${root}/before`]: 'x', [`${root}/after`]: 'y' });
    expect(watched.disorder).toEqual([]);
  });

  it('loses no count that was confirmed', { timeout: 120_000 }, async () => {
    await using client = await harness.open();
    await using other = await harness.open();
    const key = freshName();
    await client.swap(key, '0', 'absent');
    const stop = new AbortController();
    const counters = [client, other].map((store) => countUntil(harness, store, key, stop.signal));
    await clock.sleep(200);
    await upset();
    await clock.sleep(500);
    stop.abort();
    const tallies = await Promise.all(counters);
    const confirmed = tallies.reduce((sum, tally) => sum + tally.confirmed, 0);
    const unclear = tallies.reduce((sum, tally) => sum + tally.unclear, 0);
    const value = Number((await untilReachable(clock, 30_000, () => client.get(key)))!.value);
    expect(confirmed).toBeGreaterThan(0);
    expect(value).toBeGreaterThanOrEqual(confirmed);
    expect(value).toBeLessThanOrEqual(confirmed + unclear);
  });
}

async function countUntil(
  harness: StoreHarness,
  store: CoordinationStore,
  key: string,
  stop: AbortSignal,
): Promise<{ confirmed: number; unclear: number }> {
  const tally = { confirmed: 0, unclear: 0 };
  while (!stop.aborted) {
    const entry = await untilReachable(harness.clock, 30_000, () => store.get(key));
    try {
      const result = await store.swap(key, String(Number(entry!.value) + 1), entry!.revision);
      if (result.swapped) tally.confirmed++;
    } catch (error) {
      expect(error).toMatchObject(away);
      tally.unclear++;
      await harness.clock.sleep(20);
    }
  }
  return tally;
}

function describeCompaction(harness: Required<StoreHarness>): void {
  const { clock } = harness;

  it('does not disturb a watch that has seen everything', { timeout: 60_000 }, async () => {
    await using client = await harness.open();
    await using writer = await harness.open();
    const root = freshName();
    await using watched = new WatchedState(client, root);
    await writer.swap(`${root}/a`, 'x', 'absent');
    await eventually(clock, 10_000, 'the first change', () => watched.values.size === 1);
    await harness.compact();
    await writer.swap(`${root}/b`, 'y', 'absent');
    await eventually(clock, 10_000, 'the second change', () => watched.values.size === 2);
    expect(watched.snapshots[0]).toBe('start');
  });

  if (harness.cut === undefined || harness.restore === undefined) return;
  it('gives a watch that was away during it the present state as one snapshot', { timeout: 60_000 }, async () => {
    await using stack = new AsyncDisposableStack();
    const client = stack.use(await harness.open());
    const writer = stack.use(await harness.open());
    const root = freshName();
    await writer.swap(`${root}/old`, 'x', 'absent');
    const watched = stack.use(new WatchedState(client, root));
    await eventually(clock, 10_000, 'a snapshot', () => watched.values.size === 1);
    await harness.cut(client);
    await writer.remove(`${root}/old`, (await writer.get(`${root}/old`))!.revision);
    await writer.swap(`${root}/kept`, 'y', 'absent');
    await harness.compact();
    await clock.sleep(harness.ttlMs);
    await harness.restore(client);
    await eventually(clock, 30_000, 'the present state', () => watched.values.has(`${root}/kept`));
    expect(Object.fromEntries(watched.values)).toEqual({ [`${root}/kept`]: 'y' });
    expect(watched.snapshots[0]).toBe('start');
    expect(['compacted', 'reconnected']).toContain(watched.snapshots.at(-1));
    await writer.swap(`${root}/later`, 'z', 'absent');
    await eventually(clock, 10_000, 'what comes after it', () => watched.values.has(`${root}/later`));
  });
}
