import { HoldfastError } from './errors.ts';

/** Factor of each unit in milliseconds, largest first. */
const durationUnits = { w: 604_800_000n, d: 86_400_000n, h: 3_600_000n, m: 60_000n, s: 1_000n, ms: 1n } as const;

/** Factor of each unit in bytes (IEC 80000-13 binary, SI decimal). */
const sizeUnits = {
  B: 1n,
  KiB: 1n << 10n,
  MiB: 1n << 20n,
  GiB: 1n << 30n,
  TiB: 1n << 40n,
  PiB: 1n << 50n,
  kB: 10n ** 3n,
  MB: 10n ** 6n,
  GB: 10n ** 9n,
  TB: 10n ** 12n,
  PB: 10n ** 15n,
} as const;

const hints = {
  duration: "Write a number and a unit (ms, s, m, h, d, w), for example '200ms', '10s', '1.5s' or '1h30m'.",
  size: "Write a number and a unit (B, KiB, MiB, GiB, TiB, PiB; kB, MB, GB, TB, PB are powers of 1000), for example '16MiB'.",
  rate: "Write a size per second, for example '100MiB/s'.",
  percentage: "Write a number from 0 to 100 and a percent sign, for example '99.95%'.",
} as const;

/**
 * `'200ms'`, `'10s'`, `'1.5s'`, `'1h30m'` → whole milliseconds, exactly. Units once each, largest first.
 * @throws UNIT_INVALID
 */
export function parseDurationMs(text: string): number {
  const parts = /^(?:\d+(?:\.\d+)?(?:ms|[smhdw]))+$/.test(text) ? [...text.matchAll(/(\d+(?:\.\d+)?)(ms|[smhdw])/g)] : [];
  if (parts.length === 0) throw invalid('duration', text, 'is not a duration');
  let total = 0n;
  let previous: bigint | undefined;
  for (const [, number, unit] of parts) {
    const factor = durationUnits[unit as keyof typeof durationUnits];
    if (previous !== undefined && factor >= previous) throw invalid('duration', text, 'names its units out of order or twice');
    previous = factor;
    total += wholeProduct(number!, factor) ?? fail(invalid('duration', text, 'is not a whole number of milliseconds'));
  }
  return safeNumber(total) ?? fail(invalid('duration', text, 'is too long'));
}

/**
 * `'16MiB'`, `'1.5GiB'`, `'100MB'` → whole bytes, exactly.
 * @throws UNIT_INVALID
 */
export function parseSizeBytes(text: string): number {
  return parseSize('size', text, text);
}

/**
 * `'100MiB/s'` → bytes per second, exactly.
 * @throws UNIT_INVALID
 */
export function parseRate(text: string): number {
  if (!text.endsWith('/s')) throw invalid('rate', text, "does not end in '/s'");
  return parseSize('rate', text.slice(0, -2), text);
}

/**
 * `'99.95%'` → the fraction nearest to 0.9995.
 * @throws UNIT_INVALID
 */
export function parsePercent(text: string): number {
  const number = /^(\d+(?:\.\d+)?)%$/.exec(text)?.[1];
  if (number === undefined) throw invalid('percentage', text, 'is not a percentage');
  // Moved in the text, not divided: 0.9995 is then the nearest double to what was written.
  const fraction = Number(`${number}e-2`);
  if (fraction > 1) throw invalid('percentage', text, 'is above 100%');
  return fraction;
}

/** The shortest text that `parseDurationMs` reads as these milliseconds, rounded to whole ones: `'0ms'`, `'350ms'`, `'1.5s'`, `'1h30m'`. */
export function formatDurationMs(milliseconds: number): string {
  let rest = wholeNonNegative(milliseconds, 'a duration');
  if (rest < 1_000n) return `${rest}ms`;
  let text = '';
  for (const unit of ['d', 'h', 'm'] as const) {
    const count = rest / durationUnits[unit];
    if (count > 0n) text += `${count}${unit}`;
    rest -= count * durationUnits[unit];
  }
  return rest === 0n ? text : `${text}${Number(rest) / 1000}s`;
}

/** For people: in the largest binary unit of which there is at least one, exact where two decimals suffice, else rounded: `'16MiB'`, `'1.18MiB'`. */
export function formatSizeBytes(bytes: number): string {
  const whole = wholeNonNegative(bytes, 'a size');
  const unit = (['PiB', 'TiB', 'GiB', 'MiB', 'KiB'] as const).find((candidate) => whole >= sizeUnits[candidate]) ?? 'B';
  return `${Number((Number(whole) / Number(sizeUnits[unit])).toFixed(2))}${unit}`;
}

/** For people, as `formatSizeBytes`: `'100MiB/s'`. */
export function formatRate(bytesPerSecond: number): string {
  return `${formatSizeBytes(bytesPerSecond)}/s`;
}

/** A fraction as the percentage with just its digits: 0.9995 → `'99.95%'`. */
export function formatPercent(fraction: number): string {
  if (!(fraction >= 0 && fraction <= 1)) throw new RangeError(`a fraction is between 0 and 1, not ${fraction}`);
  const [mantissa, exponent = '0'] = String(fraction).split('e');
  return `${Number(`${mantissa}e${Number(exponent) + 2}`)}%`;
}

function parseSize(kind: 'size' | 'rate', size: string, text: string): number {
  const [, number, unit] = /^(\d+(?:\.\d+)?)([A-Za-z]+)$/.exec(size) ?? [];
  if (number === undefined || unit === undefined || !Object.hasOwn(sizeUnits, unit)) throw invalid(kind, text, `is not a ${kind}`);
  const bytes =
    wholeProduct(number, sizeUnits[unit as keyof typeof sizeUnits]) ?? fail(invalid(kind, text, 'is not a whole number of bytes'));
  return safeNumber(bytes) ?? fail(invalid(kind, text, 'is too large'));
}

/** `number` × `factor` when that is whole; decimal arithmetic, so that nothing is lost on the way. */
function wholeProduct(number: string, factor: bigint): bigint | undefined {
  const [whole = '', fraction = ''] = number.split('.');
  const scale = 10n ** BigInt(fraction.length);
  const product = BigInt(whole + fraction) * factor;
  return product % scale === 0n ? product / scale : undefined;
}

function safeNumber(value: bigint): number | undefined {
  return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : undefined;
}

function wholeNonNegative(value: number, what: string): bigint {
  if (!Number.isFinite(value) || value < 0) throw new RangeError(`${what} is a finite number of at least 0, not ${value}`);
  return BigInt(Math.round(value));
}

/** The longest text of a mistake that an error repeats. */
const quotedCharactersMax = 64;

function invalid(kind: keyof typeof hints, text: string, problem: string): HoldfastError {
  const quoted = text.length > quotedCharactersMax ? `${text.slice(0, quotedCharactersMax)}…` : text;
  return new HoldfastError('UNIT_INVALID', `'${quoted}' ${problem}`, { hint: hints[kind] });
}

function fail(error: Error): never {
  throw error;
}
