import { expect, it } from 'vitest';
import { acquireLock, lockQueue } from '../lock.ts';
import { acquireReadLock, acquireWriteLock } from '../read-write-lock.ts';
import type { Hold } from '../hold.ts';
import { eventually, freshName, isSettled, within } from './harness.ts';
import type { RecipeHarness } from './recipes.ts';

const lost = { code: 'COORD_SESSION_LOST' };
const timedOut = { code: 'COORD_LOCK_TIMEOUT', retryable: true };

export function describeLocks(harness: RecipeHarness): void {
  const { clock, ttlMs } = harness;
  const limitMs = 10_000;

  it('gives a lock to one at a time, in order of arrival, with growing tokens', async () => {
    await using clients = await harness.openMany(3);
    const name = freshName();
    const first = await acquireLock(clients.stores[0]!, name, harness.runtime, { ttlMs });
    const order: number[] = [];
    const waits: Promise<Hold>[] = [];
    for (let n = 0; n < 5; n++) {
      waits.push(
        acquireLock(clients.stores[n % 3]!, name, harness.runtime, { ttlMs }).then((hold) => {
          order.push(n);
          return hold;
        }),
      );
      await eventually(
        clock,
        limitMs,
        'one more in the queue',
        async () => (await clients.stores[0]!.queue(lockQueue(name))).length === n + 2,
      );
    }
    expect(await isSettled(clock, Promise.race(waits))).toBe(false);
    let { token } = first;
    await first.release();
    for (const [n, wait] of waits.entries()) {
      const hold = await within(clock, limitMs, `hand-over ${n}`, wait);
      hold.assertValid();
      expect(order).toEqual(Array.from({ length: n + 1 }, (_, index) => index));
      expect(hold.token).toBeGreaterThan(token);
      token = hold.token;
      await hold.release();
    }
    expect(await clients.stores[0]!.queue(lockQueue(name))).toEqual([]);
  });

  it('ends a hold with its release, as often as that is said', async () => {
    await using store = await harness.open();
    const name = freshName();
    const hold = await acquireLock(store, name, harness.runtime, { ttlMs });
    expect(hold.name).toBe(name);
    expect(hold.validUntilMs).toBeGreaterThan(clock.monotonicMs());
    await hold.release();
    await hold.release();
    expect(hold.signal.reason).toMatchObject(lost);
    expect(() => hold.assertValid()).toThrow(expect.objectContaining(lost));
    {
      await using again = await acquireLock(store, name, harness.runtime, { ttlMs, waitMs: 0 });
      expect(again.token).toBeGreaterThan(hold.token);
    }
    expect(await store.queue(lockQueue(name))).toEqual([]);
  });

  it.each([0, 300])('gives up after waiting %d ms and leaves nothing behind', async (waitMs) => {
    await using store = await harness.open();
    await using other = await harness.open();
    const name = freshName();
    await using holder = await acquireLock(store, name, harness.runtime, { ttlMs });
    const startMs = clock.monotonicMs();
    await expect(within(clock, limitMs, 'giving up', acquireLock(other, name, harness.runtime, { ttlMs, waitMs }))).rejects.toMatchObject(
      timedOut,
    );
    expect(clock.monotonicMs() - startMs).toBeGreaterThanOrEqual(waitMs);
    expect(await store.queue(lockQueue(name))).toHaveLength(1);
    holder.assertValid();
  });

  it('lets a waiter be cancelled: it leaves nothing behind, and those behind it move up', async () => {
    await using clients = await harness.openMany(3);
    const [one, two, three] = clients.stores;
    const name = freshName();
    const holder = await acquireLock(one!, name, harness.runtime, { ttlMs });
    const cancel = new AbortController();
    const cancelled = acquireLock(two!, name, harness.runtime, { ttlMs, signal: cancel.signal });
    cancelled.catch(() => {});
    await eventually(clock, limitMs, 'the second in line', async () => (await one!.queue(lockQueue(name))).length === 2);
    const patient = acquireLock(three!, name, harness.runtime, { ttlMs });
    await eventually(clock, limitMs, 'the third in line', async () => (await one!.queue(lockQueue(name))).length === 3);
    const reason = new Error('changed its mind');
    cancel.abort(reason);
    await expect(within(clock, limitMs, 'the cancellation', cancelled)).rejects.toBe(reason);
    expect(await one!.queue(lockQueue(name))).toHaveLength(2);
    expect(await isSettled(clock, patient), 'the holder still holds').toBe(false);
    await holder.release();
    await using _ = await within(clock, limitMs, 'the patient one', patient);
  });

  it('does not even line up when cancelled before', async () => {
    await using store = await harness.open();
    const name = freshName();
    const reason = new Error('over before');
    await expect(acquireLock(store, name, harness.runtime, { ttlMs, signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect(await store.queue(lockQueue(name))).toEqual([]);
  });

  it('refuses names and TTLs as the store does', async () => {
    await using store = await harness.open();
    await expect(acquireLock(store, '../x', harness.runtime, { ttlMs })).rejects.toMatchObject({ code: 'COORD_BAD_KEY' });
    await expect(acquireLock(store, freshName(), harness.runtime, { ttlMs: 1 })).rejects.toMatchObject({ code: 'COORD_TTL_TOO_SHORT' });
  });

  it('keeps 64 contenders apart, and their tokens in order', { timeout: 120_000 }, async () => {
    await using clients = await harness.openMany(8);
    const name = freshName();
    const seen: bigint[] = [];
    let inside = 0;
    await Promise.all(
      Array.from({ length: 64 }, async (_, n) => {
        await using hold = await acquireLock(clients.stores[n % 8]!, name, harness.runtime, { ttlMs: Math.max(ttlMs, 5_000) });
        expect(++inside, 'how many are inside').toBe(1);
        await clock.sleep(1);
        hold.assertValid();
        seen.push(hold.token);
        inside--;
      }),
    );
    expect(seen).toHaveLength(64);
    expect(seen).toEqual(seen.toSorted((a, b) => (a < b ? -1 : 1)));
    expect(new Set(seen).size).toBe(64);
    expect(await clients.stores[0]!.queue(lockQueue(name))).toEqual([]);
  });

  it('hands over when the holder stalls beyond its TTL, who then knows', { timeout: 60_000 }, async () => {
    await using store = await harness.open();
    const name = freshName();
    const stalled = await acquireLock(store, name, harness.runtime, { ttlMs });
    await harness.stall(ttlMs * 1.5);
    expect(() => stalled.assertValid()).toThrow(expect.objectContaining(lost));
    await using next = await within(clock, ttlMs * 5, 'the next holder', acquireLock(store, name, harness.runtime, { ttlMs }));
    expect(next.token).toBeGreaterThan(stalled.token);
    await stalled.release();
    next.assertValid();
  });

  if (harness.cut !== undefined && harness.restore !== undefined) {
    it('hands over when the holder is cut off, after it was told', { timeout: 90_000 }, async () => {
      await using stack = new AsyncDisposableStack();
      const clients = stack.use(await harness.openMany(2));
      const [holder, rival] = [clients.stores[0]!, clients.stores[1]!];
      const name = freshName();
      const first = stack.use(await acquireLock(holder, name, harness.runtime, { ttlMs }));
      const waiting = acquireLock(rival, name, harness.runtime, { ttlMs });
      await harness.cut!(holder);
      stack.defer(() => harness.restore!(holder));
      const second = stack.use(await within(clock, ttlMs * 3 + 5000, 'the take-over', waiting));
      expect(first.signal.aborted).toBe(true);
      expect(() => first.assertValid()).toThrow(expect.objectContaining(lost));
      expect(second.token).toBeGreaterThan(first.token);
    });
  }

  if (harness.restart !== undefined) {
    it('goes on waiting across a restart of the store', { timeout: 120_000 }, async () => {
      await using clients = await harness.openMany(2);
      const name = freshName();
      const holder = await acquireLock(clients.stores[0]!, name, harness.runtime, { ttlMs });
      const waiting = acquireLock(clients.stores[1]!, name, harness.runtime, { ttlMs });
      await eventually(clock, limitMs, 'two in line', async () => (await clients.stores[0]!.queue(lockQueue(name))).length === 2);
      await harness.restart!();
      await holder.release().catch(() => {});
      await using hold = await within(clock, 60_000, 'the hand-over', waiting);
      hold.assertValid();
      expect(hold.token).toBeGreaterThan(holder.token);
    });
  }

  it('lets readers in together, writers alone, and nobody overtake', async () => {
    await using clients = await harness.openMany(4);
    const name = freshName();
    const readers = [
      await acquireReadLock(clients.stores[0]!, name, harness.runtime, { ttlMs }),
      await acquireReadLock(clients.stores[1]!, name, harness.runtime, { ttlMs, waitMs: 0 }),
    ];
    const writer = acquireWriteLock(clients.stores[2]!, name, harness.runtime, { ttlMs });
    await eventually(clock, limitMs, 'the writer waits', async () => (await clients.stores[0]!.queue(lockQueue(name))).length === 3);
    const late = [0, 1, 3].map((n) => acquireReadLock(clients.stores[n]!, name, harness.runtime, { ttlMs }));
    await eventually(clock, limitMs, 'the readers wait', async () => (await clients.stores[0]!.queue(lockQueue(name))).length === 6);
    await expect(
      acquireReadLock(clients.stores[3]!, name, harness.runtime, { ttlMs, waitMs: 0 }),
      'no reader overtakes the writer',
    ).rejects.toMatchObject(timedOut);
    await readers[1]!.release();
    expect(await isSettled(clock, Promise.race([writer, ...late])), 'one reader is still in').toBe(false);
    await readers[0]!.release();
    const writing = await within(clock, limitMs, 'the writer', writer);
    expect(await isSettled(clock, Promise.race(late)), 'the writer is alone').toBe(false);
    await expect(
      acquireLock(clients.stores[3]!, name, harness.runtime, { ttlMs, waitMs: 0 }),
      'the mutex is the write side',
    ).rejects.toMatchObject(timedOut);
    await writing.release();
    const reading = await within(clock, limitMs, 'all late readers at once', Promise.all(late));
    for (const hold of reading) expect(hold.token).toBeGreaterThan(writing.token);
    await Promise.all(reading.map((hold) => hold.release()));
  });

  it('never lets a reader and a writer in at once, in any mixture', { timeout: 60_000 }, async () => {
    await using clients = await harness.openMany(4);
    const name = freshName();
    let [reading, writing, together] = [0, 0, 0];
    await Promise.all(
      Array.from({ length: 24 }, async (_, n) => {
        const writes = n % 4 === 3;
        const acquire = writes ? acquireWriteLock : acquireReadLock;
        await using hold = await acquire(clients.stores[n % 4]!, name, harness.runtime, { ttlMs: Math.max(ttlMs, 5_000) });
        if (writes) writing++;
        else reading++;
        expect(writing === 0 || (writing === 1 && reading === 0), `${writing} writers and ${reading} readers`).toBe(true);
        together = Math.max(together, reading);
        await clock.sleep(10);
        hold.assertValid();
        if (writes) writing--;
        else reading--;
      }),
    );
    expect(together, 'readers are in together').toBeGreaterThan(1);
  });
}
