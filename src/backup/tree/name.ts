// Names of files are bytes, not text. A name is held as the UTF-8 text that it nearly always is; a byte that is no part of valid UTF-8
// becomes the lone surrogate U+DC00 + byte (the way of PEP 383), so that every name has exactly one string and comes back byte for byte.
// In a tree, names are quoted as Go's strconv.Quote does.

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const loneSurrogate = /\p{Surrogate}/u;

/** The string for the bytes of a name or link target. */
export function nameFromBytes(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch {
    return decodePiecewise(bytes);
  }
}

/** The bytes of a name. What no `nameFromBytes` makes (other lone surrogates) is written as U+FFFD. */
export function nameToBytes(name: string): Uint8Array {
  if (!loneSurrogate.test(name)) return encoder.encode(name);
  const parts: number[] = [];
  for (const character of name) {
    const code = character.codePointAt(0)!;
    if (code >= 0xdc80 && code <= 0xdcff) parts.push(code - 0xdc00);
    else parts.push(...encoder.encode(character));
  }
  return Uint8Array.from(parts);
}

/** Whether all of it is valid UTF-8. */
export function isText(name: string): boolean {
  return !loneSurrogate.test(name);
}

/** Orders names by their bytes, as trees are. */
export function compareNames(a: string, b: string): number {
  if (a === b) return 0;
  // Code units order like bytes unless a surrogate is met: then only the bytes tell.
  const length = Math.min(a.length, b.length);
  for (let index = 0; index < length; index += 1) {
    const left = a.charCodeAt(index);
    const right = b.charCodeAt(index);
    if (left === right) continue;
    if (left < 0xd800 && right < 0xd800) return left - right;
    return compareBytes(nameToBytes(a), nameToBytes(b));
  }
  return a.length - b.length;
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  for (let index = 0; index < length; index += 1) if (a[index] !== b[index]) return a[index]! - b[index]!;
  return a.length - b.length;
}

/** Longest valid sequences as text, every other byte by itself. */
function decodePiecewise(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length;) {
    const size = sequenceAt(bytes, at);
    if (size === 0) text += String.fromCharCode(0xdc00 + bytes[at]!);
    else text += decoder.decode(bytes.subarray(at, at + size));
    at += Math.max(size, 1);
  }
  return text;
}

/** Size of the valid UTF-8 sequence at `at`; 0 when there is none. */
function sequenceAt(bytes: Uint8Array, at: number): number {
  const lead = bytes[at]!;
  if (lead < 0x80) return 1;
  const size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc2 ? 2 : 0;
  if (size === 0 || at + size > bytes.length) return 0;
  try {
    return decoder.decode(bytes.subarray(at, at + size)).length === (size === 4 ? 2 : 1) ? size : 0;
  } catch {
    return 0;
  }
}

const plain = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]*$/u;
const quotes = /["\\]/;
const shortQuotes: Readonly<Record<string, string>> = {
  '\u0007': String.raw`\a`,
  '\b': String.raw`\b`,
  '\f': String.raw`\f`,
  '\n': String.raw`\n`,
  '\r': String.raw`\r`,
  '\t': String.raw`\t`,
  '\v': String.raw`\v`,
  '"': String.raw`\"`,
  '\\': String.raw`\\`,
};

/** As strconv.Quote, without the quotes around. */
export function quoteName(name: string): string {
  if (plain.test(name) && !quotes.test(name)) return name;
  let text = '';
  for (const character of name) text += shortQuotes[character] ?? quoteOne(character);
  return text;
}

function quoteOne(character: string): string {
  if (plain.test(character)) return character;
  const code = character.codePointAt(0)!;
  if (code < 0x20 || code === 0x7f) return String.raw`\x` + hexDigits(code, 2);
  if (code >= 0xdc80 && code <= 0xdcff) return String.raw`\x` + hexDigits(code - 0xdc00, 2);
  return code < 0x10000 ? String.raw`\u` + hexDigits(code, 4) : String.raw`\U` + hexDigits(code, 8);
}

function hexDigits(value: number, digits: number): string {
  return value.toString(16).padStart(digits, '0');
}

const escapeForms = /\\(?:x([0-9a-fA-F]{2})|([0-7]{3})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([abfnrtv\\"]))|\\|["\n]/g;
const shortUnquotes: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries(shortQuotes).map(([character, quoted]) => [quoted[1]!, character]),
);

/** As strconv.Unquote. @throws SyntaxError when it is not quoted so */
export function unquoteName(quoted: string): string {
  if (!/[\\"\n]/.test(quoted)) return quoted;
  // Bytes written one by one may make up a character together.
  const unquoted = quoted.replaceAll(escapeForms, (form, byte, octal, short, long, single) => {
    if (byte !== undefined) return fromByte(Number.parseInt(byte, 16));
    if (octal !== undefined) return fromByte(Number.parseInt(octal, 8));
    if (short !== undefined || long !== undefined) return fromCodePoint(Number.parseInt(short ?? long, 16), form);
    if (single !== undefined) return shortUnquotes[single]!;
    throw new SyntaxError(`a name is quoted wrongly: ${JSON.stringify(quoted)}`);
  });
  return isText(unquoted) ? unquoted : nameFromBytes(nameToBytes(unquoted));
}

function fromByte(byte: number): string {
  if (byte > 0xff) throw new SyntaxError('a name is quoted wrongly: octal beyond a byte');
  return String.fromCharCode(byte < 0x80 ? byte : 0xdc00 + byte);
}

function fromCodePoint(code: number, form: string): string {
  if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) throw new SyntaxError(`a name is quoted wrongly: ${form}`);
  return String.fromCodePoint(code);
}
