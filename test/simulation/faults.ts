import { messageOf } from '../../src/core/errors.ts';
import { forceFailover, reinit, restart, switchover } from '../../src/failover/operate.ts';
import type { SeededRandom, SimulatedClock } from '../../src/sim/index.ts';
import { service, type SimulatedNode } from './node.ts';
import { settingsSchema } from '../../src/failover/records.ts';
import { flushMsMaxWell } from './postgres/database.ts';
import type { World } from './world.ts';

/** Something bad, begun now. Returns what undoes it. */
type Fault = (world: World, random: SeededRandom) => (() => void) | undefined;

const faults = {
  'agent killed': {
    weight: 3,
    begin: (world, random) => {
      const node = random.pick(world.nodes);
      node.killAgent();
      return () => node.startAgent();
    },
  },
  'agent upgraded': {
    weight: 3,
    begin: (world, random) => {
      const node = random.chance(0.5) ? (leaderOf(world) ?? random.pick(world.nodes)) : random.pick(world.nodes);
      node.leaveAgent();
      return () => node.startAgent();
    },
  },
  'leader killed': {
    weight: 4,
    begin: (world, random) => {
      const node = leaderOf(world) ?? random.pick(world.nodes);
      node.crash(random.chance(0.5) ? 'on' : 'off');
      return () => node.restart();
    },
  },
  'node killed': {
    weight: 3,
    begin: (world, random) => {
      const node = random.pick(world.nodes);
      node.crash(random.chance(0.5) ? 'on' : 'off');
      return () => node.restart();
    },
  },
  'database killed': {
    weight: 4,
    begin: (world, random) => {
      const node = random.chance(0.6) ? leaderOf(world) : random.pick(world.nodes);
      node?.killDatabase();
      return undefined;
    },
  },
  'agent stalled': {
    weight: 4,
    begin: (world, random) => {
      const node = random.chance(0.6) ? leaderOf(world) : random.pick(world.nodes);
      const agent = node?.agent;
      if (node === undefined || agent === undefined) return undefined;
      world.trace.add(node.name, 'agent stalled');
      node.noteTerm();
      agent.clock.stall();
      return () => {
        if (node.agent !== agent || node.suspended) return;
        world.trace.add(node.name, 'agent goes on');
        agent.clock.resume();
      };
    },
  },
  'database stalled': {
    weight: 2,
    begin: (world, random) => {
      const node = random.chance(0.6) ? leaderOf(world) : random.pick(world.nodes);
      const server = node?.database.server;
      if (node === undefined || server === undefined) return undefined;
      world.trace.add(node.name, 'database stalled');
      server.clock.stall();
      return () => {
        if (!node.suspended) server.clock.resume();
      };
    },
  },
  'machine suspended': {
    weight: 1,
    begin: (world, random) => {
      const node = random.pick(world.nodes);
      if (node.suspended) return undefined;
      node.suspended = true;
      world.trace.add(node.name, 'machine suspended');
      for (const clock of clocksOf(node)) clock.suspend();
      return () => {
        node.suspended = false;
        world.trace.add(node.name, 'machine goes on');
        // A real guard notices within its poll interval, which the database may use: the one hole of asynchronous mode that is not closed.
        node.guard.check();
        for (const clock of clocksOf(node)) clock.resume();
      };
    },
  },
  'cut off': {
    weight: 3,
    begin: (world, random) => {
      const node = random.chance(0.5) ? (leaderOf(world) ?? random.pick(world.nodes)) : random.pick(world.nodes);
      const places = random.chance(0.7) ? [...world.names, 'store'] : world.names;
      return cut(
        world,
        places.flatMap((other) =>
          other === node.name
            ? []
            : [
                [node.name, other],
                [other, node.name],
              ],
        ),
      );
    },
  },
  'cut off one way': {
    weight: 2,
    begin: (world, random) => {
      const node = random.pick(world.nodes);
      const out = random.chance(0.5);
      return cut(
        world,
        [...world.names, 'store'].flatMap((other) => (other === node.name ? [] : [out ? [node.name, other] : [other, node.name]])),
      );
    },
  },
  'pair cut': {
    weight: 3,
    begin: (world, random) => {
      const a = random.pick(world.names);
      const b = random.pick([...world.names, 'store'].filter((name) => name !== a));
      return cut(
        world,
        random.chance(0.3)
          ? [[a, b]]
          : [
              [a, b],
              [b, a],
            ],
      );
    },
  },
  'leader dies ahead of a replica': {
    weight: 4,
    begin: (world, random) => {
      const leader = leaderOf(world);
      const behind = random.pick(world.nodes);
      if (leader === undefined || leader === behind) return undefined;
      const mend = cut(world, [[leader.name, behind.name]]);
      let over = false;
      world.clock.after(random.next() * 2_500, () => {
        if (over) return;
        const how = random.integer(3);
        if (how === 0) leader.killDatabase();
        else leader.crash(how === 1 ? 'on' : 'off');
        if (random.chance(0.7)) mend();
      });
      return () => {
        over = true;
        mend();
        leader.restart();
      };
    },
  },
  'two leaders die in a row, a replica far behind': {
    weight: 2,
    begin: (world, random) => {
      const first = leaderOf(world);
      const others = world.nodes.filter((node) => node !== first);
      if (first === undefined) return undefined;
      const behind = random.pick(others);
      const delayMsMax = 300 + random.next() * 600;
      const ways = world.nodes.flatMap((node) => (node === behind ? [] : [world.network.way(node.name, behind.name)]));
      for (const way of ways) Object.assign(way, { delayMsMin: 300, delayMsMax });
      world.trace.add('world', 'lags', { node: behind.name, delayMsMax });
      const { clock } = world;
      let over = false;
      const strike = (leader: SimulatedNode): void => {
        if (!over) leader.crash('on');
      };
      const strikeNext = (): void => {
        const next = leaderOf(world);
        if (next === undefined || next === first || next.database.server?.role !== 'primary') {
          if (!over) clock.after(20, strikeNext);
        } else if (next !== behind) clock.after(random.next() * 600, () => strike(next));
      };
      clock.after(500 + random.next() * 500, () => {
        strike(first);
        strikeNext();
      });
      return () => {
        over = true;
        for (const way of ways) Object.assign(way, { delayMsMin: 0.2, delayMsMax: 1 });
        for (const node of world.nodes) node.restart();
      };
    },
  },
  'replica lags': {
    weight: 2,
    begin: (world, random) => {
      const leader = leaderOf(world);
      const behind = random.pick(world.nodes);
      if (leader === undefined || leader === behind) return undefined;
      const way = world.network.way(leader.name, behind.name);
      Object.assign(way, { delayMsMin: 100, delayMsMax: 100 + random.next() * 500 });
      world.trace.add('world', 'lags', { node: behind.name, delayMsMax: way.delayMsMax });
      return () => Object.assign(way, { delayMsMin: 0.2, delayMsMax: 1 });
    },
  },
  'split in two': {
    weight: 2,
    begin: (world, random) => {
      const left = new Set([...world.names, 'store'].filter(() => random.chance(0.5)));
      const places = [...world.names, 'store'];
      return cut(
        world,
        places.flatMap((a) => places.filter((b) => left.has(a) !== left.has(b)).map((b) => [a, b])),
      );
    },
  },
  'bad network': {
    weight: 2,
    begin: (world, random) => {
      const loss = random.chance(0.5) ? random.next() * 0.3 : 0;
      const delayMsMax = 1 + random.next() * 200;
      const places = [...world.names, 'store'];
      const ways = places.flatMap((a) => places.filter((b) => b !== a && random.chance(0.6)).map((b) => world.network.way(a, b)));
      world.trace.add('world', 'bad network', { loss, delayMsMax });
      for (const way of ways) Object.assign(way, { loss, delayMsMax });
      return () => {
        for (const way of ways) Object.assign(way, { loss: 0, delayMsMin: 0.2, delayMsMax: 1 });
        world.trace.add('world', 'good network');
      };
    },
  },
  'store away': {
    weight: 3,
    begin: (world, random) => {
      const how = random.pick(['crash', 'pause'] as const);
      world.trace.add('store', how);
      world.store[how]();
      return () => {
        world.trace.add('store', 'starts');
        world.store.start();
      };
    },
  },
  'store forgets': {
    weight: 1,
    begin: (world) => {
      world.store.compact();
      return undefined;
    },
  },
  'slow disk': {
    weight: 1,
    begin: (world, random) => {
      const node = random.pick(world.nodes);
      const full = random.chance(0.5);
      world.trace.add(node.name, full ? 'disk full' : 'disk slow');
      if (full) node.disk.full = true;
      else node.disk.writeMsMax = 800;
      return () => {
        world.trace.add(node.name, 'disk well');
        node.disk.full = false;
        node.disk.writeMsMax = 4;
      };
    },
  },
  'slow data disk': {
    weight: 2,
    begin: (world, random) => {
      const { database } = random.pick(world.nodes);
      database.flushMsMax = 50 + random.next() ** 2 * 5_000;
      world.trace.add(database.node, 'data disk slow', { flushMsMax: database.flushMsMax });
      return () => {
        database.flushMsMax = flushMsMaxWell;
        world.trace.add(database.node, 'data disk well');
      };
    },
  },
  'clock set': {
    weight: 1,
    begin: (world, random) => {
      random.pick(world.nodes).agent?.clock.jumpWall((random.next() - 0.5) * 7_200_000);
      return undefined;
    },
  },
  switchover: {
    weight: 3,
    begin: (world, random) =>
      order(world, leaderOf(world), 'switchover', (node) => switchover(node, random.chance(0.5) ? random.pick(world.names) : undefined)),
  },
  failover: {
    weight: 2,
    begin: (world, random) =>
      order(world, random.pick(world.nodes), 'failover', (node) =>
        forceFailover(node, random.chance(0.5) ? random.pick(world.names) : undefined),
      ),
  },
  restart: { weight: 2, begin: (world, random) => order(world, random.pick(world.nodes), 'restart', restart) },
  reinit: { weight: 1, begin: (world, random) => order(world, random.pick(world.nodes), 'reinit', reinit) },
  pause: {
    weight: 1,
    begin: (world, random) => {
      setPaused(world, random, true);
      return () => setPaused(world, random, false);
    },
  },
} as const satisfies Readonly<Record<string, { readonly weight: number; readonly begin: Fault }>>;

