import { summarize, type Summary } from '../kit/statistics.ts';
import { formatMs, formatTable } from '../kit/table.ts';
import { ways, type Turn, type Way } from './cost.ts';
import type { Loss } from './losses.ts';

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

export function formatCost(turns: readonly Turn[]): string {
  const counts = [...new Set(turns.map(({ clients }) => clients))];
  const rows = counts.flatMap((clients) =>
    ways.map((way) => {
      const mine = turns.filter((turn) => turn.way === way && turn.clients === clients);
      const [tps, latency] = [summarize(mine.map((turn) => turn.tps)), summarize(mine.map(({ latencyMs }) => latencyMs))];
      const cost = costOf(turns, way, clients);
      return [
        way === 'none' ? 'none' : way,
        String(clients),
        String(Math.round(tps?.median ?? 0)),
        cost === undefined ? '–' : `${(cost.median * 100).toFixed(1)} %`,
        `${(latency?.median ?? 0).toFixed(2)} ms`,
        String(summarize(mine.map(({ parts }) => parts))?.median ?? 0),
      ];
    }),
  );
  return formatTable(['journal', 'clients', 'tps', 'cost', 'latency', 'parts'], rows);
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
  const clients = Math.max(0, ...turns.map((turn) => turn.clients));
  const cost = costOf(turns, '1s', clients)?.median;
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
    ...(cost === undefined
      ? []
      : [{ what: `cost of the journal ${(cost * 100).toFixed(1)} % of ${costMax * 100} %`, met: cost <= costMax }]),
  ];
}
