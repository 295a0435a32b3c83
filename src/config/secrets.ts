import { resolve } from 'node:path';
import { messageOf } from '../core/errors.ts';
import type { SecretSource } from '../core/secret.ts';
import { Secret, tokenCharactersMin } from '../core/secret.ts';
import type { HoldfastConfig } from './schema.ts';
import { readTextFile } from './read-file.ts';
import type { Finding, Path } from './problem.ts';

/** More than any password or key has; less than a mistaken path to a database would read. */
const secretBytesMax = 64 * 1024;

/** What fits into an Authorization header as one word (RFC 6750). */
const tokenPattern = new RegExp(`^[\\x21-\\x7e]{${tokenCharactersMin},1024}$`);

/** Tokens, once read, that nobody could send or anybody could guess. Says nothing of the token itself. */
export function judgeTokens({ security }: HoldfastConfig): readonly Finding[] {
  return security.tokens.flatMap(({ secret }, index) => {
    if (!secret.isResolved || tokenPattern.test(secret.reveal())) return [];
    const message = `must have ${tokenCharactersMin} to 1024 printable characters without blanks: openssl rand -hex 24 makes a good one`;
    return [{ path: ['security', 'tokens', index, 'secret'], message }];
  });
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** Reads every secret of a parsed configuration. What can not be read, or everybody could read, is a finding. */
export function resolveSecrets(config: unknown, environment: Environment, directory: string): readonly Finding[] {
  const findings: Finding[] = [];
  for (const { path, secret } of secretsIn(config, [])) {
    const text = readSource(secret.source, environment, directory);
    if (typeof text === 'string') secret.resolve(text);
    else findings.push({ path, message: text.problem });
  }
  return findings;
}

function readSource(source: SecretSource, environment: Environment, directory: string): string | Unreadable {
  if (source.from === 'environment') return environment[source.name] || { problem: `the environment has no ${source.name}` };
  const text = readPrivateFile(resolve(directory, source.path));
  return typeof text === 'string' ? text.replace(/\r?\n$/, '') : text;
}

interface Unreadable {
  readonly problem: string;
}

/** The text of a file that only its owner and group may read, or what is wrong with it. */
export function readPrivateFile(file: string): string | Unreadable {
  try {
    const { text, mode } = readTextFile(file, secretBytesMax);
    if ((mode & 0o007) !== 0) return { problem: `${file} is open to everybody: chmod o= ${file}` };
    return text.trim() === '' ? { problem: `${file} is empty` } : text;
  } catch (error) {
    return { problem: `can not be read: ${messageOf(error)}` };
  }
}

function* secretsIn(value: unknown, path: Path): Iterable<{ path: Path; secret: Secret }> {
  if (value instanceof Secret) yield { path, secret: value };
  else if (Array.isArray(value)) for (const [index, member] of value.entries()) yield* secretsIn(member, [...path, index]);
  else if (typeof value === 'object' && value !== null)
    for (const [key, member] of Object.entries(value)) yield* secretsIn(member, [...path, key]);
}
