import { expect, it } from 'vitest';
import { silentLogger } from '../core/logger.ts';
import { type SimulatedClock, SimulatedTime } from '../sim/clock.ts';
import { type SeededRandom, seededRandom } from '../sim/random.ts';
import { connectMemory, type MemoryLink, MemoryServer, type MemoryStore } from './adapters/memory/index.ts';
import type { AcquireOptions, Hold } from './hold.ts';
import { acquireLock, lockQueue } from './lock.ts';

const ttlMs = 1_000;
const faultyMs = 30_000;
const healthyMs = 20_000;
const seeds = 40;

interface Machine {
  readonly clock: SimulatedClock;
  readonly store: MemoryStore;
  readonly link: MemoryLink;
}

/** Some machines that contend for one lock, on clocks that drift, over a network that delays, loses and cuts, with a store that stops and crashes. */
class World {
  readonly time = new SimulatedTime();
  readonly random: SeededRandom;
  readonly server: MemoryServer;
  readonly machines: Machine[];
  /** Holds that their holders have not given up. */
  readonly holds = new Set<Hold>();
  readonly tokens: bigint[] = [];
  readonly #over = new AbortController();

  constructor(seed: number) {
    this.random = seededRandom(seed);
    const serverClock = this.time.clock({ rate: this.#rate() });
    this.server = new MemoryServer(serverClock);
    this.machines = Array.from({ length: 4 }, () => {
      const clock = this.time.clock({ rate: this.#rate() });
      const { store, link } = connectMemory(
        this.server,
        { clock, random: this.random.fork('retries'), logger: silentLogger },
        { serverClock },
      );
      link.requestTravel = link.replyTravel = () => this.random.integer(4);
      return { clock, store, link };
    });
  }

  /** Contends on one machine until the end: acquires, acts while it may, releases; sometimes gives up, sometimes forgets to release in time. */
  async contend(machine: Machine): Promise<void> {
    const { signal } = this.#over;
    while (!signal.aborted) {
      const options: AcquireOptions = { ttlMs, signal };
      if (this.random.chance(0.2)) options.waitMs = this.random.integer(800);
      try {
        const hold = await acquireLock(machine.store, 'lock', { clock: machine.clock, random: this.random, logger: silentLogger }, options);
        this.#acquired(hold);
        await machine.clock.sleep(this.random.integer(400), hold.signal).catch(() => {});
        this.holds.delete(hold);
        await hold.release().catch(() => {});
      } catch (error) {
        if (!signal.aborted)
          expect(error).toMatchObject({ code: expect.stringMatching(/^COORD_(LOCK_TIMEOUT|UNREACHABLE|SESSION_LOST)$/) });
      }
    }
  }

  /** Safety: who gets it is alone, also beside machines that stand still: these find out before their next act. */
  #acquired(hold: Hold): void {
    for (const other of this.holds)
      expect(() => other.assertValid(), 'two hold it').toThrow(expect.objectContaining({ code: 'COORD_SESSION_LOST' }));
    hold.assertValid();
    this.holds.add(hold);
    this.tokens.push(hold.token);
  }

  async disturb(): Promise<void> {
    const { random } = this;
    const machine = random.pick(this.machines);
    const fault = random.integer(6);
    if (fault === 0) machine.link.cut();
    if (fault === 1) machine.clock.stall();
    if (fault === 2) this.server.crash();
    if (fault === 3) this.server.pause();
    if (fault === 4) machine.link.requestTravel = () => (random.chance(0.3) ? 'lost' : random.integer(300));
    if (fault === 5) machine.link.replyTravel = () => (random.chance(0.3) ? 'lost' : random.integer(300));
    await this.time.advance(random.integer(2_500));
    if (random.chance(0.7)) this.heal();
  }

  heal(): void {
    for (const { link, clock } of this.machines) {
      link.restore();
      link.requestTravel = link.replyTravel = () => this.random.integer(4);
      clock.resume();
    }
    this.server.start();
  }

  end(): void {
    this.#over.abort(new Error('the run is over'));
  }

  /** 1 % off at most: many times what real clocks are. */
  #rate(): number {
    return 0.99 + this.random.next() * 0.02;
  }
}

it(`never lets two hold a lock, and always lets somebody hold it in the end: ${seeds} seeds of faults`, { timeout: 120_000 }, async () => {
  for (let seed = 1; seed <= seeds; seed++) {
    const world = new World(seed);
    const contending = world.machines.map((machine) => world.contend(machine));
    const failed = Promise.all(contending).catch((error: unknown) => {
      throw new Error(`seed ${seed}`, { cause: error });
    });
    failed.catch(() => {});
    while (world.time.nowMs < faultyMs) await world.disturb();
    world.heal();
    const before = world.tokens.length;
    await world.time.advance(healthyMs);
    expect(world.tokens.length - before, `seed ${seed}: it is held again and again once all is well`).toBeGreaterThan(20);
    expect(world.tokens, `seed ${seed}`).toEqual(world.tokens.toSorted((a, b) => (a < b ? -1 : 1)));
    world.end();
    await world.time.advance(10_000);
    await failed;
    expect(world.server.queue(lockQueue('lock')), `seed ${seed}: nothing is left`).toEqual([]);
  }
});
