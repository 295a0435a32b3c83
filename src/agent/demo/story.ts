import type { ServiceStatus } from '../../api/schema.ts';
import type { MachineRuntime } from '../../core/runtime.ts';
import type { DemoCluster } from './cluster.ts';
import { playDisaster, untilCopied, type DisasterResult } from './disaster.ts';
import { DEMO_SERVICE } from './layout.ts';
import { CheckingLoad } from './load.ts';

const WHOLE_MS = 20_000;
const GAP_MS_MAX = 5_000;
/** The load runs so long before each event, and after the cluster is whole again. */
const CALM_MS = 1_000;
/** How long a stalled agent is left stalled. */
const STALL_MS = 6_000;
/** After a fault is made, the write gap has to begin before it can be over. */
const SETTLE_MS = 300;

export interface EventResult {
  readonly gapMs: number;
  readonly acked: number;
  readonly lost: number;
  readonly clientErrors: number;
  readonly leaderBefore: string;
  readonly leaderAfter: string;
  readonly wholeAfterMs: number;
}

export const eventNames = ['nodeLost', 'databaseKilled', 'agentStalled', 'switchover'] as const;
export type EventName = (typeof eventNames)[number];

export interface StoryResult {
  readonly events: Readonly<Record<EventName, EventResult>>;
  readonly acked: number;
  readonly lost: number;
  /** The loss of every node and of one location. */
  readonly restore: DisasterResult;
  readonly held: boolean;
}

type Fault = (leader: Leader) => Promise<void>;
interface Leader {
  readonly node: string;
  readonly pids: { readonly agent: number; readonly guard: number | undefined; readonly database: number };
  readonly dataDirectory: string;
}

/** Plays what a cluster is for: a checking load through the router, and four things going wrong, or being moved, under it; then everything is lost, and brought back from its copies. */
export async function playStory(
  cluster: DemoCluster,
  runtime: MachineRuntime,
  tell: (line: string) => void,
  signal: AbortSignal,
): Promise<StoryResult> {
  const whole = (service: ServiceStatus): boolean => cluster.isWhole(service);
  await using load = new CheckingLoad(cluster.writeConnection, runtime);
  await load.start();
  tell('waiting for the first base backup …');
  await untilCopied(cluster, runtime, signal);
  const events: Partial<Record<EventName, EventResult>> = {};
  for (const name of eventNames) {
    await runtime.clock.sleep(CALM_MS, signal);
    const before = await cluster.until('whole', whole, WHOLE_MS, signal);
    const leader = leaderOf(cluster, before);
    const first = load.acknowledged;
    load.mark();
    tell(`${titles[name]} (${leader.node}) …`);
    const beganMs = runtime.clock.monotonicMs();
    await faults(cluster, runtime, signal)[name](leader);
    await runtime.clock.sleep(SETTLE_MS, signal);
    // Each of the four ends the leadership: what was whole before does not count.
    const after = await cluster.until('whole again', (service) => service.term > before.term && whole(service), WHOLE_MS, signal);
    const wholeAfterMs = Math.round(runtime.clock.monotonicMs() - beganMs);
    await cluster.writeFacts(after);
    await runtime.clock.sleep(CALM_MS / 2, signal);
    const stretch = load.measure();
    const result: EventResult = {
      ...stretch,
      lost: await load.lost(first),
      leaderBefore: leader.node,
      leaderAfter: after.leader!,
      wholeAfterMs,
    };
    events[name] = result;
    tell(
      `  writes paused ${result.gapMs} ms, ${result.acked} rows acknowledged, ${result.lost} lost, ${result.clientErrors} errors; ${result.leaderAfter} leads`,
    );
  }
  const lost = await load.lost(0);
  const acked = load.acknowledged;
  const restore = await playDisaster(cluster, load, runtime, tell, signal);
  const all = events as Record<EventName, EventResult>;
  const held =
    lost === 0 && restore.verified && Object.values(all).every((event) => event.lost === 0 && event.gapMs < GAP_MS_MAX && event.acked > 0);
  return { events: all, acked, lost, restore, held };
}

const titles: Readonly<Record<EventName, string>> = {
  nodeLost: 'killing agent, guard and database of the leader',
  databaseKilled: "killing the leader's database",
  agentStalled: "stopping the leader's agent (SIGSTOP)",
  switchover: 'switching over',
};

function faults(cluster: DemoCluster, runtime: MachineRuntime, signal: AbortSignal): Record<EventName, Fault> {
  const { processes, clock } = runtime;
  return {
    async nodeLost(leader) {
      const tree = processes.withWorkingDirectory(leader.dataDirectory).map((one) => one.pid);
      for (const pid of [leader.pids.agent, leader.pids.guard, leader.pids.database, ...tree]) killPid(runtime, pid, 'SIGKILL');
    },
    async databaseKilled(leader) {
      killPid(runtime, leader.pids.database, 'SIGKILL');
    },
    async agentStalled(leader) {
      killPid(runtime, leader.pids.agent, 'SIGSTOP');
      try {
        await clock.sleep(STALL_MS, signal);
      } finally {
        killPid(runtime, leader.pids.agent, 'SIGCONT');
      }
    },
    async switchover() {
      const client = await cluster.client();
      await client.switchover(DEMO_SERVICE, {}, { signal });
    },
  };
}

function killPid(runtime: MachineRuntime, pid: number | undefined, name: NodeJS.Signals): void {
  const identity = pid === undefined ? undefined : runtime.processes.identify(pid);
  if (identity !== undefined) runtime.processes.kill(identity, name);
}

function leaderOf(cluster: DemoCluster, service: ServiceStatus): Leader {
  const member = service.members.find((one) => one.node === service.leader)!;
  const { agent, guard, database } = member.pids;
  return {
    node: member.node,
    pids: { agent: agent!, guard, database: database! },
    dataDirectory: `${cluster.layout.directory}/${member.node}/data`,
  };
}