export type FaultKind = keyof typeof faults;

/** Strikes at random, again and again, and undoes each after a while. */
export class Faults {
  readonly #world: World;
  readonly #random: SeededRandom;
  readonly #running = new Set<() => void>();
  readonly #names: readonly FaultKind[];
  readonly counts: Map<string, number> = new Map();
  #stopped = false;

  /** @param only these kinds; default: those that the seed picks (swarm testing: some are left out, so that the others can go deep) */
  constructor(world: World, only?: readonly FaultKind[]) {
    this.#world = world;
    this.#random = world.random.fork('faults');
    const all = Object.keys(faults) as FaultKind[];
    const picked = all.filter(() => this.#random.chance(0.6));
    const kinds = only ?? (picked.length === 0 ? all : picked);
    this.#names = kinds.flatMap((kind) => Array.from({ length: faults[kind].weight }, () => kind));
  }

  start(): void {
    const meanMs = 300 + this.#random.next() * 3_000;
    const next = (): void => {
      this.#world.clock.after(this.#random.next() * 2 * meanMs, () => {
        if (this.#stopped) return;
        this.#strike();
        next();
      });
    };
    next();
  }

  #strike(): void {
    const kind = this.#random.pick(this.#names);
    this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1);
    this.#world.trace.add('world', `FAULT ${kind}`);
    const undo = faults[kind].begin(this.#world, this.#random);
    if (undo === undefined) return;
    this.#running.add(undo);
    const lastsMs = this.#random.chance(0.7) ? 100 + this.#random.next() * 3_000 : this.#random.next() * 12_000;
    this.#world.clock.after(lastsMs, () => {
      if (this.#running.delete(undo)) undo();
    });
  }

  /** All is undone, every process runs. */
  end(): void {
    this.#stopped = true;
    this.#world.trace.add('world', 'ALL FAULTS END');
    for (const undo of this.#running) undo();
    this.#running.clear();
    this.#world.network.heal();
    this.#world.store.start();
    for (const node of this.#world.nodes) node.restart();
  }
}

export function leaderOf(world: World): SimulatedNode | undefined {
  return world.nodes.find((node) => node.name === world.observer.leadership?.leader);
}

/** Of everything that runs on a machine now. */
function clocksOf(node: SimulatedNode): SimulatedClock[] {
  return [node.machine, node.agent?.clock, node.database.server?.clock].flatMap((clock) => clock ?? []);
}

function cut(world: World, pairs: readonly (readonly string[])[]): () => void {
  const ways = pairs.map(([from, to]) => world.network.way(from!, to!));
  world.trace.add('world', 'cut', { ways: pairs.map((pair) => pair.join('>')).join(' ') });
  for (const way of ways) way.open = false;
  return () => {
    world.trace.add('world', 'mended', { ways: pairs.map((pair) => pair.join('>')).join(' ') });
    for (const way of ways) way.open = true;
  };
}

function order(
  world: World,
  node: SimulatedNode | undefined,
  what: string,
  give: (member: NonNullable<SimulatedNode['agent']>['member']) => Promise<unknown>,
): undefined {
  const agent = node?.agent;
  if (node === undefined || agent === undefined || agent.clock.stalled) return undefined;
  world.trace.add(node.name, `operator: ${what}`);
  give(agent.member).then(
    (outcome) => world.trace.add(node.name, `operator: ${what} done`, { outcome }),
    (error: unknown) => world.trace.add(node.name, `operator: ${what} refused`, { error: messageOf(error) }),
  );
  return undefined;
}

/** What the operator wants; kept after until the store says so. */
function setPaused(world: World, random: SeededRandom, paused: boolean): void {
  if (!wanted.has(world)) keepAfter(world, random);
  wanted.set(world, paused);
}

const wanted = new WeakMap<World, boolean>();
const OPERATOR_LOOKS_EVERY_MS = 400;

function keepAfter(world: World, random: SeededRandom): void {
  world.clock.after(OPERATOR_LOOKS_EVERY_MS, () => {
    keepAfter(world, random);
    const paused = wanted.get(world);
    const entry = world.store.get(`services/${service}/settings`);
    const is = entry !== undefined && settingsSchema.parse(JSON.parse(entry.value)).paused;
    const agents = world.nodes.flatMap((node) => (node.agent === undefined || node.agent.clock.stalled ? [] : [node.agent]));
    if (paused === undefined || paused === is || agents.length === 0) return;
    const { store, member } = random.pick(agents);
    store.setPaused(paused, member.signal).then(
      () => world.trace.add('world', paused ? 'paused' : 'resumed'),
      () => {},
    );
  });
}
