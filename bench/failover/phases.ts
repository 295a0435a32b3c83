import { formatMs, formatTable } from '../kit/table.ts';
import { summarize } from '../kit/statistics.ts';
import type { Repetition } from './race.ts';

/** One stretch between two moments. */
interface Phase {
  readonly name: string;
  readonly ms: number;
}

/** The stretches of one repetition, in order: together they are the gap. */
export function phasesOf({ moments }: Pick<Repetition, 'moments'>): Phase[] {
  const phases: Phase[] = [];
  const first = moments.at(-1)!.atMs;
  let before = moments[0]!;
  for (const { what, atMs } of moments.slice(1)) {
    // Clocks are read in milliseconds, and what is logged after the first row did not keep it waiting.
    const reachedMs = Math.min(first, Math.max(before.atMs, atMs));
    phases.push({ name: `${before.what} → ${what}`, ms: reachedMs - before.atMs });
    before = { what, atMs: reachedMs };
  }
  return phases;
}

/** Where the time of one event goes: each phase's median over the repetitions, its share, and its worst. */
export function formatPhases(repetitions: readonly Repetition[]): string {
  const byName = new Map<string, number[]>();
  for (const repetition of repetitions) {
    for (const { name, ms } of phasesOf(repetition)) byName.set(name, [...(byName.get(name) ?? []), ms]);
  }
  const total = repetitions.reduce((sum, { gapMs }) => sum + gapMs, 0);
  const order = repetitions.flatMap((repetition) => phasesOf(repetition).map(({ name }, index) => ({ name, index })));
  const place = (name: string): number => Math.max(...order.filter((one) => one.name === name).map(({ index }) => index));
  const rows = [...byName]
    .toSorted(([a], [b]) => place(a) - place(b))
    .map(([name, values]) => {
      const { count, median, worst } = summarize(values)!;
      const share = (100 * values.reduce((sum, ms) => sum + ms, 0)) / total;
      return [name, formatMs(median), formatMs(worst), `${share.toFixed(0)} %`, String(count)];
    });
  const setbacks = repetitions.filter((repetition) => repetition.setbacks.length > 0).length;
  const note = setbacks === 0 ? '' : `\n${setbacks} of ${repetitions.length} repetitions had an attempt that failed and was made again.`;
  return formatTable(['phase', 'median', 'worst', 'of all time', 'seen'], rows) + note;
}
