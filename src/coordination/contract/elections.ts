import { expect, it } from 'vitest';
import { campaign, type Leader, observeLeader } from '../election.ts';
import type { CoordinationStore } from '../store.ts';
import { eventually, freshName, isSettled, within } from './harness.ts';
import type { RecipeHarness } from './recipes.ts';

export function describeElections(harness: RecipeHarness): void {
  const { clock, ttlMs } = harness;
  const limitMs = 10_000;

  /** Writes down what an observer sees. */
  function observe(
    store: CoordinationStore,
    name: string,
    stack: AsyncDisposableStack,
  ): { seen: (Leader | undefined)[]; done: Promise<void> } {
    const abort = new AbortController();
    const seen: (Leader | undefined)[] = [];
    const done = (async () => {
      for await (const leader of observeLeader(store, name, { signal: abort.signal })) seen.push(leader);
    })();
    stack.defer(async () => {
      abort.abort(new Error('test over'));
      await done;
    });
    return { seen, done };
  }

  it('elects one, then the next in line, and every observer sees who', async () => {
    await using stack = new AsyncDisposableStack();
    const { stores } = stack.use(await harness.openMany(3));
    const name = freshName();
    const { seen } = observe(stores[2]!, name, stack);
    await eventually(clock, limitMs, 'nobody leads', () => seen.length === 1);
    const first = await campaign(stores[0]!, name, harness.runtime, { value: 'node-a:7400', ttlMs });
    await eventually(clock, limitMs, 'the first leader', () => seen.at(-1)?.value === 'node-a:7400');
    const waiting = campaign(stores[1]!, name, harness.runtime, { value: 'node-b:7400', ttlMs });
    expect(await isSettled(clock, waiting)).toBe(false);
    await first.release();
    const second = await within(clock, limitMs, 'the second leader', waiting);
    await eventually(clock, limitMs, 'the second is seen', () => seen.at(-1)?.value === 'node-b:7400');
    expect(second.token).toBeGreaterThan(first.token);
    expect(seen.at(-1)).toEqual({ value: 'node-b:7400', token: second.token });
    const late = observe(stores[0]!, name, stack);
    await eventually(clock, limitMs, 'a late observer', () => late.seen.length > 0);
    expect(late.seen).toEqual([{ value: 'node-b:7400', token: second.token }]);
    await second.release();
    await eventually(clock, limitMs, 'nobody again', () => seen.at(-1) === undefined);
    const tokens = seen.flatMap((leader) => (leader === undefined ? [] : [leader.token]));
    expect(tokens).toEqual([first.token, second.token]);
  });

  it('shows observers only their own election', async () => {
    await using stack = new AsyncDisposableStack();
    const { stores } = stack.use(await harness.openMany(1));
    const name = freshName();
    const { seen } = observe(stores[0]!, name, stack);
    stack.use(await campaign(stores[0]!, `${name}/below`, harness.runtime, { value: 'another', ttlMs }));
    await clock.sleep(200);
    expect(seen).toEqual([undefined]);
  });

  it('lets a candidate withdraw without a trace', async () => {
    await using stack = new AsyncDisposableStack();
    const { stores } = stack.use(await harness.openMany(2));
    const name = freshName();
    const leader = stack.use(await campaign(stores[0]!, name, harness.runtime, { value: 'leader', ttlMs }));
    const cancel = new AbortController();
    const candidate = campaign(stores[1]!, name, harness.runtime, { value: 'candidate', ttlMs, signal: cancel.signal });
    candidate.catch(() => {});
    await eventually(clock, limitMs, 'two in line', async () => (await stores[0]!.queue(`elections/${name}`)).length === 2);
    const reason = new Error('withdrawn');
    cancel.abort(reason);
    await expect(within(clock, limitMs, 'the withdrawal', candidate)).rejects.toBe(reason);
    expect(await stores[0]!.queue(`elections/${name}`)).toHaveLength(1);
    leader.assertValid();
  });

  it('always has one leader at most while many stand again and again', { timeout: 120_000 }, async () => {
    await using stack = new AsyncDisposableStack();
    const { stores } = stack.use(await harness.openMany(4));
    const name = freshName();
    const { seen } = observe(stores[0]!, name, stack);
    const tokens: bigint[] = [];
    let leading = 0;
    await Promise.all(
      stores.map(async (store, n) => {
        for (let round = 0; round < 4; round++) {
          await using hold = await campaign(store, name, harness.runtime, { value: `node ${n}`, ttlMs: Math.max(ttlMs, 5_000) });
          expect(++leading).toBe(1);
          await clock.sleep(5);
          hold.assertValid();
          tokens.push(hold.token);
          leading--;
        }
      }),
    );
    expect(tokens).toHaveLength(16);
    expect(tokens).toEqual(tokens.toSorted((a, b) => (a < b ? -1 : 1)));
    await eventually(clock, limitMs, 'the end is seen', () => seen.length > 1 && seen.at(-1) === undefined);
    const observed = seen.flatMap((leader) => (leader === undefined ? [] : [leader.token]));
    expect(observed).toEqual(observed.toSorted((a, b) => (a < b ? -1 : 1)));
    for (const token of observed) expect(tokens).toContain(token);
  });

  it('is not confused by what is no announcement', async () => {
    await using stack = new AsyncDisposableStack();
    const { stores } = stack.use(await harness.openMany(1));
    const name = freshName();
    await stores[0]!.swap(`elections/${name}`, 'nonsense', 'absent');
    const { seen } = observe(stores[0]!, name, stack);
    await eventually(clock, limitMs, 'a first look', () => seen.length === 1);
    const hold = stack.use(await campaign(stores[0]!, name, harness.runtime, { value: 'sane', ttlMs }));
    await eventually(clock, limitMs, 'the leader', () => seen.at(-1)?.token === hold.token);
    expect(seen[0]).toBeUndefined();
  });
}
