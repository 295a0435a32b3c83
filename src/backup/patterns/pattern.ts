// Patterns for paths, with the meaning that they have in restic (internal/filter): parts as in Go's filepath.Match, `**` for any number of
// directories, a leading `/` for the beginning of the path, a leading `!` to take back what an earlier pattern matched. A pattern that matches
// a directory matches all below it.
import { HoldfastError } from '../../core/errors.ts';

/** One part of a path: `undefined` stands for `**`. */
type Part = { readonly matches: (name: string) => boolean } | undefined;

export interface Pattern {
  readonly text: string;
  readonly parts: readonly Part[];
  readonly isRooted: boolean;
  readonly isNegated: boolean;
}

export interface PatternOptions {
  readonly ignoreCase?: boolean;
}

/** A longer path than any file system has: more parts are nonsense, and each `**` multiplies the work. */
const partsMax = 1000;
const wildcardsMax = 4;

/** @throws BACKUP_PATTERN_INVALID */
export function parsePattern(text: string, { ignoreCase = false }: PatternOptions = {}): Pattern {
  const isNegated = text.startsWith('!');
  const body = isNegated ? text.slice(1) : text;
  const isRooted = body.startsWith('/');
  const names = cleanParts(body);
  if (names.length > partsMax || names.filter((name) => name === '**').length > wildcardsMax) {
    throw invalid(text, `it has more than ${partsMax} parts or ${wildcardsMax} times "**"`);
  }
  if (body === '') throw invalid(text, 'it is empty');
  return { text, parts: names.map((name) => (name === '**' ? undefined : partOf(name, text, ignoreCase))), isRooted, isNegated };
}

/** The parts of a path: names without `.`, `..` and empty ones. */
export function partsOf(path: string): string[] {
  return path.split('/').filter((name) => name !== '');
}

/** Whether the path, or a directory above it, is what the pattern says. */
export function matchesPattern(pattern: Pattern, path: readonly string[]): boolean {
  return matches(pattern.parts, pattern.isRooted, path);
}

/** Whether the path itself is what the pattern says, not only a directory above it. */
export function matchesEnd(pattern: Pattern, path: readonly string[]): boolean {
  return matches(pattern.parts, pattern.isRooted, path, true);
}

/** Whether something below the path may match. */
export function mayMatchBelow(pattern: Pattern, path: readonly string[]): boolean {
  if (!pattern.isRooted) return true;
  const wildcard = pattern.parts.indexOf(undefined);
  const above = wildcard !== -1 && path.length >= wildcard ? path.slice(0, wildcard) : path;
  const depth = Math.min(above.length, pattern.parts.length);
  return matches(pattern.parts.slice(0, depth), true, above);
}

/** Whether a list of patterns matches a path, the last word counting; and whether it may match something below. */
export function judgePath(patterns: readonly Pattern[], path: readonly string[]): { matched: boolean; belowMayMatch: boolean } {
  let matched = false;
  let belowMayMatch = false;
  for (const pattern of patterns) {
    const hit = matchesPattern(pattern, path);
    if (pattern.isNegated) {
      matched &&= !hit;
      belowMayMatch &&= !hit;
    } else {
      matched ||= hit;
      belowMayMatch ||= mayMatchBelow(pattern, path);
    }
  }
  return { matched, belowMayMatch };
}

function matches(parts: readonly Part[], isRooted: boolean, path: readonly string[], isEnd = false): boolean {
  const wildcard = parts.indexOf(undefined);
  if (wildcard !== -1) {
    for (let count = 0; count <= path.length - parts.length + 1; count += 1) {
      const expanded = [...parts.slice(0, wildcard), ...Array.from({ length: count }, () => anything), ...parts.slice(wildcard + 1)];
      if (matches(expanded, isRooted, path, isEnd)) return true;
    }
    return false;
  }
  if (parts.length === 0) return (isRooted && !isEnd) || path.length === 0;
  const lastOffset = isRooted ? 0 : path.length - parts.length;
  if (parts.length > path.length || (isEnd && isRooted && parts.length !== path.length)) return false;
  for (let offset = isEnd ? path.length - parts.length : 0; offset <= lastOffset; offset += 1) {
    if (parts.every((part, index) => (part as NonNullable<Part>).matches(path[offset + index] as string))) return true;
  }
  return false;
}

