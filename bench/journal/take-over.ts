import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { MachineRuntime } from '../../src/core/runtime.ts';
import { DirectWriter } from '../../test/scenario/agents.ts';
import { JournalledCluster } from '../../test/scenario/backup/journalled.ts';
import { killProcessesOf } from '../../test/scenario/demo-process.ts';
import { ownDirectory } from '../kit/directory.ts';

/** Longer than a journal that was left out is waited for again. */
const steadyMs = 2_000;
const gapMsMax = 60_000;
/** Rows of different kills have numbers this far apart. */
const rowsApart = 1_000_000;

/** For how long nothing was acknowledged to a client of the router when the leader's node died. */
export interface Gap {
  readonly journal: string;
  readonly repetition: number;
  readonly gapMs: number;
}

/** The leader's every process is killed, again and again; what commits wait for beside a new leader is in the difference between two journals. */
export async function measureTakeOvers(
  journal: string,
  repetitions: number,
  runtime: MachineRuntime,
  { signal, tell }: { readonly signal: AbortSignal; readonly tell: (line: string) => void },
): Promise<Gap[]> {
  await using directory = await ownDirectory();
  await using cluster = await JournalledCluster.start(directory.path, journal, runtime);
  const { agents } = cluster;
  const gaps: Gap[] = [];
  for (let repetition = 1; repetition <= repetitions; repetition++) {
    const { leader } = await agents.whole();
    await using writer = new DirectWriter(agents.write, repetition * rowsApart);
    writer.start();
    await sleep(steadyMs, undefined, { signal });
    const killedMs = performance.now();
    await killProcessesOf(dirname(agents.node(leader!).configFile));
    const gapMs = await untilAcked(writer, killedMs, signal);
    gaps.push({ journal, repetition, gapMs });
    tell(`${journal} ${repetition}/${repetitions}: nothing acknowledged for ${gapMs} ms`);
    agents.startAgent(leader!);
  }
  return gaps;
}

/** The longest time without an acknowledgement from the kill on, once rows are acknowledged again. */
async function untilAcked(writer: DirectWriter, killedMs: number, signal: AbortSignal): Promise<number> {
  const end = killedMs + gapMsMax;
  while (performance.now() < end) {
    await sleep(20, undefined, { signal });
    const acked = [...writer.acked.values()].toSorted((a, b) => a - b);
    const first = acked.findIndex((atMs) => atMs >= killedMs);
    if (first < 1) continue;
    // What was on its way when the leader died may still arrive: the time since the last one counts, too, until others follow.
    const gaps = acked.slice(first).map((atMs, index) => atMs - acked[first + index - 1]!);
    const longest = Math.max(performance.now() - acked.at(-1)!, ...gaps);
    if (performance.now() - killedMs > longest + 1_000) return Math.round(longest);
  }
  throw new Error('no row was acknowledged in time after the leader had died');
}
