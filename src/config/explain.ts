import type { z } from 'zod';
import { nearest } from '../core/nearest.ts';
import type { Finding, Path } from './problem.ts';
import { allowedKeys, kindAt } from './schema-walk.ts';

type Issue = z.core.$ZodIssue;

/** The longest text of a mistake that a message repeats. */
const quotedCharactersMax = 60;

/** What zod objects to, in the words of this program: what was found, what is allowed, what was probably meant. */
export function explain(issue: Issue, schema: z.core.$ZodType, input: unknown): readonly Finding[] {
  const path = issue.path.filter((part) => typeof part !== 'symbol');
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => unknownKey(schema, path, key));
  if (issue.code === 'invalid_key') return [{ path, atKey: true, message: issue.issues[0]?.message ?? 'is no name' }];
  if (issue.code === 'invalid_union') return explainUnion(issue, schema, input, path);
  const found = valueAt(input, path);
  if (found === undefined && issue.code === 'invalid_type') return [{ path, message: `is missing; it ${requirement(issue)}` }];
  return [{ path, message: `${requirement(issue)}${kindAt(schema, path) === 'secret' ? '' : foundText(found, issue.message)}` }];
}

type UnionIssue = Extract<Issue, { code: 'invalid_union' }>;

/** Of several forms, what is wrong with the one that was meant: that which fits at the top and fails further down, if there is one. */
function explainUnion(issue: UnionIssue, schema: z.core.$ZodType, input: unknown, path: Path): readonly Finding[] {
  const fits = (branch: readonly Issue[]) => !branch.some((inner) => inner.path.length === 0 && inner.code === 'invalid_type');
  const meant = issue.errors.find(
    (branch) => fits(branch) && branch.some((inner) => inner.code !== 'invalid_value' || inner.path.length > 0),
  );
  if (meant) return meant.flatMap((inner) => explain({ ...inner, path: [...issue.path, ...inner.path] }, schema, input));
  const found = valueAt(input, path);
  const ways = issue.errors.flatMap((branch) => branch.filter(({ path: within }) => within.length === 0).map(requirement));
  const forms = [...new Set(ways.map((way) => way.replace(/^must be /, '')))].join(', or ');
  if (found === undefined) {
    return [{ path, message: `is missing; it ${issue.message === 'Invalid input' ? `must be ${forms}` : issue.message}` }];
  }
  return [
    {
      path,
      message:
        issue.message === 'Invalid input'
          ? `must be ${forms}${foundText(found, forms)}`
          : `${issue.message}${foundText(found, issue.message)}`,
    },
  ];
}

function unknownKey(schema: z.core.$ZodType, path: Path, key: string): Finding {
  const allowed = allowedKeys(schema, path);
  const meant = nearest(key, allowed);
  const ending = meant === undefined ? `; there are: ${allowed.join(', ')}` : `; did you mean '${meant}'?`;
  return { path: [...path, key], atKey: true, message: `there is no such key${ending}` };
}

/** `must be …`: the schema's own words when it has any, else made from what zod says. */
function requirement(issue: Issue): string {
  // Schemas say either a whole sentence or only what is allowed.
  if (!/^(?:Invalid|Too |Unrecognized)/.test(issue.message)) return issue.message.replace(/^(?=an? )/, 'must be ');
  switch (issue.code) {
    case 'invalid_type':
      return `must be ${typeNames[issue.expected] ?? issue.expected}`;
    case 'too_small':
      return bound(issue.origin, 'at least', issue.minimum);
    case 'too_big':
      return bound(issue.origin, 'at most', issue.maximum);
    case 'invalid_value':
      return issue.values.length === 1 ? `must be ${String(issue.values[0])}` : `must be one of ${issue.values.map(String).join(', ')}`;
    case 'invalid_format':
      return `must be a valid ${issue.format}`;
    default:
      return `is not valid: ${issue.message}`;
  }
}

const typeNames: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  object: 'a mapping (key: value)',
  record: 'a mapping (name: …)',
  array: 'a list',
};

function bound(origin: string, direction: string, limit: number | bigint): string {
  if (origin === 'string') return `must have ${direction} ${limit} characters`;
  return origin === 'array' ? `must have ${direction} ${limit} entries` : `must be ${direction} ${limit}`;
}

function valueAt(value: unknown, path: Path): unknown {
  return path.reduce<unknown>((current, key) => (current as Record<string | number, unknown> | null | undefined)?.[key], value);
}

/** Nothing for mappings and lists, and where the message quotes the value already. */
function foundText(value: unknown, message: string): string {
  if (typeof value === 'object' && value !== null) return '';
  // JSON knows neither infinity nor what is no number.
  const written = typeof value === 'number' ? String(value) : JSON.stringify(value);
  const text = value === null || value === undefined ? 'nothing' : written.slice(0, quotedCharactersMax);
  const quoted = typeof value === 'string' || typeof value === 'number' ? `'${String(value).slice(0, quotedCharactersMax)}` : undefined;
  return quoted !== undefined && message.includes(quoted) ? '' : `, not ${text}`;
}
