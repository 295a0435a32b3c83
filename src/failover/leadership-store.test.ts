import { describe, expect, test } from 'vitest';
import { connectMemory, MemoryServer, type MemoryLink } from '../coordination/adapters/memory/index.ts';
import { silentLogger } from '../core/logger.ts';
import { SimulatedTime, seededRandom } from '../sim/index.ts';
import { LeadershipStore } from './leadership-store.ts';
import type { LeadershipRecord } from './records.ts';
import { SessionKeeper } from './session-keeper.ts';

const { signal } = new AbortController();
const first: LeadershipRecord = {
  term: 1,
  leader: 'a',
  session: 's',
  since: '',
  roster: [{ k: 0, voters: [] }],
  timeline: 1,
  systemId: null,
};

function machine(): {
  time: SimulatedTime;
  server: MemoryServer;
  client: () => { store: LeadershipStore; link: MemoryLink; keeper: SessionKeeper };
} {
  const time = new SimulatedTime();
  const server = new MemoryServer(time.clock());
  const client = () => {
    const runtime = { clock: time.clock(), random: seededRandom(1), logger: silentLogger };
    const { store, link } = connectMemory(server, runtime);
    link.requestTravel = link.replyTravel = () => 1;
    return {
      store: new LeadershipStore(store, runtime, 'orders'),
      link,
      keeper: new SessionKeeper(store, runtime, { ttlMs: 2_000, name: 'test' }),
    };
  };
  return { time, server, client };
}

/** Lets simulated time pass until a promise has settled. */
async function settled<T>(time: SimulatedTime, promise: Promise<T>): Promise<T> {
  let done = false;
  const mark = (): void => void (done = true);
  promise.then(mark, mark);
  await time.runUntil(() => done, { limitMs: 60_000 });
  return promise;
}

describe('the leadership in the store', () => {
  test('is seen by everybody who watches it; a swap is won by one', async () => {
    const { time, client } = machine();
    const [one, other] = [client(), client()];
    let heard = 0;
    other.store.onChange(() => heard++);
    await time.advance(50);
    expect([one.store.leadership, other.store.leadership]).toEqual([null, null]);
    const claims = await settled(
      time,
      Promise.all([one.store.swap(first, 'absent', signal), other.store.swap({ ...first, leader: 'b' }, 'absent', signal)]),
    );
    expect(claims.filter((claim) => claim !== undefined)).toHaveLength(1);
    await time.advance(50);
    expect(one.store.leadership).toEqual(other.store.leadership);
    expect(heard).toBeGreaterThan(0);
  });

  test('whose swap was done although the reply was lost is known by its content', async () => {
    const { time, client } = machine();
    const { store, link } = client();
    await time.advance(50);
    link.replyTravel = () => 'lost';
    const claim = store.swap(first, 'absent', signal);
    await time.advance(100);
    link.replyTravel = () => 1;
    expect(await settled(time, claim)).toMatchObject({ value: first });
  });

  test('whose swap was lost is known, too, and so is one that another won meanwhile', async () => {
    const { time, client } = machine();
    const [one, other] = [client(), client()];
    await time.advance(50);
    one.link.requestTravel = () => 'lost';
    const claim = one.store.swap(first, 'absent', signal);
    await time.advance(100);
    one.link.requestTravel = () => 1;
    await settled(time, other.store.swap({ ...first, leader: 'b' }, 'absent', signal));
    expect(await settled(time, claim)).toBeUndefined();
    expect(one.store.leadership).toMatchObject({ value: { leader: 'b' } });
  });

  test('never goes back to what a late watch tells', async () => {
    const { time, client } = machine();
    const { store, link } = client();
    await time.advance(50);
    const claimed = (await settled(time, store.swap(first, 'absent', signal)))!;
    link.replyTravel = () => 400;
    await time.advance(10);
    link.replyTravel = () => 1;
    await settled(time, store.swap({ ...first, term: 2 }, claimed.revision, signal));
    await time.advance(1_000);
    expect(store.leadership).toMatchObject({ value: { term: 2 } });
  });

  test('that is not one of ours is refused with what to do', async () => {
    const { time, server, client } = machine();
    const { store } = client();
    server.swap('services/orders/leadership', '{"term":"seven"}', 'absent', undefined);
    await expect(settled(time, store.refresh(signal))).rejects.toMatchObject({
      code: 'STORE_RECORD_DAMAGED',
      hint: expect.stringContaining('prefix'),
    });
  });

  test('is paused and resumed, by several at once, too; history is kept in order', async () => {
    const { time, client } = machine();
    const [one, other] = [client(), client()];
    await settled(time, Promise.all([one.store.setPaused(true, signal), other.store.setPaused(true, signal)]));
    await time.advance(50);
    expect([one.store.paused, other.store.paused]).toEqual([true, true]);
    await settled(time, other.store.setPaused(false, signal));
    await time.advance(50);
    expect(one.store.paused).toBe(false);
    for (const term of [10, 9]) await settled(time, one.store.addHistory({ term, leader: 'a', at: '', why: 'failover' }, signal));
    await settled(time, one.store.addHistory({ term: 9, leader: 'late', at: '', why: 'failover' }, signal));
    expect((await settled(time, other.store.history(signal))).map(({ term, leader }) => [term, leader])).toEqual([
      [9, 'a'],
      [10, 'a'],
    ]);
  });

  test('ends watching when it is disposed of', async () => {
    const { time, client } = machine();
    const { store, keeper } = client();
    await time.advance(50);
    await settled(time, Promise.all([store[Symbol.asyncDispose](), keeper[Symbol.asyncDispose]()]));
  });
});

describe('an agent’s session', () => {
  test('is replaced when it is lost, and says why there is none', async () => {
    const { time, client } = machine();
    const { keeper, link } = client();
    await time.advance(50);
    const session = keeper.current!;
    expect([keeper.reachable, keeper.problem]).toEqual([true, '']);
    link.cut();
    await time.advance(2_500);
    expect([keeper.current, keeper.reachable]).toEqual([undefined, false]);
    expect(keeper.problem).not.toBe('');
    link.restore();
    await time.advance(12_000);
    expect(keeper.current?.id).toBeDefined();
    expect(keeper.current!.id).not.toBe(session.id);
  });

  test('ends with the agent, or is left to its TTL', async () => {
    const { time, server, client } = machine();
    const [closing, leaving] = [client().keeper, client().keeper];
    await time.advance(50);
    const [closed, left] = [closing.current!.id, leaving.current!.id];
    leaving.leave();
    await settled(time, Promise.all([closing[Symbol.asyncDispose](), leaving[Symbol.asyncDispose]()]));
    expect([server.isSessionAlive(closed), server.isSessionAlive(left)]).toEqual([false, true]);
    await time.advance(2_500);
    expect(server.isSessionAlive(left)).toBe(false);
  });
});
