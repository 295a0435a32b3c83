import { summarize, type Summary } from '../kit/statistics.ts';
import { formatMs, formatTable } from '../kit/table.ts';
import { eventNames, type Kind } from './contender.ts';
import { metrics, type Metric, type Outcome } from './metrics.ts';
import { formatPhases } from './phases.ts';

export interface Line {
  readonly metric: string;
  readonly unit: Metric['unit'];
  readonly holdfast: Summary | undefined;
  readonly patroni: Summary | undefined;
  /** Patroni's median by Holdfast's. */
  readonly ratio: number | undefined;
  readonly targets: readonly { readonly of: 'median' | 'worst'; readonly max: number; readonly met: boolean }[];
}

/** What was measured, metric by metric; those of which nothing was are left out. */
export function compare(outcomes: ReadonlyMap<Kind, Outcome>): Line[] {
  return metrics.flatMap((metric) => {
    const [holdfast, patroni] = (['holdfast', 'patroni'] as const).map((kind) => {
      const outcome = outcomes.get(kind);
      return outcome === undefined ? undefined : summarize(metric.values(outcome));
    });
    if (holdfast === undefined && patroni === undefined) return [];
    const ratio = holdfast !== undefined && patroni !== undefined && holdfast.median > 0 ? patroni.median / holdfast.median : undefined;
    const targets = holdfast === undefined ? [] : metric.targets.map((target) => ({ ...target, met: holdfast[target.of] <= target.max }));
    return [{ metric: metric.name, unit: metric.unit, holdfast, patroni, ratio, targets }];
  });
}

export function formatComparison(lines: readonly Line[]): string {
  const head = ['', 'Holdfast median', 'p90', 'worst', 'n', 'Patroni median', 'p90', 'worst', 'n', 'ratio', 'target'];
  const rows = lines.map((line) => [
    line.metric,
    ...cells(line.unit, line.holdfast),
    ...cells(line.unit, line.patroni),
    line.ratio === undefined ? '–' : `${line.ratio.toFixed(line.ratio < 10 ? 1 : 0)}×`,
    line.targets.map(({ of, max, met }) => `${of} ≤ ${format(line.unit, max)} ${met ? 'met' : 'MISSED'}`).join(', '),
  ]);
  return formatTable(head, rows);
}

/** Where Holdfast's time goes, for each event that was measured. */
export function formatAllPhases(outcome: Outcome): string {
  return eventNames
    .flatMap((event) => {
      const repetitions = outcome.repetitions.filter((one) => one.event === event);
      return repetitions.length === 0 ? [] : [`Where the time goes: ${event}\n${formatPhases(repetitions)}`];
    })
    .join('\n\n');
}

function cells(unit: Metric['unit'], summary: Summary | undefined): string[] {
  if (summary === undefined) return ['–', '–', '–', '–'];
  return [format(unit, summary.median), format(unit, summary.p90), format(unit, summary.worst), String(summary.count)];
}

function format(unit: Metric['unit'], value: number): string {
  if (unit === 'ms') return value === 0 ? '0' : formatMs(value);
  if (unit === 'count') return String(Math.round(value * 10) / 10);
  return `${value.toFixed(unit === '%' ? 2 : 0)} ${unit}`;
}
