import { messageOf } from '../../../src/core/errors.ts';
import { forceFailover, reinit, restart, switchover } from '../../../src/failover/operate.ts';
import { settingsSchema } from '../../../src/failover/records.ts';
import type { SeededRandom } from '../../../src/sim/index.ts';
import { service, type SimulatedNode } from '../node.ts';
import type { World } from '../world.ts';
import { leaderOf, type FaultKinds } from './fault.ts';

/** What people do, whatever else goes on. */
export const operatorFaults = {
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
  'acknowledge changed': {
    weight: 2,
    begin: (world, random) => {
      const least = world.sessionsBreak ? 1 : 0;
      const choices = [0, 1, 2].filter((k) => k >= least && k < world.names.length && k !== world.policy.acknowledge);
      if (choices.length === 0) return undefined;
      world.policy = { ...world.policy, acknowledge: random.pick(choices) };
      world.trace.add('world', 'operator: acknowledge', { is: world.policy.acknowledge });
      if (!rollingOut.has(world)) rollOut(world, random);
      rollingOut.add(world);
      return undefined;
    },
  },
} as const satisfies FaultKinds;

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

const rollingOut = new WeakSet<World>();

/** Restarts one agent after the other that still runs by an older configuration. */
function rollOut(world: World, random: SeededRandom): void {
  world.clock.after(OPERATOR_LOOKS_EVERY_MS, () => {
    rollOut(world, random);
    const outdated = world.nodes.filter(({ agent }) => agent !== undefined && !agent.clock.stalled && agent.policy !== world.policy);
    if (outdated.length === 0) return;
    const node = random.pick(outdated);
    node.leaveAgent();
    world.clock.after(20 + random.next() * 300, () => {
      if (world.network.isPowered(node.name)) node.startAgent();
    });
  });
}
