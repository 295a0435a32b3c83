import { expect, it } from 'vitest';
import { lowerBarrier, raiseBarrier, untilBarrierLowered } from '../barrier.ts';
import { enterBarrier } from '../double-barrier.ts';
import { eventually, freshName, isSettled, within } from './harness.ts';
import type { RecipeHarness } from './recipes.ts';

export function describeBarriers(harness: RecipeHarness): void {
  const { clock, ttlMs } = harness;
  const limitMs = 10_000;

  it('holds all back until it is lowered', async () => {
    await using clients = await harness.openMany(2);
    const [one, two] = [clients.stores[0]!, clients.stores[1]!];
    const name = freshName();
    await within(clock, limitMs, 'no barrier', untilBarrierLowered(one, name, harness.runtime));
    await raiseBarrier(one, name);
    await raiseBarrier(two, name);
    const waits = [one, two, two].map((store) => untilBarrierLowered(store, name, harness.runtime));
    await expect(untilBarrierLowered(one, name, harness.runtime, { waitMs: 100 })).rejects.toMatchObject({ code: 'COORD_LOCK_TIMEOUT' });
    const reason = new Error('tired');
    await expect(untilBarrierLowered(one, name, harness.runtime, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect(await isSettled(clock, Promise.race(waits))).toBe(false);
    await lowerBarrier(two, name);
    await lowerBarrier(one, name);
    await within(clock, limitMs, 'all go on', Promise.all(waits));
  });

  it('lets parties in together and out together, round after round', { timeout: 60_000 }, async () => {
    await using clients = await harness.openMany(3);
    const name = freshName();
    const log: string[] = [];
    await Promise.all(
      clients.stores.map(async (store, n) => {
        for (let round = 1; round <= 3; round++) {
          log.push(`${round} comes`);
          await using presence = await within(
            clock,
            limitMs,
            `party ${n} enters round ${round}`,
            enterBarrier(store, name, harness.runtime, { size: 3, ttlMs }),
          );
          log.push(`${round} runs`);
          expect(presence.round).toBe(round);
          await clock.sleep(n * 20);
          log.push(`${round} done`);
          await within(clock, limitMs, `party ${n} leaves round ${round}`, presence.leave());
          log.push(`${round} left`);
        }
      }),
    );
    for (let round = 1; round <= 3; round++) {
      const [runs, comes] = [log.indexOf(`${round} runs`), log.lastIndexOf(`${round} comes`)];
      expect(runs, `round ${round} ran only when all had come`).toBeGreaterThan(comes);
      expect(log.indexOf(`${round} left`), `nobody left round ${round} before all were done`).toBeGreaterThan(
        log.lastIndexOf(`${round} done`),
      );
    }
  });

  it('makes who comes too late wait for the next round', async () => {
    await using clients = await harness.openMany(3);
    const [one, two, three] = clients.stores;
    const name = freshName();
    const enter = (store: typeof one) => enterBarrier(store!, name, harness.runtime, { size: 2, ttlMs });
    const [a, b] = await within(clock, limitMs, 'the first two', Promise.all([enter(one), enter(two)]));
    const late = enter(three);
    expect(await isSettled(clock, late)).toBe(false);
    const leaving = a.leave();
    expect(await isSettled(clock, leaving), 'leaving waits for the other').toBe(false);
    await within(clock, limitMs, 'both leave', Promise.all([leaving, b.leave()]));
    const again = enter(one);
    const [c, d] = await within(clock, limitMs, 'the next round', Promise.all([late, again]));
    expect([c.round, d.round]).toEqual([a.round + 1, a.round + 1]);
    await within(clock, limitMs, 'they leave', Promise.all([c.leave(), d.leave()]));
  });

  it('does not count who gave up or died while gathering, nor wait for who died inside', { timeout: 60_000 }, async () => {
    await using clients = await harness.openMany(3);
    const [one, two] = clients.stores;
    const name = freshName();
    await expect(enterBarrier(one!, name, harness.runtime, { size: 2, ttlMs, waitMs: 200 })).rejects.toMatchObject({
      code: 'COORD_LOCK_TIMEOUT',
    });
    const dying = await harness.open();
    const died = enterBarrier(dying, name, harness.runtime, { size: 2, ttlMs });
    died.catch(() => {});
    await eventually(clock, limitMs, 'it gathers', async () => (await one!.list(`barriers/${name}/parties`)).length === 1);
    await dying[Symbol.asyncDispose]();
    const first = enterBarrier(one!, name, harness.runtime, { size: 2, ttlMs });
    expect(await isSettled(clock, first), 'alone').toBe(false);
    const second = enterBarrier(two!, name, harness.runtime, { size: 2, ttlMs });
    const [a, b] = await within(clock, limitMs, 'two living ones', Promise.all([first, second]));
    await b[Symbol.asyncDispose]();
    await within(clock, limitMs, 'leaving alone', a.leave());
  });

  it('is refused to whoever thinks of another size', async () => {
    await using clients = await harness.openMany(2);
    const name = freshName();
    const cancel = new AbortController();
    const first = enterBarrier(clients.stores[0]!, name, harness.runtime, { size: 2, ttlMs, signal: cancel.signal });
    first.catch(() => {});
    await eventually(
      clock,
      limitMs,
      'the first is there',
      async () => (await clients.stores[0]!.get(`barriers/${name}/parties`)) !== undefined,
    );
    await expect(enterBarrier(clients.stores[1]!, name, harness.runtime, { size: 3, ttlMs })).rejects.toMatchObject({
      code: 'COORD_MISMATCH',
    });
    await expect(enterBarrier(clients.stores[1]!, name, harness.runtime, { size: 0, ttlMs })).rejects.toMatchObject({
      code: 'COORD_MISMATCH',
    });
    cancel.abort(new Error('enough'));
    await expect(first).rejects.toThrow('enough');
  });
}
