import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Contender } from './contender.ts';

/** USER_HZ of Linux: what /proc counts time in, on every architecture that Node runs on. */
const TICKS_PER_SECOND = 100;

/** What one node's agent, with all its helpers, takes when nothing happens. */
export interface AtRest {
  readonly node: string;
  readonly rssBytes: number;
  /** Percent of one core. */
  readonly cpuPercent: number;
}

/** Watches all agents for a while during which no client does anything. */
export async function watchAtRest(contender: Contender, seconds: number, signal: AbortSignal): Promise<AtRest[]> {
  const nodes = await Promise.all(contender.nodes.map(async ({ name }) => ({ name, pids: await contender.agentPids(name) })));
  const before = nodes.map(({ pids }) => sum(pids.map(cpuTicks)));
  const startedMs = performance.now();
  await sleep(seconds * 1_000, undefined, { signal });
  const elapsedTicks = ((performance.now() - startedMs) / 1_000) * TICKS_PER_SECOND;
  return nodes.map(({ name, pids }, index) => ({
    node: name,
    rssBytes: sum(pids.map(rssBytes)),
    cpuPercent: (100 * (sum(pids.map(cpuTicks)) - before[index]!)) / elapsedTicks,
  }));
}

/** Of the process and of children that it has waited for (proc_pid_stat(5): utime, stime, cutime, cstime). */
function cpuTicks(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return sum(fields.slice(11, 15).map(Number));
}

function rssBytes(pid: number): number {
  const [, kib] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1')) ?? [];
  return Number(kib ?? 0) * 1_024;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
