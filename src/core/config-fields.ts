import { z } from 'zod';
import { parseAddress, type Address } from './address.ts';
import { HoldfastError } from './errors.ts';
import { Secret } from './secret.ts';
import { parseDurationMs, parsePercent, parseRate, parseSizeBytes } from './units.ts';

// The kinds of value that holdfast.yaml is made of, for every adapter's `config.ts`. Each takes text as a person writes it and gives the
// value as code wants it. An error's message says what it must be; where it is and what was found is added when the file is loaded.
// Defaults are written as in the file: `duration().prefault('10s')`.

// For editors, by way of JSON Schema; the parsers judge.
const durationPattern = '^(\\d+(\\.\\d+)?(ms|[smhdw]))+$';
const sizePattern = '^\\d+(\\.\\d+)?([KMGTP]iB|[kMGTP]?B)';

/** `'10s'` → 10000 milliseconds, within bounds that are durations themselves, inclusive. */
export function duration(bounds: { min?: string; max?: string } = {}) {
  return quantity('duration', durationPattern, 'must be a duration such as 200ms, 10s, 5m or 1h30m', parseDurationMs, bounds);
}

/** `'16MiB'` → bytes. */
export function size(bounds: { min?: string; max?: string } = {}) {
  return quantity('size', `${sizePattern}$`, 'must be a size such as 512KiB or 16MiB', parseSizeBytes, bounds);
}

/** `'100MiB/s'` → bytes per second. */
export function rate(bounds: { min?: string; max?: string } = {}) {
  return quantity('rate', `${sizePattern}/s$`, 'must be a rate such as 512KiB/s or 100MiB/s', parseRate, bounds);
}

/** `'99.95%'` → 0.9995. */
export function percent(bounds: { min?: string; max?: string } = {}) {
  return quantity('percentage', '^\\d+(\\.\\d+)?%$', 'must be a percentage such as 99.95%', parsePercent, bounds);
}

/** Name of a cluster, site, node, service or location: it becomes part of keys, paths and identifiers. */
export function name() {
  const allowed = 'must be a name of 1 to 40 characters a-z, 0-9 and -, that begins with a letter and does not end in -';
  return z
    .string(allowed)
    .regex(/^[a-z](?:[a-z0-9-]{0,38}[a-z0-9])?$/, allowed)
    .meta({ kind: 'name' });
}

/** `'10.0.0.1:7400'`, `'db1.example.net:7400'`, `'[fd00::1]:7400'`. */
export function address() {
  const allowed = 'must be HOST:PORT, with a port from 1 to 65535, such as 10.0.0.1:7400, db1:7400 or [fd00::1]:7400';
  return z
    .string(allowed)
    .meta({ kind: 'address', examples: ['10.0.0.1:7400'] })
    .transform((text, context): Address => parseAddress(text) ?? reject(context, allowed));
}

/** A path of a file or directory. A relative one counts from the directory of the configuration file and is absolute when loaded. */
export function path() {
  const allowed = 'must be a path';
  return z
    .string(allowed)
    .min(1, allowed)
    .max(1024, 'must be a path of at most 1024 characters')
    .refine((text) => !text.includes('\0'), allowed)
    .meta({ kind: 'path' });
}

/** A program and its arguments. */
export function commandLine() {
  return z
    .array(
      z
        .string()
        .max(4096)
        .refine((text) => !text.includes('\0'), 'text without NUL'),
    )
    .min(1)
    .max(256);
}

/** `${NAME}` or `file:PATH`, never the secret itself. */
export function secret() {
  const allowed = 'must be an environment variable, ${NAME}, or a file, file:PATH; a secret does not stand in the configuration itself';
  return z
    .string(allowed)
    .meta({ kind: 'secret', pattern: '^(\\$\\{[A-Za-z_][A-Za-z0-9_]*\\}|file:.+)$', examples: ['${HOLDFAST_TOKEN}', 'file:token.secret'] })
    .transform((text, context): Secret => parseSecret(text) ?? reject(context, allowed));
}

function parseSecret(text: string): Secret | undefined {
  const variable = /^\$\{([A-Za-z_][A-Za-z0-9_]{0,127})\}$/.exec(text)?.[1];
  if (variable !== undefined) return new Secret({ from: 'environment', name: variable });
  return /^file:[^\0]{1,1024}$/.test(text) ? new Secret({ from: 'file', path: text.slice('file:'.length) }) : undefined;
}

function quantity(
  kind: string,
  pattern: string,
  allowed: string,
  parse: (text: string) => number,
  { min, max }: { min?: string; max?: string },
) {
  const least = min === undefined ? -Infinity : parse(min);
  const most = max === undefined ? Infinity : parse(max);
  const range = [min === undefined ? [] : `at least ${min}`, max === undefined ? [] : `at most ${max}`].flat().join(' and ');
  const message = range ? `${allowed}, ${range}` : allowed;
  return z
    .string(message)
    .meta({ kind, pattern })
    .transform((text, context): number => {
      const value = tryParse(parse, text);
      return value !== undefined && value >= least && value <= most ? value : reject(context, message);
    });
}

function tryParse(parse: (text: string) => number, text: string): number | undefined {
  try {
    return parse(text);
  } catch (error) {
    if (error instanceof HoldfastError) return undefined;
    throw error;
  }
}

function reject(context: z.RefinementCtx, message: string): never {
  context.addIssue({ code: 'custom', message });
  return z.NEVER;
}
