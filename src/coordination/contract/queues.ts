import { expect, it } from 'vitest';
import type { OwnTicket, Session } from '../store.ts';
import { freshName, isSettled, within, type StoreHarness } from './harness.ts';

const never = new AbortController().signal;

/** What `queue` shows of a place: all but the token, which is the holder's alone. */
function shown(ticket: OwnTicket): Omit<OwnTicket, 'token'> {
  const { token: _, ...rest } = ticket;
  return rest;
}

export function describeQueues(harness: StoreHarness): void {
  const { clock, ttlMs } = harness;
  const limitMs = 10_000;

  it('gives places in order of arrival, whoever asks', async () => {
    await using one = await harness.open();
    await using two = await harness.open();
    await using a = await one.openSession({ ttlMs, name: 'a' });
    await using b = await two.openSession({ ttlMs, name: 'b' });
    const name = freshName();
    expect(await one.queue(name)).toEqual([]);
    const tickets = [
      await one.enqueue(name, 'write', a),
      await two.enqueue(name, 'read', b),
      await one.enqueue(name, 'read', a),
      await two.enqueue(name, 'write', b),
    ];
    expect(tickets.map((ticket) => ticket.label)).toEqual(['write', 'read', 'read', 'write']);
    expect(tickets.map((ticket) => ticket.sessionId)).toEqual([a.id, b.id, a.id, b.id]);
    expect(new Set(tickets.map((ticket) => ticket.key)).size).toBe(4);
    for (let n = 1; n < tickets.length; n++) {
      expect(tickets[n]!.order).toBeGreaterThan(tickets[n - 1]!.order);
      expect(tickets[n]!.token).toBeGreaterThan(tickets[n - 1]!.token);
    }
    for (const store of [one, two]) expect((await store.queue(name)).map((ticket) => ({ ...ticket }))).toEqual(tickets.map(shown));
    await one.leave(tickets[2]!);
    expect((await two.queue(name)).map((ticket) => ticket.order)).toEqual([0, 1, 3].map((n) => tickets[n]!.order));
  });

  it('never gives a token that is not above all before it, also to an empty queue', async () => {
    await using store = await harness.open();
    const name = freshName();
    let last = -1n;
    for (let round = 0; round < 6; round++) {
      // Three ways for a queue to become empty.
      const session = await store.openSession({ ttlMs, name: 'round' });
      const ticket = await store.enqueue(name, 'write', session);
      expect(ticket.token).toBeGreaterThan(last);
      last = ticket.token;
      if (round % 3 === 0) await store.leave(ticket);
      await session.close();
      expect(await store.queue(name)).toEqual([]);
    }
    await using session = await store.openSession({ ttlMs, name: 'last' });
    expect((await store.enqueue(name, 'write', session)).token).toBeGreaterThan(last);
  });

  it('keeps queues apart from each other and from keys', async () => {
    await using store = await harness.open();
    await using session = await store.openSession({ ttlMs, name: 'apart' });
    const root = freshName();
    const places = new Map<string, OwnTicket>();
    for (const name of [root, `${root}/a`, `${root}/ab`, `${root}/a/b`]) places.set(name, await store.enqueue(name, 'write', session));
    for (const [name, ticket] of places) expect((await store.queue(name)).map((other) => other.order)).toEqual([ticket.order]);
    await store.swap(`${root}/a`, 'a key', 'absent');
    await store.swap(`${root}/a/b/c`, 'a key', 'absent');
    expect((await store.list(root)).map((entry) => entry.key)).toEqual([`${root}/a`, `${root}/a/b/c`]);
    expect(await store.get(root)).toBeUndefined();
    expect(await store.queue(`${root}/a/b/c`)).toEqual([]);
    for (const name of places.keys()) expect(await store.queue(name)).toHaveLength(1);
  });

  it.each(['', 'Write', 'two words', 'a1', 'a-b', 'ä', 'x'.repeat(33)])('refuses the label %j', async (label) => {
    await using store = await harness.open();
    await using session = await store.openSession({ ttlMs, name: 'label' });
    const name = freshName();
    await expect(store.enqueue(name, label, session)).rejects.toMatchObject({ code: 'COORD_BAD_KEY' });
    expect(await store.queue(name)).toEqual([]);
  });

  it('lets a place be left more than once, by anyone who sees it', async () => {
    await using store = await harness.open();
    await using other = await harness.open();
    await using session = await store.openSession({ ttlMs, name: 'leaver' });
    const name = freshName();
    const [first, second] = [await store.enqueue(name, 'write', session), await store.enqueue(name, 'write', session)];
    await store.leave(first);
    await store.leave(first);
    expect((await other.queue(name)).map((ticket) => ticket.order)).toEqual([second.order]);
    await other.leave((await other.queue(name))[0]!);
    expect(await store.queue(name)).toEqual([]);
    await store.leave(second);
    expect(session.signal.aborted).toBe(false);
  });

  it('tells that a place is gone: before, when left, when its session closes', async () => {
    await using store = await harness.open();
    await using other = await harness.open();
    await using session = await other.openSession({ ttlMs, name: 'stays' });
    const closing = await other.openSession({ ttlMs, name: 'closes' });
    const name = freshName();
    const gone = await other.enqueue(name, 'write', session);
    await other.leave(gone);
    await within(clock, limitMs, 'gone before', store.untilGone(gone, { signal: never }));
    const left = await other.enqueue(name, 'write', session);
    const closed = await other.enqueue(name, 'write', closing);
    const untilLeft = store.untilGone(left, { signal: never });
    const untilClosed = store.untilGone(closed, { signal: never });
    expect(await isSettled(clock, Promise.race([untilLeft, untilClosed]))).toBe(false);
    await other.leave(left);
    await within(clock, limitMs, 'gone when left', untilLeft);
    expect(await isSettled(clock, untilClosed)).toBe(false);
    await closing.close();
    await within(clock, limitMs, 'gone when its session closes', untilClosed);
  });

  it('wakes only those who wait for just this place', async () => {
    await using store = await harness.open();
    await using session = await store.openSession({ ttlMs, name: 'crowd' });
    const name = freshName();
    const tickets: OwnTicket[] = [];
    for (let n = 0; n < 8; n++) tickets.push(await store.enqueue(name, 'write', session));
    const woken: number[] = [];
    const waits = tickets.map((ticket, n) => store.untilGone(ticket, { signal: never }).then(() => woken.push(n)));
    await clock.sleep(100);
    for (const n of [5, 0, 7]) {
      await store.leave(tickets[n]!);
      await within(clock, limitMs, `place ${n}`, waits[n]!);
    }
    await clock.sleep(200);
    expect(woken).toEqual([5, 0, 7]);
    await session.close();
    await within(clock, limitMs, 'the rest', Promise.all(waits));
  });

  it('stops waiting with the signal, and the place stays', async () => {
    await using store = await harness.open();
    await using session = await store.openSession({ ttlMs, name: 'holder' });
    const name = freshName();
    const ticket = await store.enqueue(name, 'write', session);
    const abort = new AbortController();
    const waiting = store.untilGone(ticket, { signal: abort.signal });
    expect(await isSettled(clock, waiting)).toBe(false);
    const reason = new Error('tired of waiting');
    abort.abort(reason);
    await expect(within(clock, 1000, 'the abort', waiting)).rejects.toBe(reason);
    expect(await store.queue(name)).toHaveLength(1);
  });

  it('places 64 contenders, each before the next, tokens in the same order', { timeout: 60_000 }, async () => {
    await using stack = new AsyncDisposableStack();
    const clients = await Promise.all(Array.from({ length: 8 }, () => harness.open()));
    for (const client of clients) stack.use(client);
    const name = freshName();
    const sessions: Session[] = await Promise.all(
      Array.from({ length: 64 }, (_, n) => clients[n % 8]!.openSession({ ttlMs, name: `contender ${n}` })),
    );
    const tickets = await Promise.all(sessions.map((session, n) => clients[n % 8]!.enqueue(name, 'write', session)));
    const inOrder = tickets.toSorted((a, b) => (a.order < b.order ? -1 : 1));
    expect(new Set(tickets.map((ticket) => ticket.order)).size).toBe(64);
    for (let n = 1; n < 64; n++) expect(inOrder[n]!.token).toBeGreaterThan(inOrder[n - 1]!.token);
    expect((await clients[0]!.queue(name)).map((ticket) => ticket.order)).toEqual(inOrder.map((ticket) => ticket.order));
    await Promise.all(sessions.map((session) => session.close()));
    expect(await clients[0]!.queue(name)).toEqual([]);
  });
}
