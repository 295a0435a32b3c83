import { describe, expect, it } from 'vitest';
import { HoldfastError } from '../core/errors.ts';
import { silentLogger } from '../core/logger.ts';
import { seededRandom, SimulatedTime } from '../sim/index.ts';
import { DrivenRouter, type Driver, type Observed, type Order } from './driven-router.ts';
import type { RouteView } from './router.ts';

/** A program that takes its time, or fails, as the test says; what it can not be is wrong about what it was told. */
class ScriptedDriver implements Driver {
  readonly orders: Order[] = [];
  letGoes = 0;
  /** What carrying out an order takes; never resolves by itself where it is undefined. */
  takes: (order: Order) => Promise<Partial<Observed>> | undefined = () => Promise.resolve({});

  async carryOut(order: Order, signal: AbortSignal): Promise<Observed> {
    this.orders.push(order);
    const aborted = Promise.withResolvers<never>();
    signal.addEventListener('abort', () => aborted.reject(signal.reason as Error), { once: true });
    const observed = await Promise.race([this.takes(order) ?? aborted.promise, aborted.promise]);
    return { connections: { write: 1, read: 2, held: 0 }, cut: 0, ...observed };
  }

  get last(): Order | undefined {
    return this.orders.at(-1);
  }

  async letGo(): Promise<void> {
    this.letGoes++;
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

function setUp(): { time: SimulatedTime; driver: ScriptedDriver; router: DrivenRouter } {
  const time = new SimulatedTime();
  const driver = new ScriptedDriver();
  const options = { kind: 'scripted', holdMs: 30_000, drainMs: 5_000, timeoutMs: 2_000, lagMax: 100, readFromLeader: 'fallback' as const };
  const runtime = { clock: time.clock(), random: seededRandom(1), logger: silentLogger };
  return { time, driver, router: new DrivenRouter('orders', driver, options, runtime) };
}

const target = (node: string) => ({ node, host: `10.0.0.${node.charCodeAt(0) - 96}`, port: 5432 });
const view = (term: number, leader?: string, replicas: Record<string, number> = {}): RouteView => ({
  term,
  leader: leader === undefined ? undefined : target(leader),
  replicas: Object.entries(replicas).map(([node, lagBytes]) => ({ ...target(node), lagBytes })),
});
const isDone = async (time: SimulatedTime, promise: Promise<void>): Promise<boolean> => {
  let done = false;
  void promise.then(() => (done = true));
  await time.advance(0);
  return done;
};

describe('DrivenRouter', () => {
  it('touches nothing before it has heard of anybody, and lets go what an agent before it left waiting', async () => {
    const { time, driver } = setUp();
    await time.advance(29_000);
    expect([driver.orders.length, driver.letGoes]).toEqual([0, 0]);
    await time.advance(3_000);
    expect(driver.orders.length).toBe(0);
    expect(driver.letGoes).toBeGreaterThan(0);
  });

  it('has the program do what the highest term says, and again when it forgot', async () => {
    const { time, driver, router } = setUp();
    router.publish(view(2, 'a', { b: 0 }));
    await time.advance(0);
    expect(driver.last).toMatchObject({ term: 2, leader: target('a'), waiting: false, readers: [target('b')] });
    expect(router.status()).toMatchObject({ term: 2, holding: false, connections: { write: 1, read: 2 } });
    router.publish(view(1, 'b'));
    router.publish(view(2, 'b'));
    await time.advance(10_000);
    expect(driver.orders.length).toBeGreaterThanOrEqual(10);
    expect(driver.orders.every((order) => order.leader?.node === 'a')).toBe(true);
  });

  it('is quiet when the program is; a new leader ends the wait at once', async () => {
    const { time, driver, router } = setUp();
    router.publish(view(1, 'a'));
    await time.advance(0);
    driver.takes = (order) => (order.waiting ? undefined : Promise.resolve({}));
    const quiet = router.hold(1);
    expect(await isDone(time, quiet)).toBe(false);
    expect(router.status().holding).toBe(true);
    expect(driver.last).toMatchObject({ waiting: true, leader: target('a') });
    router.publish(view(2, 'b'));
    expect(await isDone(time, quiet)).toBe(true);
    expect(driver.last).toMatchObject({ term: 2, waiting: false, leader: target('b') });
    expect(router.status()).toMatchObject({ term: 2, holding: false });
  });

  it('waits for transactions no longer than its time, and goes on holding', async () => {
    const { time, driver, router } = setUp();
    router.publish(view(1, 'a'));
    await time.advance(0);
    driver.takes = (order) => (order.waiting ? undefined : Promise.resolve({}));
    const quiet = router.hold(1);
    await time.advance(6_900);
    expect(await isDone(time, quiet)).toBe(false);
    await time.advance(200);
    expect(await isDone(time, quiet)).toBe(true);
    expect(router.status().problem).toMatch(/still under way after 5000 ms/);
    expect(driver.last?.waiting).toBe(true);
  });

  it.each(['late', 'unknown'])('does not wait on a hand-over that is %s', async (which) => {
    const { time, router } = setUp();
    if (which === 'late') router.publish(view(3, 'a'));
    expect(await isDone(time, router.hold(2))).toBe(true);
  });

  it('is quiet at once when the program does not answer: there is nobody to wait for', async () => {
    const { time, driver, router } = setUp();
    driver.takes = () => Promise.reject(new HoldfastError('ROUTER_PROGRAM_UNREACHABLE', 'gone'));
    router.publish(view(1, 'a'));
    await time.advance(0);
    expect(await isDone(time, router.hold(1))).toBe(true);
  });

  it('resumes when a hand-over is given up, and not by word of an earlier one', async () => {
    const { time, driver, router } = setUp();
    router.publish(view(4, 'a'));
    await router.hold(4);
    router.resume(3);
    await time.advance(0);
    expect(driver.last?.waiting).toBe(true);
    router.resume(4);
    await time.advance(0);
    expect(driver.last).toMatchObject({ waiting: false, leader: target('a') });
  });

  it('has nobody wait longer than holdMs: neither at a hand-over nor for a leader', async () => {
    const { time, driver, router } = setUp();
    router.publish(view(1, 'a'));
    await router.hold(1);
    await time.advance(29_900);
    expect(driver.last?.waiting).toBe(true);
    await time.advance(200);
    expect(driver.last).toMatchObject({ waiting: false, leader: target('a') });
    router.publish(view(2));
    await time.advance(29_900);
    expect(driver.last).toMatchObject({ waiting: true, leader: undefined });
    await time.advance(200);
    expect(driver.last).toMatchObject({ waiting: false, leader: undefined });
    router.publish(view(2, 'b'));
    await time.advance(0);
    expect(driver.last).toMatchObject({ waiting: false, leader: target('b') });
  });

  it('tries again after failures, with a growing pause, and says meanwhile what is wrong', async () => {
    const { time, driver, router } = setUp();
    driver.takes = () => Promise.reject(new HoldfastError('ROUTER_PROGRAM_DENIED', 'not you', { hint: 'Ask somebody.' }));
    router.publish(view(1, 'a'));
    await time.advance(10_000);
    expect(driver.orders.length).toBeGreaterThan(10);
    expect(driver.orders.length).toBeLessThan(20);
    expect(router.status()).toMatchObject({ term: 0, problem: 'not you Ask somebody.' });
    driver.takes = () => Promise.resolve({ cut: 3 });
    await time.advance(1_100);
    expect(router.status()).toMatchObject({ term: 1 });
    expect(router.status().cutTotal).toBeGreaterThan(0);
    expect(router.status().problem).toBeUndefined();
  });

  it('gives up on a program that stands still, and is not stopped by it', async () => {
    const { time, driver, router } = setUp();
    driver.takes = () => undefined;
    router.publish(view(1, 'a'));
    await time.advance(2_100);
    expect(router.status().problem).toMatch(/did not answer within 2000 ms/);
    let ended = false;
    void router[Symbol.asyncDispose]().then(() => (ended = true));
    await time.advance(0);
    expect(ended).toBe(true);
  });

  it('says so when another agent knows a higher term', async () => {
    const { time, driver, router } = setUp();
    driver.takes = () => Promise.resolve({ outdoneBy: 9 });
    router.publish(view(5, 'a'));
    await time.advance(0);
    expect(router.status()).toMatchObject({ term: 0, problem: expect.stringContaining('term 9 already, higher than 5') as string });
  });

  it('leaves nobody waiting when it ends', async () => {
    const { time, driver, router } = setUp();
    router.publish(view(1, 'a'));
    await time.advance(0);
    await router[Symbol.asyncDispose]();
    expect(driver.letGoes).toBe(0);
    const other = setUp();
    other.router.publish(view(1, 'a'));
    const quiet = other.router.hold(1);
    await other.router[Symbol.asyncDispose]();
    expect(await isDone(other.time, quiet)).toBe(true);
    expect(other.driver.letGoes).toBe(1);
  });

  it('has readers leave a replica that fell behind, return well within the limit, and lose one only when it is gone for a while', async () => {
    const { time, driver, router } = setUp();
    const readersOf = async (replicas: Record<string, number>): Promise<string> => {
      router.publish(view(1, 'a', replicas));
      await time.advance(0);
      return driver.last!.readers.map(({ node }) => node).join('');
    };
    expect(await readersOf({ c: 0, b: 100 })).toBe('bc');
    expect(await readersOf({ b: 101, c: 0 })).toBe('c');
    expect(await readersOf({ b: 99, c: 0 })).toBe('c');
    expect(await readersOf({ b: 50, c: 0 })).toBe('bc');
    expect(await readersOf({ c: 0 })).toBe('c');
    expect(driver.last!.present.map(({ node }) => node)).toEqual(['a', 'b', 'c']);
    await time.advance(5_100);
    expect(await readersOf({ c: 0 })).toBe('c');
    expect(driver.last!.present.map(({ node }) => node)).toEqual(['a', 'c']);
    expect(await readersOf({})).toBe('a');
  });
});
