import { expect, it } from 'vitest';
import { acquirePermit, PERMITS_MAX } from '../semaphore.ts';
import { eventually, freshName, isSettled, within } from './harness.ts';
import type { RecipeHarness } from './recipes.ts';

export function describeSemaphores(harness: RecipeHarness): void {
  const { clock, ttlMs } = harness;

  it('lets as many in as there are permits, then in order of arrival', async () => {
    await using clients = await harness.openMany(3);
    const name = freshName();
    const acquire = (n: number) => acquirePermit(clients.stores[n % 3]!, name, harness.runtime, { permits: 3, ttlMs });
    const inside = [await acquire(0), await acquire(1), await acquire(2)];
    await expect(acquirePermit(clients.stores[0]!, name, harness.runtime, { permits: 3, ttlMs, waitMs: 0 })).rejects.toMatchObject({
      code: 'COORD_LOCK_TIMEOUT',
    });
    const order: number[] = [];
    const waits = [];
    for (let n = 0; n < 6; n++) {
      waits.push(acquire(n).then((hold) => (order.push(n), hold)));
      await eventually(
        clock,
        10_000,
        'one more in line',
        async () => (await clients.stores[0]!.queue(`semaphores/${name}`)).length === n + 4,
      );
    }
    expect(await isSettled(clock, Promise.race(waits))).toBe(false);
    // Whichever holder goes first, it is the first in line's turn.
    await inside[1]!.release();
    inside.push(await within(clock, 10_000, 'the first in line', waits[0]!));
    expect(await isSettled(clock, Promise.race(waits.slice(1)))).toBe(false);
    await inside[0]!.release();
    await inside[2]!.release();
    inside.push(...(await within(clock, 10_000, 'the next two', Promise.all(waits.slice(1, 3)))));
    expect(await isSettled(clock, Promise.race(waits.slice(3)))).toBe(false);
    await Promise.all(inside.map((hold) => hold.release()));
    const rest = await within(clock, 10_000, 'the rest', Promise.all(waits.slice(3)));
    expect(new Set(order)).toEqual(new Set([0, 1, 2, 3, 4, 5]));
    expect(order[0]).toBe(0);
    await Promise.all(rest.map((hold) => hold.release()));
  });

  it('never has more inside than permits, under a crowd', { timeout: 120_000 }, async () => {
    await using clients = await harness.openMany(4);
    const name = freshName();
    let [inside, most] = [0, 0];
    const tokens = new Set<bigint>();
    await Promise.all(
      Array.from({ length: 24 }, async (_, n) => {
        await using hold = await acquirePermit(clients.stores[n % 4]!, name, harness.runtime, {
          permits: 4,
          ttlMs: Math.max(ttlMs, 5_000),
        });
        most = Math.max(most, ++inside);
        await clock.sleep(5 + (n % 3) * 5);
        hold.assertValid();
        tokens.add(hold.token);
        inside--;
      }),
    );
    expect(most).toBeLessThanOrEqual(4);
    expect(most, 'permits are used').toBeGreaterThan(1);
    expect(tokens.size).toBe(24);
    expect(await clients.stores[0]!.queue(`semaphores/${name}`)).toEqual([]);
  });

  it('is refused to whoever thinks of another number of permits', async () => {
    await using store = await harness.open();
    const name = freshName();
    await using _ = await acquirePermit(store, name, harness.runtime, { permits: 2, ttlMs });
    await expect(acquirePermit(store, name, harness.runtime, { permits: 3, ttlMs })).rejects.toMatchObject({ code: 'COORD_MISMATCH' });
    expect(await store.queue(`semaphores/${name}`)).toHaveLength(1);
  });

  it.each([0, -1, 1.5, Number.NaN, PERMITS_MAX + 1])('refuses %d permits', async (permits) => {
    await using store = await harness.open();
    await expect(async () => acquirePermit(store, freshName(), harness.runtime, { permits, ttlMs })).rejects.toMatchObject({
      code: 'COORD_MISMATCH',
    });
  });
}
