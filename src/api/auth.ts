import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Clock } from '../core/clock.ts';
import { HoldfastError } from '../core/errors.ts';
import { tokenCharactersMin } from '../core/secret.ts';
import { failureWindowMs, FailedTries } from './failed-tries.ts';
import { roles, type Role } from './schema.ts';

/** A secret that lets its bearer in. */
export interface ApiToken {
  /** For the log. */
  readonly name: string;
  readonly role: Role;
  readonly secret: string;
}

export interface Caller {
  readonly name: string;
  readonly role: Role;
}

/**
 * Judges bearer tokens (RFC 6750). Keeps only keyed hashes of them, and compares those in constant time. A right one is always let in: a
 * broken script must not lock its operator out.
 */
export class Gatekeeper {
  readonly #key = randomBytes(32);
  readonly #tokens: readonly { readonly name: string; readonly role: Role; readonly hash: Buffer }[];
  readonly #failures: FailedTries;

  /** @throws CONFIG_TOKEN_WEAK */
  constructor(tokens: readonly ApiToken[], clock: Clock) {
    for (const { name, secret } of tokens) {
      if (secret.length >= tokenCharactersMin) continue;
      throw new HoldfastError(
        'CONFIG_TOKEN_WEAK',
        `the token '${name}' of security.tokens has only ${secret.length} characters: at least ${tokenCharactersMin}`,
        {
          hint: "Make one with 'openssl rand -hex 24'.",
        },
      );
    }
    this.#tokens = tokens.map(({ name, role, secret }) => ({ name, role, hash: this.#hash(secret) }));
    this.#failures = new FailedTries(clock);
  }

  /**
   * Who asks; undefined without an Authorization header.
   * @throws API_DENIED (a token that nobody has), API_TOO_MANY_FAILURES
   */
  identify(authorization: string | undefined, address: string): Caller | undefined {
    if (authorization === undefined) return undefined;
    const secret = /^Bearer +([\x21-\x7e]{1,1024})$/i.exec(authorization)?.[1];
    const hash = this.#hash(secret ?? '');
    let caller: Caller | undefined;
    for (const token of this.#tokens) if (timingSafeEqual(token.hash, hash)) caller = { name: token.name, role: token.role };
    if (caller !== undefined) return caller;
    this.#failures.count(address);
    if (this.#failures.tooMany(address)) {
      throw new HoldfastError('API_TOO_MANY_FAILURES', 'too many wrong tokens came from this address', {
        retryable: true,
        hint: `Wait ${failureWindowMs / 1000} s, and correct the token.`,
      });
    }
    throw new HoldfastError('API_DENIED', 'this token is not known here', {
      hint: 'Use a token of security.tokens: --token-file, or HOLDFAST_TOKEN_FILE.',
    });
  }

  /** @throws API_DENIED, API_FORBIDDEN */
  require(caller: Caller | undefined, needed: Role): void {
    if (caller !== undefined && roles.indexOf(caller.role) >= roles.indexOf(needed)) return;
    if (this.#tokens.length === 0) {
      throw new HoldfastError('API_FORBIDDEN', 'this agent takes no commands: it has no tokens', {
        hint: 'Add one under security.tokens of holdfast.yaml.',
      });
    }
    if (caller === undefined) {
      throw new HoldfastError('API_DENIED', `this needs a token with the role ${needed}`, {
        hint: 'Send a token of security.tokens: --token-file, or HOLDFAST_TOKEN_FILE.',
      });
    }
    throw new HoldfastError('API_FORBIDDEN', `the token '${caller.name}' has the role ${caller.role}; this needs ${needed}`, {
      hint: `Use a token with the role ${needed}.`,
    });
  }

  #hash(secret: string): Buffer {
    return createHmac('sha256', this.#key).update(secret).digest();
  }
}
