import { createHmac, randomBytes } from 'node:crypto';
import type { Clock } from '../core/clock.ts';
import { HoldfastError } from '../core/errors.ts';
import { FailedTries } from './failed-tries.ts';
import { hashPassword, matchesPassword, parsePasswordHash, type PasswordHash } from './password-hash.ts';

/** What a user may be called: nothing that RFC 7617 or the file could not carry. */
const nameForm = /^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$/;
const usersMax = 10_000;
/** Characters of an Authorization header. */
const headerCharactersMax = 4_096;
/** Passwords that are looked at at once, each for 32 MiB; others wait, */
const checksMax = 2;
/** and more than this do not: they are refused. */
const waitingMax = 32;

/** Users and what scrypt made of their passwords. */
export type Users = ReadonlyMap<string, PasswordHash>;

export type Verdict =
  | { readonly kind: 'let-in'; readonly user: string }
  /** No credentials, or wrong ones. */
  | { readonly kind: 'unknown' }
  /** Too many wrong ones came from there, or too many are being looked at. */
  | { readonly kind: 'too-many' };

/**
 * Reads lines `USER:HASH`, with `#` comments and empty lines between them.
 * @throws SERVE_USERS_INVALID with the line
 */
export function parseUsers(text: string): Users {
  const users = new Map<string, PasswordHash>();
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue;
    const name = line.slice(0, Math.max(0, line.indexOf(':')));
    const hash = parsePasswordHash(line.slice(name.length + 1).trim());
    if (!isUserName(name)) throw invalid(index, 'it does not begin with a name and a colon');
    if (users.has(name)) throw invalid(index, `${name} stands there twice`);
    if (hash === undefined) throw invalid(index, `the hash of ${name} is none of scrypt, or costs too much`);
    users.set(name, hash);
    if (users.size > usersMax) throw invalid(index, `there are more than ${usersMax} users`);
  }
  return users;
}

export function isUserName(text: string): boolean {
  return nameForm.test(text);
}

function invalid(index: number, problem: string): HoldfastError {
  return new HoldfastError('SERVE_USERS_INVALID', `line ${index + 1} of the file of users can not be used: ${problem}`, {
    hint: '`holdfast serve --users FILE --add-user NAME` writes such lines.',
  });
}

/**
 * Judges names and passwords (Basic authentication, RFC 7617). A right one is remembered as long as its user has it, by a keyed hash: clients send
 * it with each request, and scrypt is slow by intent. After too many wrong ones nobody is let in from that address for a while but those.
 */
export class BasicGate {
  readonly #key = randomBytes(32);
  readonly #failures: FailedTries;
  /** Keyed hashes of what was right, with what it was compared with. */
  readonly #right = new Map<string, PasswordHash>();
  readonly #nobody = hashPassword(randomBytes(16).toString('hex'));
  /** Of the same name and password many requests may come at once. */
  readonly #judged = new Map<string, Promise<boolean | undefined>>();
  readonly #waiting: (() => void)[] = [];
  #checking = 0;

  constructor(clock: Clock) {
    this.#failures = new FailedTries(clock);
  }

  async judge(authorization: string | undefined, users: Users, address: string): Promise<Verdict> {
    const given = authorization === undefined ? undefined : readCredentials(authorization);
    if (given === undefined) return { kind: 'unknown' };
    const known = users.get(given.user);
    const mark = createHmac('sha256', this.#key).update(`${given.user}:${given.password}`).digest('base64');
    // The very same entry, or one that was read anew and is the same.
    if (known !== undefined && sameHash(this.#right.get(mark), known)) return { kind: 'let-in', user: given.user };
    this.#right.delete(mark);
    if (this.#failures.tooMany(address)) return { kind: 'too-many' };
    let judged = this.#judged.get(mark);
    if (judged === undefined) {
      judged = this.#check(given.password, known).finally(() => this.#judged.delete(mark));
      this.#judged.set(mark, judged);
    }
    const matches = await judged;
    if (matches === undefined) return { kind: 'too-many' };
    if (matches && known !== undefined) {
      if (this.#right.size >= usersMax) this.#right.delete(this.#right.keys().next().value!);
      this.#right.set(mark, known);
      return { kind: 'let-in', user: given.user };
    }
    this.#failures.count(address);
    return { kind: 'unknown' };
  }

  /** A name that nobody has takes as long as a wrong password. Undefined when too many are looked at. */
  async #check(password: string, known: PasswordHash | undefined): Promise<boolean | undefined> {
    if (this.#checking >= checksMax) {
      if (this.#waiting.length >= waitingMax) return undefined;
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    } else this.#checking += 1;
    try {
      const compared = known ?? parsePasswordHash(await this.#nobody)!;
      return (await matchesPassword(password, compared)) && known !== undefined;
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#checking -= 1;
      else next();
    }
  }
}

function sameHash(a: PasswordHash | undefined, b: PasswordHash): boolean {
  return a !== undefined && Buffer.compare(a.hash, b.hash) === 0 && Buffer.compare(a.salt, b.salt) === 0;
}

function readCredentials(header: string): { readonly user: string; readonly password: string } | undefined {
  if (header.length > headerCharactersMax) return undefined;
  const encoded = /^Basic +([A-Za-z0-9+/]+={0,2})$/i.exec(header)?.[1];
  const text = encoded === undefined ? '' : Buffer.from(encoded, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  return colon < 1 ? undefined : { user: text.slice(0, colon), password: text.slice(colon + 1) };
}
