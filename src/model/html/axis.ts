import { hours, number, percent } from '../format.ts';

/** One axis of a plot: values to shares of its length, and where it is marked. */
export interface Axis {
  /** 0 at its beginning, 1 at its end; values beyond are moved to the ends. */
  readonly share: (value: number) => number;
  readonly ticks: readonly { readonly share: number; readonly text: string }[];
  readonly title: string;
}

/** Hours of round times that people read: 1 min to 100 years. */
const roundHours = [
  ...[1, 5, 15, 30].map((minutes) => minutes / 60),
  1,
  2,
  4,
  6,
  12,
  ...[1, 2, 5, 10, 30, 60, 90, 180].map((days) => days * 24),
  ...[1, 2, 3, 5, 10, 20, 50, 100].map((years) => years * 8760),
];

/** Marks of a linear axis of times. */
const timeTicks = 6;

export function timeAxis(last: number): Axis {
  const step = roundHours.find((each) => last / each <= timeTicks) ?? 10 ** Math.ceil(Math.log10(last / timeTicks));
  const values = Array.from({ length: Math.floor(last / step + 1e-9) + 1 }, (_, index) => index * step);
  return axis((value) => value / last, values, hours, 'time since all was new');
}

/** Times in powers of ten, for what happens early and matters long. */
export function logTimeAxis(first: number, last: number): Axis {
  const share = (value: number) => Math.log(value / first) / Math.log(last / first);
  const inside = roundHours.filter((each) => each >= first * 0.999 && each <= last * 1.001);
  const powers = Array.from({ length: 1 + Math.round(Math.log10(last / first)) }, (_, index) => first * 10 ** index);
  const kept: number[] = [];
  for (const each of inside.length > 1 ? inside : powers) {
    if (kept.length === 0 || share(each) - share(kept.at(-1)!) >= 0.1) kept.push(each);
  }
  return axis(share, kept, hours, 'time since all was new, in powers of ten');
}

/** Probabilities from 0 to 1. */
export function shareAxis(title: string, low = 0, high = 1): Axis {
  const step = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2].find((each) => (high - low) / each <= 6) ?? 0.2;
  const values = Array.from({ length: Math.floor((high - low) / step + 1e-9) + 1 }, (_, index) => low + index * step);
  return axis(
    (value) => (value - low) / (high - low),
    values,
    (value) => `${number(value * 100, 4)}%`,
    title,
  );
}

/** Failure probabilities by their nines, so that 99.999% stands as far above 99.99% as that above 99.9%. Takes the probability of failure. */
export function ninesAxis(title: string, worst: number, best: number): Axis {
  const [low, high] = [Math.max(0, Math.floor(-Math.log10(Math.min(1, worst)))), Math.ceil(-Math.log10(best))];
  const top = Math.max(low + 1, high);
  const step = Math.ceil((top - low) / 8);
  const values = Array.from({ length: Math.floor((top - low) / step) + 1 }, (_, index) => 10 ** -(low + index * step));
  const tell = (value: number) => (value >= 1e-6 ? percent(value) : `${Math.round(-Math.log10(value))} nines`);
  return axis((value) => (-Math.log10(Math.max(value, 1e-300)) - low) / (top - low), values, tell, title);
}

function axis(share: (value: number) => number, values: readonly number[], tell: (value: number) => string, title: string): Axis {
  const bounded = (value: number) => Math.min(1, Math.max(0, share(value)));
  return { share: bounded, ticks: values.map((value) => ({ share: bounded(value), text: tell(value) })), title };
}
