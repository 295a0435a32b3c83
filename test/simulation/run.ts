import type { FailoverPolicy } from '../../src/failover/policy.ts';
import { seededRandom, type SeededRandom } from '../../src/sim/index.ts';
import { Clients } from './clients.ts';
import { Faults, type FaultKind } from './faults.ts';
import { Violation } from './invariants.ts';
import type { Variation } from './variation.ts';
import { World } from './world.ts';

const stepMs = 200;

export interface RunOptions {
  readonly variation?: Variation;
  readonly members?: number;
  readonly policy?: Partial<FailoverPolicy>;
  /** Only these kinds of fault. */
  readonly faults?: readonly FaultKind[];
  /** How long faults strike, and how long it may take after the last until all is well. */
  readonly faultsMs?: number;
  readonly calmMsMax?: number;
  /** How many lines of its trace are kept. */
  readonly traceLinesMax?: number;
}

export interface RunResult {
  readonly seed: number;
  readonly world: World;
  readonly violation: Violation | undefined;
  readonly simulatedMs: number;
  readonly members: number;
  readonly acknowledged: number;
  readonly reads: number;
  /** Reads that a former primary answered without what others had written. */
  readonly staleReads: number;
  readonly reigns: number;
  /** Changes of leadership, by why. */
  readonly changes: ReadonlyMap<string, number>;
  readonly faults: ReadonlyMap<string, number>;
  /** Equal for two runs of one seed. */
  readonly digest: string;
}

/** One world from beginning to end: starts, is struck by faults, and must come back. What the code throws meanwhile is a violation like others. */
export async function runSeed(seed: number, options: RunOptions = {}): Promise<RunResult> {
  const random = seededRandom(`shape of ${seed}`);
  const world = worldOf(seed, random, options);
  const clients = new Clients(world);
  const faults = new Faults(world, options.faults);
  const broken = (error: unknown): void => world.observer.broken(error);
  process.on('unhandledRejection', broken);
  try {
    await live(world, { clients, faults, random }, options);
  } catch (error) {
    broken(error);
  } finally {
    // What was rejected last is told only now.
    await new Promise((resolve) => setImmediate(resolve));
    process.off('unhandledRejection', broken);
  }
  return {
    seed,
    world,
    violation: world.observer.violation,
    simulatedMs: world.time.nowMs,
    members: world.names.length,
    acknowledged: clients.acknowledged,
    reads: clients.reads,
    staleReads: world.observer.former.stale,
    reigns: world.observer.reigns.length,
    changes: world.observer.changes,
    faults: faults.counts,
    digest: world.trace.digest,
  };
}

function worldOf(seed: number, random: SeededRandom, options: RunOptions): World {
  const members = options.members ?? random.pick([2, 2, 3, 3, 3, 3, 3, 4, 5, 5, 6, 7]);
  const policy: Partial<FailoverPolicy> = {
    acknowledge: random.pick(members === 2 ? [0, 0, 1] : [0, 1, 1, 1, 2]),
    minimum: random.chance(0.85) ? 1 : 0,
    ttlMs: random.pick([2_000, 3_000, 5_000]),
    heartbeatMs: random.pick([100, 150, 200]),
    ...options.policy,
  };
  const nofailover = members > 2 && random.chance(0.2) ? ['n2'] : [];
  const { variation, traceLinesMax } = options;
  const world = new World({ seed, members, policy, nofailover, traceLinesMax, ...(variation === undefined ? {} : { variation }) });
  world.trace.add('world', 'begins', { seed, members, ...world.policy, nofailover: nofailover.join(',') });
  return world;
}

interface Play {
  readonly clients: Clients;
  readonly faults: Faults;
  readonly random: SeededRandom;
}

async function live(world: World, { clients, faults, random }: Play, options: RunOptions): Promise<void> {
  const violated = (): boolean => world.observer.violation !== undefined;
  world.start();
  clients.start();
  if (random.chance(0.8)) await advance(world, 10_000, () => violated() || isWell(world));
  faults.start();
  await advance(world, options.faultsMs ?? 25_000, violated);
  faults.end();
  const calmMsMax = options.calmMsMax ?? 60_000;
  const well = await advance(world, calmMsMax, () => violated() || isWell(world));
  clients.stop();
  if (violated()) return;
  if (well) {
    await advance(world, 1_500, violated);
    world.observer.complete(world.observer.leadership!.leader);
  } else world.observer.broken(new Violation(`not well ${calmMsMax} ms after the last fault: ${describe(world)}`));
}

async function advance(world: World, ms: number, done: () => boolean): Promise<boolean> {
  const endMs = world.time.nowMs + ms;
  while (world.time.nowMs < endMs) {
    await world.time.advance(stepMs);
    if (done()) return true;
  }
  return false;
}

/** One member leads and serves, all others follow it, and the quorum is as configured. */
export function isWell(world: World): boolean {
  const record = world.observer.leadership;
  const leader = record === undefined ? undefined : world.node(record.leader);
  if (record === undefined || leader?.agent === undefined || record.roster.length !== 1) return false;
  const { server } = leader.database;
  if (server?.role !== 'primary' || !server.accepting || leader.agent.member.servingTerm !== record.term) return false;
  if (world.nodes.some((node) => node.agent?.policy !== world.policy)) return false;
  const others = world.nodes.filter((node) => node !== leader);
  const k = Math.min(world.policy.acknowledge, others.length);
  if (record.roster[0]!.k !== k || (k > 0 && record.roster[0]!.voters.length !== others.length)) return false;
  return others.every((node) => node.agent?.member.decision.say === 'streaming' && node.database.server?.receiver?.stream?.from === server);
}

export function describe(world: World): string {
  const record = world.observer.leadership;
  const members = world.nodes.map((node) => {
    const member = node.agent?.member;
    const { server } = node.database;
    return `${node.name}[${member?.occupiedBy ?? member?.decision.say ?? 'no agent'}: ${member?.fault || member?.decision.why}; ${server === undefined ? 'down' : server.role} promised ${member?.promised} serving ${member?.servingTerm}]`;
  });
  return `leader ${record?.leader} term ${record?.term} roster ${JSON.stringify(record?.roster)}; ${members.join(' ')}`;
}
