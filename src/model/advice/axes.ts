import { percent, time } from '../format.ts';
import type { Advice, AdvisedDesign } from './advise.ts';
import { money } from './report.ts';

/** A quantity that designs are laid out by: where each stands, 0 to 1 and better towards 0, and the marks of the axis. */
export interface PlotAxis {
  readonly title: string;
  readonly shares: readonly number[];
  readonly marks: readonly { readonly share: number; readonly text: string }[];
}

/** So many marks at most. */
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
  const positive = values.filter((value) => value > 0);
  const least = positive.length === 0 ? 1 : Math.min(...positive);
  const logs = values.map((value) => Math.log10(value > 0 ? value : least));
  const [first, last] = [Math.min(...logs), Math.max(...logs)];
  const margin = 0.03 * Math.max(last - first, 0.1);
  const share = (logarithm: number) => (logarithm - first + margin) / (last - first + 2 * margin);
  const round = roundBetween(first - margin, last + margin);
  // Where nothing round lies between them, the ends tell where they are.
  const marked = round.length > 1 ? round : [...new Set([least, Math.max(...values, least)])];
  return { title, shares: logs.map(share), marks: marked.map((value) => ({ share: share(Math.log10(value)), text: tell(value) })) };
}

/** Finer and finer steps within a power of ten. */
const steps: readonly (readonly number[])[] = [
  Array.from({ length: 90 }, (_, index) => (10 + index) / 10),
  Array.from({ length: 18 }, (_, index) => (2 + index) / 2),
  [1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9],
  [1, 2, 5],
  [1],
];

/** The finest round numbers that are not too many; of too many powers of ten, evenly fewer. */
function roundBetween(low: number, high: number): number[] {
  const powers = Array.from({ length: Math.floor(high) - Math.floor(low) + 1 }, (_, index) => Math.floor(low) + index);
  const inside = (within: readonly number[]) =>
    powers
      .flatMap((power) => within.map((step) => Number(`${step}e${power}`)))
      .filter((value) => Math.log10(value) >= low && Math.log10(value) <= high);
  for (const each of steps) {
    const marks = inside(each);
    if (marks.length <= marksMax) return marks;
  }
  const each = Math.ceil(inside([1]).length / marksMax);
  return inside([1]).filter((_, index) => index % each === 0);
}
