// JSON as Go's encoding/json writes it, so that equal documents have equal hashes whoever wrote them; read without loss of digits.

/** What a document may hold. Integers beyond 2^53 are bigint. */
export type JsonValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue | undefined };

/** Numbers with more digits may not fit a double. Ids have long runs of digits, too, but behind a quote. */
const unsafeDigits = /[:,[\s-][0-9]{16}/;

/**
 * Reads a document. Integers that a double can not hold become bigint.
 * @throws SyntaxError
 */
export function parseJson(text: string): unknown {
  if (!unsafeDigits.test(text)) return JSON.parse(text);
  return JSON.parse(text, exactNumber);
}

function exactNumber(_key: string, value: unknown, context?: { readonly source?: string }): unknown {
  if (typeof value !== 'number' || Number.isSafeInteger(value)) return value;
  const source = context?.source ?? '';
  return /^-?[0-9]+$/.test(source) ? BigInt(source) : value;
}

/**
 * Writes a value as Go's `json.Marshal` does: members in their given order, those that are undefined left out; `<`, `>`, `&`, U+2028 and
 * U+2029 escaped; lone surrogates replaced.
 */
export function formatJson(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return quoteJson(value);
    case 'number':
      return formatNumber(value);
    case 'bigint':
    case 'boolean':
      return String(value);
    case 'object':
      if (value === null) return 'null';
      if (Array.isArray(value)) return `[${value.map((one) => formatJson(one)).join(',')}]`;
      return `{${Object.entries(value)
        .filter(([, one]) => one !== undefined)
        .map(([key, one]) => `${quoteJson(key)}:${formatJson(one)}`)
        .join(',')}}`;
    default:
      throw new TypeError(`a document can not hold ${typeof value}`);
  }
}

/** Go writes floats with an exponent below 1e-6 and from 1e21 on, as JavaScript does. */
function formatNumber(value: number): string {
  if (!Number.isFinite(value)) throw new TypeError(`a document can not hold ${value}`);
  return JSON.stringify(value);
}

const escapes = /["\\<>&\p{Cc}\u2028\u2029\p{Surrogate}]/u;
const escapesAll = new RegExp(escapes, 'gu');
const controlsKeptFrom = 0x7f;
const controlsKeptTo = 0x9f;
const shortEscapes: Readonly<Record<string, string>> = {
  '"': String.raw`\"`,
  '\\': String.raw`\\`,
  '\b': String.raw`\b`,
  '\f': String.raw`\f`,
  '\n': String.raw`\n`,
  '\r': String.raw`\r`,
  '\t': String.raw`\t`,
};

/** A string with its quotes. */
export function quoteJson(text: string): string {
  if (!escapes.test(text)) return `"${text}"`;
  return `"${text.replaceAll(escapesAll, escapeOne)}"`;
}

function escapeOne(character: string): string {
  const code = character.charCodeAt(0);
  if (code >= 0xd800 && code <= 0xdfff) return String.raw`\ufffd`;
  if (code >= controlsKeptFrom && code <= controlsKeptTo) return character;
  return shortEscapes[character] ?? String.raw`\u` + code.toString(16).padStart(4, '0');
}
