import type { RegisterValue } from './models/register.ts';
import type { SeenEntry } from './models/store-key.ts';

// What stands in a recorded history, checked.

export function asObject(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new Error(`${what} must be an object, not ${JSON.stringify(value)}`);
  return value as Readonly<Record<string, unknown>>;
}

/** Process names may be numbers, as Jepsen's are. */
export function asText(value: unknown): string {
  if (typeof value === 'string' || typeof value === 'number') return String(value);
  throw new Error(`expected a text, not ${JSON.stringify(value)}`);
}

export function asScalar(value: unknown): RegisterValue {
  return value === null || value === undefined ? null : asText(value);
}

/** A number beyond 2^53 must be a text. */
export function asBigint(value: unknown): bigint {
  if (typeof value === 'string' && /^-?\d{1,20}$/.test(value)) return BigInt(value);
  if (Number.isSafeInteger(value)) return BigInt(value as number);
  throw new Error(`expected a whole number, not ${JSON.stringify(value)}`);
}

export function asExpectation(value: unknown): bigint | 'absent' {
  return value === 'absent' ? value : asBigint(value);
}

export function asEntry(value: unknown): SeenEntry {
  if (value === null || value === undefined) return null;
  const entry = asObject(value, 'what was read');
  return { value: asText(entry['value']), revision: asBigint(entry['revision']) };
}

export function asTime(value: unknown, line: number): number {
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  throw new Error(`line ${line}: time must be a number, not ${JSON.stringify(value)}`);
}

export function impossibleText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
