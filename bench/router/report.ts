import { summarize } from '../kit/statistics.ts';
import { formatTable } from '../kit/table.ts';
import type { Throughput, Workload } from './pgbench.ts';
import type { WayName } from './ways.ts';

export interface Turn extends Throughput {
  readonly round: number;
  readonly workload: Workload;
  readonly way: WayName;
  /** Processor time of what carries the bytes, for each transaction. */
  readonly cpuMicrosPerTransaction: number | undefined;
}

/** The ways beside each other; ratios are medians of those within each round. */
export function formatTurns(workload: Workload, names: readonly WayName[], all: readonly Turn[]): string {
  const turns = all.filter((turn) => turn.workload === workload);
  const median = (name: WayName, pick: (turn: Turn) => number | undefined): number | undefined =>
    summarize(turns.filter((turn) => turn.way === name).flatMap((turn) => pick(turn) ?? []))?.median;
  const by = (name: WayName, other: WayName): string => {
    const ratio = median(name, (turn) => {
      const beside = turns.find((one) => one.way === other && one.round === turn.round);
      return beside === undefined ? undefined : turn.tps / beside.tps;
    });
    return ratio === undefined ? '–' : `${ratio.toFixed(2)}×`;
  };
  const rows = names.map((name) => {
    const cpu = median(name, (turn) => turn.cpuMicrosPerTransaction);
    const [tps, latency] = [median(name, (turn) => turn.tps)!, median(name, (turn) => turn.latencyMs)!];
    return [
      name,
      String(Math.round(tps)),
      by(name, 'direct'),
      by(name, 'haproxy'),
      `${latency.toFixed(2)} ms`,
      cpu === undefined ? '–' : `${Math.round(cpu)} µs`,
    ];
  });
  return formatTable(['median of the rounds', 'tps', 'by direct', 'by HAProxy', 'latency', 'its own CPU per transaction'], rows);
}
