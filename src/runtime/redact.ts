import type { LogFields } from '../core/logger.ts';

const secretName = /passw(?:or)?d|secret|token|credential|passphrase|private_?key|authorization/i;
const hidden = '[redacted]';

/** Named bounds of one log line: what exceeds them is cut, and says so. */
const depthMax = 6;
const entriesMax = 100;
const charactersMax = 8_192;

/**
 * Makes any fields fit for a log: values of secret names are hidden at any depth, so are passwords inside connection strings; errors,
 * big integers and cycles become plain JSON. Fencing tokens (numbers) are no secrets and stay.
 */
export function redact(fields: LogFields): Record<string, unknown> {
  return redactEntries(fields, 0);
}

function redactEntries(fields: object, depth: number): Record<string, unknown> {
  const entries = Object.entries(fields);
  const shown = Object.fromEntries(
    entries.slice(0, entriesMax).map(([name, value]) => [name, isSecret(name, value) ? hidden : redactValue(value, depth + 1)]),
  );
  return entries.length > entriesMax ? { ...shown, '…': `${entries.length - entriesMax} more` } : shown;
}

function isSecret(name: string, value: unknown): boolean {
  if (value === undefined || value === null || typeof value === 'boolean' || !secretName.test(name)) return false;
  const isFencingToken = /token$/i.test(name) && (typeof value === 'number' || typeof value === 'bigint');
  return !isFencingToken;
}

function redactValue(value: unknown, depth: number): unknown {
  switch (typeof value) {
    case 'string':
      return redactText(value);
    case 'bigint':
    case 'symbol':
      return value.toString();
    case 'function':
      return undefined;
    case 'object':
      return value === null ? null : redactObject(value, depth);
    default:
      return value;
  }
}

function redactObject(value: object, depth: number): unknown {
  if (depth > depthMax) return '[deeper]';
  if (value instanceof Error) return redactError(value, depth);
  if (value instanceof Date || value instanceof URL) return redactText(String(value));
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if (value instanceof Map) return redactEntries(Object.fromEntries(value), depth);
  const items = Array.isArray(value) ? value : value instanceof Set ? [...value] : undefined;
  if (items === undefined) return redactEntries(value, depth);
  const shown = items.slice(0, entriesMax).map((item) => redactValue(item, depth + 1));
  return items.length > entriesMax ? [...shown, `… ${items.length - entriesMax} more`] : shown;
}

/** An expected failure speaks by its code; of any other the stack is wanted. */
function redactError(error: Error & { code?: unknown; hint?: unknown }, depth: number): Record<string, unknown> {
  const expected = error.name === 'HoldfastError';
  return {
    message: redactText(error.message),
    ...(error.code === undefined ? {} : { code: redactValue(error.code, depth + 1) }),
    ...(typeof error.hint === 'string' && error.hint !== '' ? { hint: redactText(error.hint) } : {}),
    ...(expected || error.stack === undefined ? {} : { stack: redactText(error.stack) }),
    ...(error.cause === undefined ? {} : { cause: redactValue(error.cause, depth + 1) }),
  };
}

/** Passwords in URLs (RFC 3986 userinfo), in libpq's `keyword = value` strings, and in SQL. */
function redactText(text: string): string {
  const clean = text
    .slice(0, charactersMax)
    .replace(/(\b[a-z][a-z0-9+.-]*:\/\/[^\s:/@]*:)[^\s@/]+@/gi, `$1${hidden}@`)
    .replace(/(\b\w*(?:password|passphrase|secret)\w*\s*(?:=\s*|\s))('(?:[^'\\]|''|\\.)*'|"[^"]*")/gi, `$1${hidden}`)
    .replace(/(\b\w*(?:password|passphrase|secret)\w*=)[^\s&;,'"]+/gi, (match, prefix: string) =>
      match.endsWith(hidden) ? match : prefix + hidden,
    );
  return text.length > charactersMax ? `${clean}… ${text.length - charactersMax} more characters` : clean;
}
