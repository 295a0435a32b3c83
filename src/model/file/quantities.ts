import { z } from 'zod';

// Numbers of a model file: text with a unit in the file, a number in hours (or per hour) in the program. Every kind can be written back without
// loss. What is of another kind is told as such: hours given for a probability are the commonest mistake of such files.

/** Hours of each unit. A year has 365 days. */
const unitHours = {
  ms: 1 / 3_600_000,
  s: 1 / 3600,
  min: 1 / 60,
  m: 1 / 60,
  h: 1,
  d: 24,
  day: 24,
  w: 168,
  week: 168,
  month: 720,
  y: 8760,
  year: 8760,
} as const;

const number = '(?:\\d+(?:\\.\\d+)?|\\.\\d+)(?:e[+-]?\\d+)?';
const unit = Object.keys(unitHours)
  .toSorted((a, b) => b.length - a.length)
  .join('|');
const forms = {
  duration: new RegExp(`^(?:${number}\\s*(?:${unit})s?)+$`, 'i'),
  rate: new RegExp(`^(${number})\\s*(?:/|per)\\s*(${number})?\\s*(${unit})s?$`, 'i'),
  fit: new RegExp(`^(${number})\\s*FITs?$`, 'i'),
  percentage: new RegExp(`^(${number})\\s*%$`, 'i'),
  plain: new RegExp(`^[+-]?${number}$`, 'i'),
  size: /^(\d+(?:\.\d+)?)\s*(B|[KMGTP]iB|[kMGTP]B)(\/s)?$/,
} as const;

const sizeBytes = {
  B: 1,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
  PiB: 2 ** 50,
  kB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  PB: 1e15,
} as const;

/** What a text is, for saying what it is not. */
function kindOf(text: string): string | undefined {
  if (forms.duration.test(text)) return 'a duration';
  if (forms.rate.test(text) || forms.fit.test(text)) return 'a rate';
  if (forms.percentage.test(text)) return 'a percentage';
  const size = forms.size.exec(text);
  if (size) return size[3] ? 'a transfer rate' : 'a size';
  return forms.plain.test(text) ? 'a number without a unit' : undefined;
}

/** A codec between what stands in the file and a number; `decode` gives undefined for what is not of its kind. */
export function quantity(
  kind: string,
  allowed: string,
  decode: (text: string) => number | undefined,
  encode: (value: number) => string | number,
  valid: (value: number) => boolean,
) {
  return z
    .codec(z.union([z.string(), z.number()], { error: () => `must be ${allowed}` }), z.number(), {
      decode: (written, context) => {
        const text = String(written).trim();
        const value = decode(text);
        if (value !== undefined && valid(value)) return value;
        const is = value === undefined ? kindOf(text) : undefined;
        const what = is === undefined ? (isExtreme(value) ? ', which no computation can bear' : '') : `, which is ${is}`;
        context.issues.push({ code: 'custom', input: written, message: `must be ${allowed}, not '${text.slice(0, 60)}'${what}` });
        return z.NEVER;
      },
      encode,
    })
    .meta({ kind });
}

/** Beyond this, and below its inverse, products of some of them are infinite, or 0. */
const extreme = 1e50;
const isExtreme = (value: number | undefined): boolean => value !== undefined && value > 0 && (value > extreme || value < 1 / extreme);
const positive = (value: number): boolean => value > 0 && !isExtreme(value);
const notNegative = (value: number): boolean => value === 0 || positive(value);
/** Up to an exabyte. */
const sized = (value: number): boolean => value >= 0 && value <= 1e18;
const fraction = (value: number): boolean => value >= 0 && value <= 1;

/** `8h`, `30min`, `1.5y`, `1h30m`; above 0. In hours. */
export function duration() {
  return quantity(
    'duration',
    'a duration above 0 with its unit, such as 8h, 30min, 90d or 2y',
    parseHours,
    (hours) => `${hours}h`,
    positive,
  );
}

/** As `duration`, and 0 is allowed. */
export function delay() {
  return quantity('duration', 'a duration with its unit, such as 10s, 8h or 0s', parseHours, (hours) => `${hours}h`, notNegative);
}

/** `2/year`, `0.001/h`, `1/1000h`, `100FIT` (10⁻⁹ per hour); above 0. Per hour. */
export function rate() {
  return quantity('rate', 'a rate above 0, such as 2/year, 0.001/h or 100FIT', parseRate, (perHour) => `${perHour}/h`, positive);
}

/** `0.001` or `0.1%`. */
export function probability() {
  return quantity('probability', 'a probability from 0 to 1, such as 0.001 or 0.1%', parseFraction, (value) => value, fraction);
}

/** A pure number above 0. */
export function factor() {
  return quantity('number', 'a number above 0, without a unit', parsePlain, (value) => value, positive);
}

/** A pure number, 0 or more. */
export function amount() {
  return quantity('number', 'a number of at least 0, without a unit', parsePlain, (value) => value, notNegative);
}

/** `500GiB`. In bytes. */
export function bytes() {
  return quantity(
    'size',
    'a size such as 500GiB',
    (text) => parseSize(text, false),
    (value) => `${value}B`,
    sized,
  );
}

/** `100MiB/s`. In bytes per second. */
export function transferRate() {
  return quantity(
    'transfer rate',
    'a transfer rate above 0 such as 100MiB/s',
    (text) => parseSize(text, true),
    (value) => `${value}B/s`,
    (value) => value > 0 && sized(value),
  );
}

/** `1h30m` → 1.5. undefined where it is no duration. */
export function parseHours(text: string): number | undefined {
  if (!forms.duration.test(text)) return undefined;
  const parts = [...text.matchAll(new RegExp(`(${number})\\s*(${unit})s?`, 'gi'))];
  return parts.reduce((sum, [, count, name]) => sum + timesUnit(Number(count), name!), 0);
}

/** Divided rather than multiplied below an hour: 30min is exactly 0.5. */
function timesUnit(count: number, name: string): number {
  const hours = hoursOf(name);
  return hours < 1 ? count / Math.round(1 / hours) : count * hours;
}

function parseRate(text: string): number | undefined {
  const inFit = forms.fit.exec(text)?.[1];
  if (inFit !== undefined) return Number(inFit) / 1e9;
  const [, count, many = '1', name] = forms.rate.exec(text) ?? [];
  return count === undefined ? undefined : Number(count) / timesUnit(Number(many), name!);
}

function hoursOf(name: string): number {
  return unitHours[name.toLowerCase() as keyof typeof unitHours];
}

function parseFraction(text: string): number | undefined {
  const percentage = forms.percentage.exec(text)?.[1];
  // Moved in the text, not divided: 0.05% is then the double nearest to 0.0005.
  if (percentage !== undefined) return /e/i.test(percentage) ? Number(percentage) / 100 : Number(`${percentage}e-2`);
  return parsePlain(text);
}

function parsePlain(text: string): number | undefined {
  return forms.plain.test(text) ? Number(text) : undefined;
}

/** `500GiB`, or `100MiB/s` where `perSecond`. undefined where it is neither. */
export function parseSize(text: string, perSecond: boolean): number | undefined {
  const [, count, name, slash] = forms.size.exec(text) ?? [];
  return count === undefined || (slash !== undefined) !== perSecond ? undefined : Number(count) * sizeBytes[name as keyof typeof sizeBytes];
}
