import { setTimeout as sleep } from 'node:timers/promises';
import type { MachineRuntime } from '../../src/core/runtime.ts';
import { JournalledCluster } from '../../test/scenario/backup/journalled.ts';
import { ownDirectory } from '../kit/directory.ts';

/** Long enough that a kill meets a journal in its stride, at no particular moment of its interval. */
const loadMsMin = 2_000;
const loadMsSpread = 1_500;
/** Rows of different kills have numbers this far apart. */
const rowsApart = 100_000_000;

/** What one kill cost. */
export interface Loss {
  readonly journal: string;
  readonly repetition: number;
  readonly acknowledged: number;
  readonly lostRows: number;
  /** From the first lost row's acknowledgement to the kill; 0 when nothing is lost. */
  readonly lostMs: number;
  /** From the restart of everything to the first row that is acknowledged: nobody waits for it but those who write. */
  readonly readyMs: number;
}

/** One cluster, killed as a whole again and again under load; each time restored from its location, elsewhere. */
export async function measureLosses(
  journal: string,
  repetitions: number,
  runtime: MachineRuntime,
  { signal, tell }: { readonly signal: AbortSignal; readonly tell: (line: string) => void },
): Promise<Loss[]> {
  await using directory = await ownDirectory();
  await using cluster = await JournalledCluster.start(directory.path, journal, runtime);
  const losses: Loss[] = [];
  const before = new Set<number>();
  let restartedMs = performance.now();
  for (let repetition = 1; repetition <= repetitions; repetition++) {
    signal.throwIfAborted();
    const load = await cluster.load(repetition * rowsApart);
    await load.untilAcked();
    const readyMs = Math.round(performance.now() - restartedMs);
    await sleep(loadMsMin + Math.random() * loadMsSpread, undefined, { signal });
    await cluster.kill();
    const killedMs = performance.now();
    await load.done;
    const there = await cluster.restoredRows();
    for (const id of before) if (!there.has(id)) throw new Error(`row ${id}, which an earlier restore brought back, is gone`);
    const lost = [...load.acked].filter(([id]) => !there.has(id)).map(([, atMs]) => atMs);
    // Those that were lost once are lost for the copies that follow, too: the nodes still have them, so they come back with these.
    for (const id of there) before.add(id);
    const lostMs = lost.length === 0 ? 0 : Math.max(0, Math.round(killedMs - Math.min(...lost)));
    losses.push({ journal, repetition, acknowledged: load.acked.size, lostRows: lost.length, lostMs, readyMs });
    tell(`${journal} ${repetition}/${repetitions}: ${load.acked.size} rows acknowledged, ${lost.length} lost, ${lostMs} ms of work`);
    if (repetition === repetitions) break;
    restartedMs = performance.now();
    cluster.restart();
  }
  return losses;
}