const anything: Part = { matches: () => true };

/** As Go's filepath.Clean: no empty parts, no `.`, `..` takes back what is before it. */
function cleanParts(text: string): string[] {
  const parts: string[] = [];
  for (const part of text.split('/')) {
    if (part === '' || part === '.') continue;
    if (part === '..' && parts.length > 0 && parts.at(-1) !== '..') parts.pop();
    else if (part !== '..' || !text.startsWith('/')) parts.push(part);
  }
  return parts;
}

function partOf(name: string, text: string, ignoreCase: boolean): NonNullable<Part> {
  if (!/[\\[\]*?]/.test(name)) {
    if (!ignoreCase) return { matches: (other) => other === name };
    const lower = name.toLowerCase();
    return { matches: (other) => other.toLowerCase() === lower };
  }
  const expression = new RegExp(`^${expressionOf(name, text)}$`, ignoreCase ? 'sui' : 'su');
  return { matches: (other) => expression.test(other) };
}

/** Go's filepath.Match as a regular expression: `*`, `?`, classes `[a-z]` and `[^a-z]`, a backslash before what is meant literally. */
function expressionOf(name: string, text: string): string {
  const characters = Array.from(name);
  let expression = '';
  for (let at = 0; at < characters.length; at += 1) {
    const character = characters[at] as string;
    if (character === '*') {
      expression += '.*';
      while (characters[at + 1] === '*') at += 1;
    } else if (character === '?') expression += '.';
    else if (character === '[') {
      const end = classEnd(characters, at, text);
      expression += classOf(characters.slice(at + 1, end), text);
      at = end;
    } else if (character === '\\') {
      at += 1;
      expression += literal(characters[at], text);
    } else expression += literal(character, text);
  }
  return expression;
}

function classEnd(characters: readonly string[], begin: number, text: string): number {
  for (let at = begin + 1; at < characters.length; at += 1) {
    if (characters[at] === '\\') at += 1;
    else if (characters[at] === ']' && at > begin + 1) return at;
  }
  throw invalid(text, 'a "[" is not closed');
}

function classOf(characters: readonly string[], text: string): string {
  const negated = characters[0] === '^';
  let at = negated ? 1 : 0;
  const one = (): string => {
    if (characters[at] === '\\') at += 1;
    else if (characters[at] === '-' || characters[at] === ']') throw invalid(text, `"${characters[at]}" in a class needs a backslash`);
    const found = characters[at];
    if (found === undefined) throw invalid(text, 'a class ends too early');
    at += 1;
    return found;
  };
  let ranges = '';
  while (at < characters.length) {
    const low = one();
    let high = low;
    if (characters[at] === '-') {
      at += 1;
      high = one();
    }
    // An inverted range matches nothing, as in Go.
    if ((low.codePointAt(0) as number) <= (high.codePointAt(0) as number)) ranges += `${classLiteral(low)}-${classLiteral(high)}`;
  }
  if (characters.length === (negated ? 1 : 0)) throw invalid(text, 'a class is empty');
  return `[${negated ? '^' : ''}${ranges}]`;
}

function classLiteral(character: string): string {
  return `\\u{${(character.codePointAt(0) as number).toString(16)}}`;
}

function literal(character: string | undefined, text: string): string {
  if (character === undefined) throw invalid(text, 'nothing follows its last backslash');
  return `\\u{${(character.codePointAt(0) as number).toString(16)}}`;
}

function invalid(text: string, why: string): HoldfastError {
  return new HoldfastError('BACKUP_PATTERN_INVALID', `the pattern "${text}" can not be used: ${why}`, {
    hint: 'patterns are as in restic: *, ?, [a-z], ** for directories, \\ before a character that is meant literally',
  });
}
