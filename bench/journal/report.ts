import { summarize, type Summary } from '../kit/statistics.ts';
import { formatMs, formatTable } from '../kit/table.ts';
import type { Turn } from './cost.ts';
import type { Loss } from './losses.ts';
import type { Gap } from './take-over.ts';
import { ways, type Way } from './ways.ts';

/** What the design sets. */
const lostMsMedianMax = 1_500;
const lostMsWorstMax = 3_000;
const costMax = 0.03;

export interface Target {
  readonly what: string;
  readonly met: boolean;
}

export function formatLosses(losses: readonly Loss[]): string {
  const rows = [...new Set(losses.map(({ journal }) => journal))].map((journal) => {
    const mine = losses.filter((loss) => loss.journal === journal);
    const lost = summarize(mine.map(({ lostMs }) => lostMs))!;
    const total = (pick: (loss: Loss) => number): string => String(mine.reduce((sum, loss) => sum + pick(loss), 0));
    // How long after a restart writers wait is no loss, but what they see of it.
    const ready = summarize(mine.slice(1).map(({ readyMs }) => readyMs));
    return [
      journal,
      String(mine.length),
      formatMs(lost.median),
      formatMs(lost.p90),
      formatMs(lost.worst),
      total(({ lostRows }) => lostRows),
      total(({ acknowledged }) => acknowledged),
      formatMs(ready?.median),
    ];
  });
  return formatTable(['journal', 'kills', 'work lost', 'p90', 'worst', 'rows lost', 'of acknowledged', 'writable after restart'], rows);
}

export function formatGaps(gaps: readonly Gap[]): string {
  const rows = [...new Set(gaps.map(({ journal }) => journal))].map((journal) => {
    const gapMs = summarize(gaps.filter((gap) => gap.journal === journal).map((gap) => gap.gapMs))!;
    return [journal, String(gapMs.count), formatMs(gapMs.median), formatMs(gapMs.p90), formatMs(gapMs.worst)];
  });
  return formatTable(['journal', 'kills', 'nothing acknowledged', 'p90', 'worst'], rows);
}

export function formatCost(turns: readonly Turn[]): string {
  const rows = clientCounts(turns).flatMap((clients) =>
    ways.flatMap((way) => {
      const mine = turns.filter((turn) => turn.way === way && turn.clients === clients);
      if (mine.length === 0) return [];
      const median = (pick: (turn: Turn) => number): number => summarize(mine.map(pick))!.median;
      const cost = costOf(turns, way, clients);
      return [
        [
          way,
          String(clients),
          String(Math.round(median(({ tps }) => tps))),
          cost === undefined ? '–' : `${(cost.median * 100).toFixed(1)} %`,
          `${median(({ latencyMs }) => latencyMs).toFixed(2)} ms`,
          String(median(({ parts }) => parts)),
          median(({ keeperMsPerMb }) => keeperMsPerMb).toFixed(1),
          median(({ senderMsPerMb }) => senderMsPerMb).toFixed(1),
        ],
      ];
    }),
  );
  return formatTable(['journal', 'clients', 'tps', 'cost', 'latency', 'parts', 'journal ms/MB', 'walsender ms/MB'], rows);
}

function clientCounts(turns: readonly Turn[]): number[] {
  return [...new Set(turns.map(({ clients }) => clients))];
}

/** By how much it is slower than without a journal in the same round, as a part of one. */
function costOf(turns: readonly Turn[], way: Way, clients: number): Summary | undefined {
  const mine = turns.filter((turn) => turn.clients === clients);
  return summarize(
    mine.flatMap((turn) => {
      const without = mine.find((one) => one.way === 'none' && one.round === turn.round);
      return turn.way !== way || way === 'none' || without === undefined ? [] : [1 - turn.tps / without.tps];
    }),
  );
}

export function targets(losses: readonly Loss[], turns: readonly Turn[]): Target[] {
  const lost = summarize(losses.filter(({ journal }) => journal !== 'sync').map(({ lostMs }) => lostMs));
  const sync = losses.filter(({ journal }) => journal === 'sync');
  const costs = clientCounts(turns).flatMap((clients) => {
    const cost = costOf(turns, '1s', clients)?.median;
    if (cost === undefined) return [];
    const what = `cost of the journal with ${clients} clients ${(cost * 100).toFixed(1)} % of ${costMax * 100} %`;
    return [{ what, met: cost <= costMax }];
  });
  return [
    ...(lost === undefined
      ? []
      : [
          { what: `work lost, median ${formatMs(lost.median)} of ${formatMs(lostMsMedianMax)}`, met: lost.median <= lostMsMedianMax },
          { what: `work lost, worst ${formatMs(lost.worst)} of ${formatMs(lostMsWorstMax)}`, met: lost.worst <= lostMsWorstMax },
        ]),
    ...(sync.length === 0
      ? []
      : [{ what: 'nothing acknowledged is lost with journal: sync', met: sync.every(({ lostRows }) => lostRows === 0) }]),
    ...costs,
  ];
}
