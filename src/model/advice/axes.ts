import { percent, time } from '../format.ts';
import type { Advice, AdvisedDesign } from './advise.ts';
import { money } from './report.ts';

/** A quantity that designs are laid out by: where each stands, 0 to 1 and better towards 0, and the marks of the axis. */
export interface PlotAxis {
  readonly title: string;
  readonly shares: readonly number[];
  readonly marks: readonly { readonly share: number; readonly text: string }[];
}

/** Marks at 1, 2 and 5 of each power of ten; only powers where there would be more than these. */
const marksMax = 8;

/** All that designs may be laid out by: cost, availability, expected RTA, expected loss, both kinds of money, durability. */
export function axesOf({ front, currency }: Pick<Advice, 'front' | 'currency'>): PlotAxis[] {
  const along = (title: string, value: (design: AdvisedDesign) => number, tell: (value: number) => string) =>
    logAxis(title, front.map(value), tell);
  return [
    along(`cost, ${currency} a year`, ({ cost }) => cost, money),
    along('availability', ({ unavailability }) => unavailability, percent),
    along('expected RTA', ({ expectedRtaMs }) => expectedRtaMs, time),
    along(`expected loss, ${currency} a year`, ({ expectedLoss }) => expectedLoss, money),
    along(`cost and expected loss, ${currency} a year`, ({ total }) => total, money),
    along('durability over a year', ({ lossProbability }) => lossProbability, percent),
  ];
}

/** In powers, as all of these differ by factors; what is 0 stands at the least of the others. */
export function logAxis(title: string, values: readonly number[], tell: (value: number) => string): PlotAxis {
  const least = Math.min(...values.filter((value) => value > 0), 1e300);
  const logs = values.map((value) => Math.log10(value > 0 ? value : least === 1e300 ? 1 : least));
  const margin = 0.03 * Math.max(Math.max(...logs) - Math.min(...logs), 0.1);
  const [low, high] = [Math.min(...logs) - margin, Math.max(...logs) + margin];
  const share = (logarithm: number) => (logarithm - low) / (high - low);
  const marks = marksBetween(low, high).map((value) => ({ share: share(Math.log10(value)), text: tell(value) }));
  return { title, shares: logs.map(share), marks };
}

function marksBetween(low: number, high: number): number[] {
  const inside = (steps: readonly number[]) =>
    Array.from({ length: Math.floor(high) - Math.floor(low) + 1 }, (_, index) => Math.floor(low) + index).flatMap((power) =>
      steps.map((step) => Number(`${step}e${power}`)).filter((value) => Math.log10(value) >= low && Math.log10(value) <= high),
    );
  const choices = [
    [1, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7, 1.8, 1.9, 2, 2.2, 2.4, 2.6, 2.8, 3, 3.5, 4, 4.5, 5, 5.5, 6, 6.5, 7, 7.5, 8, 8.5, 9, 9.5],
    [1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9],
    [1, 2, 5],
    [1],
  ];
  const marks = choices.map(inside);
  return marks.find(({ length }) => length <= marksMax && length > 0) ?? every(marks.at(-1)!);
}

/** Of too many, evenly fewer. */
function every(marks: readonly number[]): number[] {
  const step = Math.ceil(marks.length / marksMax);
  return marks.filter((_, index) => index % step === 0);
}
