import type { Clock } from '../../../core/clock.ts';
import type { Secret } from '../../../core/secret.ts';
import { abortable } from '../../../core/abortable.ts';
import type { CallHeaders } from './call.ts';
import type { Connection } from './connection.ts';
import { Deadline } from './deadline.ts';
import { CallFailure, grpcStatus } from './failure.ts';
import { rpc } from './messages.ts';

export interface Account {
  readonly username: string;
  readonly password: Secret;
}

/** Who we are to etcd: a token, fetched with the password when it is needed, and again when a member does not accept it any more. */
export class Credentials {
  readonly #account: Account | undefined;
  readonly #clock: Clock;
  readonly #limitMs: number;
  #token: Promise<string> | undefined;

  /** @param limitMs how long fetching a token may take */
  constructor(account: Account | undefined, clock: Clock, limitMs: number) {
    this.#account = account;
    this.#clock = clock;
    this.#limitMs = limitMs;
  }

  /** The headers that authenticate a call. @throws CallFailure `unsent` or a denial, or the signal's reason */
  async headers(connection: Connection, signal: AbortSignal): Promise<CallHeaders> {
    if (this.#account === undefined) return {};
    this.#token ??= this.#fetch(connection, this.#account).catch((error: unknown) => {
      this.#token = undefined;
      throw error;
    });
    // Shared by all that need it, so not ended by the signal of one.
    const token = await abortable(this.#token, signal);
    return token === '' ? {} : { token };
  }

  /** Drops a token that a member did not accept, unless it has been replaced already. */
  async forget(rejected: CallHeaders): Promise<void> {
    const current = this.#token;
    const held = await current?.catch(() => undefined);
    if (held === (rejected.token ?? '') && this.#token === current) this.#token = undefined;
  }

  async #fetch(connection: Connection, { username, password }: Account): Promise<string> {
    using deadline = new Deadline(this.#clock, this.#limitMs, `${connection.url}: no authentication`, []);
    try {
      const request = rpc.authenticate.encode({ name: username, password: password.reveal() });
      return rpc.authenticate.decode(await connection.unary(rpc.authenticate.path, request, { hasleader: 'true' }, deadline.signal)).token;
    } catch (error) {
      if (!(error instanceof CallFailure) || error.isDenial) throw error;
      // As etcd's own client does: a cluster without authentication needs none. `inspectStore` tells of it.
      if (error.status === grpcStatus.failedPrecondition && /not enabled/.test(error.message)) return '';
      // Whatever it was: the call that needs the token has not been sent.
      throw new CallFailure('unsent', error.message, { hint: error.hint, cause: error });
    }
  }
}
