import { expect, it } from 'vitest';
import { VALIDITY_SHARE } from '../validity.ts';
import { eventually, freshName, within, type StoreHarness } from './harness.ts';

export function describeSessions(harness: StoreHarness): void {
  const { clock, ttlMs } = harness;
  const lost = { code: 'COORD_SESSION_LOST' };

  it('opens sessions with their own names for ever, valid for less than their TTL', async () => {
    await using store = await harness.open();
    const beforeMs = clock.monotonicMs();
    await using first = await store.openSession({ ttlMs, name: 'first' });
    await using second = await store.openSession({ ttlMs, name: 'second' });
    const nowMs = clock.monotonicMs();
    expect(first.id).not.toBe(second.id);
    expect(first.id).not.toBe('');
    for (const session of [first, second]) {
      expect(session.state).toBe('live');
      expect(session.signal.aborted).toBe(false);
      session.assertValid();
      // Less a tick of the boot clock, which validity looks at too (10 ms fine).
      expect(session.validUntilMs).toBeGreaterThanOrEqual(beforeMs + session.ttlMs * VALIDITY_SHARE - 20);
      expect(session.validUntilMs).toBeLessThanOrEqual(nowMs + session.ttlMs * VALIDITY_SHARE);
      expect(await store.isSessionAlive(session.id)).toBe(true);
    }
  });

  it('lets an abandoned session end with its TTL, also when its client is gone', { timeout: 60_000 }, async () => {
    await using other = await harness.open();
    const store = await harness.open();
    const session = await store.openSession({ ttlMs, name: 'abandoned' });
    const key = freshName();
    await store.swap(key, 'bound', 'absent', { session });
    session.abandon();
    expect([session.state, session.signal.aborted]).toEqual(['lost', true]);
    await session.close();
    await store[Symbol.asyncDispose]();
    expect(await other.isSessionAlive(session.id)).toBe(true);
    expect(await other.get(key)).toMatchObject({ value: 'bound' });
    await eventually(clock, session.ttlMs * 4, 'its end', async () => !(await other.isSessionAlive(session.id)));
    expect(await other.get(key)).toBeUndefined();
  });

  it('keeps a session alive far beyond its TTL', { timeout: 60_000 }, async () => {
    await using store = await harness.open();
    await using other = await harness.open();
    await using session = await store.openSession({ ttlMs, name: 'long' });
    const key = freshName();
    await store.swap(key, 'bound', 'absent', { session });
    const untilMs = session.validUntilMs;
    await clock.sleep(session.ttlMs * 2.2);
    expect(session.state).toBe('live');
    expect(session.signal.aborted).toBe(false);
    session.assertValid();
    expect(session.validUntilMs).toBeGreaterThan(untilMs);
    expect(await other.isSessionAlive(session.id)).toBe(true);
    expect(await other.get(key)).toMatchObject({ value: 'bound', sessionId: session.id });
  });

  it('lets bound keys vanish when the session is closed, and no others', async () => {
    await using store = await harness.open();
    await using other = await harness.open();
    const root = freshName();
    await using bystander = await store.openSession({ ttlMs, name: 'bystander' });
    const session = await store.openSession({ ttlMs, name: 'closing' });
    await store.swap(`${root}/bound`, 'x', 'absent', { session });
    await store.swap(`${root}/bound/below`, 'x', 'absent', { session });
    await store.swap(`${root}/lasting`, 'x', 'absent');
    await store.swap(`${root}/lasting/below`, 'x', 'absent');
    await store.swap(`${root}/others`, 'x', 'absent', { session: bystander });
    expect((await other.list(root)).map((entry) => entry.sessionId)).toEqual([session.id, session.id, undefined, undefined, bystander.id]);
    await session.close();
    expect((await other.list(root)).map((entry) => entry.key)).toEqual([`${root}/lasting`, `${root}/lasting/below`, `${root}/others`]);
    expect(await other.get(`${root}/bound`)).toBeUndefined();
    expect(await other.isSessionAlive(session.id)).toBe(false);
    expect(await other.isSessionAlive(bystander.id)).toBe(true);
    expect(bystander.signal.aborted).toBe(false);
  });

  it('ends a closed session here too: signal, validity, and what it could still do', async () => {
    await using store = await harness.open();
    const session = await store.openSession({ ttlMs, name: 'closed' });
    await session.close();
    await session.close();
    await session[Symbol.asyncDispose]();
    expect(session.state).toBe('lost');
    expect(session.signal.aborted).toBe(true);
    expect(session.signal.reason).toMatchObject(lost);
    expect(() => session.assertValid()).toThrow(expect.objectContaining(lost));
    const key = freshName();
    await expect(store.swap(key, 'x', 'absent', { session })).rejects.toMatchObject(lost);
    await expect(store.enqueue(key, 'write', session)).rejects.toMatchObject(lost);
    expect(await store.get(key)).toBeUndefined();
    expect(await store.queue(key)).toEqual([]);
  });

  it('closes a session whose scope ends', async () => {
    await using store = await harness.open();
    let id = '';
    {
      await using session = await store.openSession({ ttlMs, name: 'scoped' });
      id = session.id;
      expect(await store.isSessionAlive(id)).toBe(true);
    }
    expect(await store.isSessionAlive(id)).toBe(false);
  });

  it('decides anew with every swap what a key is bound to', async () => {
    await using store = await harness.open();
    await using other = await harness.open();
    const key = freshName();
    const old = await store.openSession({ ttlMs, name: 'old' });
    await using heir = await other.openSession({ ttlMs, name: 'heir' });
    const first = await store.swap(key, 'old', 'absent', { session: old });
    if (!first.swapped) throw new Error('lost');
    const taken = await other.swap(key, 'heir', first.revision, { session: heir });
    if (!taken.swapped) throw new Error('lost');
    expect(taken.revision).toBeGreaterThan(first.revision);
    await old.close();
    expect(await other.get(key)).toEqual({ key, value: 'heir', revision: taken.revision, sessionId: heir.id });
    const kept = await other.swap(key, 'lasting', taken.revision);
    if (!kept.swapped) throw new Error('lost');
    expect(kept.revision).toBeGreaterThan(taken.revision);
    await heir.close();
    expect(await store.get(key)).toEqual({ key, value: 'lasting', revision: kept.revision, sessionId: undefined });
    await using last = await store.openSession({ ttlMs, name: 'last' });
    const bound = await store.swap(key, 'bound', kept.revision, { session: last });
    expect(bound.swapped).toBe(true);
    await last.close();
    expect(await store.get(key)).toBeUndefined();
  });

  it.each(['no-such-session', '', '0', '../x', '7587871234567890123', 'x'.repeat(300), '\0'])(
    'says of the id %j that no such session lives',
    async (id) => {
      await using store = await harness.open();
      expect(await store.isSessionAlive(id)).toBe(false);
    },
  );

  it('refuses a TTL under its least unless told otherwise', async () => {
    await using store = await harness.open();
    const tooShortMs = store.capabilities.ttlMsMin - 1;
    await expect(store.openSession({ ttlMs: tooShortMs, name: 'short' })).rejects.toMatchObject({ code: 'COORD_TTL_TOO_SHORT' });
    await using session = await store.openSession({ ttlMs: tooShortMs, name: 'short', allowShortTtl: true });
    expect(session.ttlMs).toBeGreaterThanOrEqual(tooShortMs);
    await using least = await store.openSession({ ttlMs: store.capabilities.ttlMsMin, name: 'least' });
    expect(least.ttlMs).toBeGreaterThanOrEqual(store.capabilities.ttlMsMin);
  });

  it.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY])('refuses the TTL %d whatever it is told', async (bad) => {
    await using store = await harness.open();
    await expect(store.openSession({ ttlMs: bad, name: 'nonsense', allowShortTtl: true })).rejects.toThrow();
  });

  it('knows at once after a stall that the session is over, before any timer ran', { timeout: 60_000 }, async () => {
    await using store = await harness.open();
    const session = await store.openSession({ ttlMs, name: 'stalled' });
    const key = freshName();
    await store.swap(key, 'bound', 'absent', { session });
    const ticket = await store.enqueue(key, 'write', session);
    await harness.stall(session.ttlMs * 1.5);
    expect(() => session.assertValid()).toThrow(expect.objectContaining(lost));
    expect(session.signal.aborted).toBe(true);
    expect(session.state).toBe('lost');
    await expect(store.swap(freshName(), 'x', 'absent', { session })).rejects.toMatchObject(lost);
    await within(clock, ttlMs * 5, 'the stalled place is gone', store.untilGone(ticket, { signal: new AbortController().signal }));
    await eventually(clock, ttlMs * 5, 'the bound key is gone', async () => (await store.get(key)) === undefined);
    expect(await store.isSessionAlive(session.id)).toBe(false);
    await session.close();
  });

  it('does not come back to life after a stall that only used up its validity', { timeout: 60_000 }, async () => {
    await using store = await harness.open();
    const session = await store.openSession({ ttlMs, name: 'late' });
    await harness.stall(session.validUntilMs - clock.monotonicMs() + 20);
    expect(() => session.assertValid()).toThrow(expect.objectContaining(lost));
    await clock.sleep(ttlMs / 2);
    expect(() => session.assertValid()).toThrow(expect.objectContaining(lost));
    expect(session.state).toBe('lost');
    await session.close();
    expect(await store.isSessionAlive(session.id)).toBe(false);
  });

  it('ends the sessions of a client that is disposed of', async () => {
    await using other = await harness.open();
    const store = await harness.open();
    const session = await store.openSession({ ttlMs, name: 'orphan' });
    const key = freshName();
    await store.swap(key, 'x', 'absent', { session });
    await store[Symbol.asyncDispose]();
    await store[Symbol.asyncDispose]();
    expect(session.signal.aborted).toBe(true);
    expect(await other.get(key)).toBeUndefined();
    expect(await other.isSessionAlive(session.id)).toBe(false);
    await session.close();
  });

  it('fails every call on a client that was disposed of', async () => {
    const store = await harness.open();
    await store[Symbol.asyncDispose]();
    await expect(store.get('a')).rejects.toThrow();
    await expect(store.openSession({ ttlMs, name: 'late' })).rejects.toThrow();
  });
}
