import { setTimeout as sleep } from 'node:timers/promises';
import { cpuSeconds, rssBytes } from '../kit/process-usage.ts';
import type { Contender } from './contender.ts';

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
  const before = nodes.map(({ pids }) => sum(pids.map(cpuSeconds)));
  const startedMs = performance.now();
  await sleep(seconds * 1_000, undefined, { signal });
  const elapsed = (performance.now() - startedMs) / 1_000;
  return nodes.map(({ name, pids }, index) => ({
    node: name,
    rssBytes: sum(pids.map(rssBytes)),
    cpuPercent: (100 * (sum(pids.map(cpuSeconds)) - before[index]!)) / elapsed,
  }));
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
