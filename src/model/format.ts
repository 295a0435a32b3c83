// Numbers of a model for people: so many digits as mean something, in the unit that fits.

/** Nine digits at most, without zeros behind: `0.999999`, `1.25e-12`. */
export function number(value: number, digits = 6): string {
  if (!Number.isFinite(value)) return value > 0 ? '∞' : String(value);
  if (value === 0) return '0';
  const magnitude = Math.abs(value);
  if (magnitude < 1e-4 || magnitude >= 1e9) return value.toExponential(digits - 1).replace(/\.?0+e/, 'e');
  return String(Number(value.toPrecision(digits)));
}

/** An availability with all its nines and three digits more: `99.9999723%`. */
export function percent(unavailability: number): string {
  if (unavailability === 0) return '100%';
  if (unavailability >= 0.1) return `${number((1 - unavailability) * 100, 6)}%`;
  const nines = Math.floor(-Math.log10(unavailability));
  // The decimal expansion of 1 − U, taken from U itself: a subtraction would end at the sixteenth digit.
  const places = nines + 3;
  const missing = BigInt(Math.round(unavailability * 10 ** Math.min(places, 22)));
  if (places > 22) return `100% − ${number(unavailability * 100, 4)}%`;
  const digits = (10n ** BigInt(places) - missing).toString().padStart(places, '0');
  return `${digits.slice(0, 2)}.${digits.slice(2)}`.replace(/\.?0*$/, '').concat('%');
}

const steps = [
  { unit: 'd', ms: 86_400_000 },
  { unit: 'h', ms: 3_600_000 },
  { unit: 'min', ms: 60_000 },
  { unit: 's', ms: 1000 },
  { unit: 'ms', ms: 1 },
  { unit: 'µs', ms: 1e-3 },
] as const;

/** `4.38 h`, `52.6 min`, `3.2 ms`, `123.5 d`, `17.3 years`. */
export function time(ms: number): string {
  if (!Number.isFinite(ms)) return 'never';
  if (ms === 0) return '0 s';
  const years = ms / (365 * 86_400_000);
  if (years >= 3) return `${number(years, 5)} years`;
  const { unit, ms: size } = steps.find((step) => ms >= step.ms * (step.unit === 'd' ? 3 : 1)) ?? steps.at(-1)!;
  return `${number(ms / size, 5)} ${unit}`;
}

export function hours(value: number): string {
  return time(value * 3_600_000);
}
