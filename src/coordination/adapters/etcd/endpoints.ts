import type { SecureContextOptions } from 'node:tls';
import type { Clock, Timer } from '../../../core/clock.ts';
import type { Logger } from '../../../core/logger.ts';
import type { Random } from '../../../core/random.ts';
import { openConnection, type Connection } from './connection.ts';
import { Deadline } from './deadline.ts';
import { CallFailure } from './failure.ts';

/** Least time between the starts of attempts at two endpoints, while the first one neither failed nor succeeded. */
const STAGGER_MS = 250;
/** Longest time for connection, TLS and HTTP/2 settings of one endpoint. */
const CONNECT_MS = 2_000;

/** The members of one cluster as they are reached from here; those that failed are tried last. */
export class Endpoints {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #states: { readonly url: string; failedMs: number }[];

  constructor(urls: readonly string[], runtime: { clock: Clock; random: Random; logger: Logger }) {
    this.#clock = runtime.clock;
    this.#logger = runtime.logger;
    // Each client begins elsewhere, so that they spread over the members.
    const start = Math.floor(runtime.random.next() * urls.length);
    this.#states = [...urls.slice(start), ...urls.slice(0, start)].map((url) => ({ url, failedMs: Number.NEGATIVE_INFINITY }));
  }

  /** Puts an endpoint last in the order. */
  evict(url: string, why: string): void {
    const state = this.#states.find((candidate) => candidate.url === url);
    if (state === undefined) return;
    state.failedMs = this.#clock.monotonicMs();
    this.#logger.debug('coordination.endpoint.evicted', { url, why });
  }

  /**
   * Tries all endpoints once, a new one every STAGGER_MS or as soon as one failed; the first that speaks HTTP/2 wins.
   * @throws CallFailure `denied` when all of them were, else `unsent`, telling of each; or the signal's reason
   */
  async connect(tls: SecureContextOptions, signal: AbortSignal): Promise<Connection> {
    const order = this.#states.toSorted((a, b) => a.failedMs - b.failedMs).map(({ url }) => url);
    const { promise, resolve, reject } = Promise.withResolvers<Connection>();
    const failures: CallFailure[] = [];
    const settled = new AbortController();
    let timer: Timer | undefined;
    const next = (): void => {
      timer?.[Symbol.dispose]();
      const url = order.shift();
      if (url === undefined || settled.signal.aborted) return;
      timer = this.#clock.after(STAGGER_MS, next);
      this.#attempt(url, tls, [signal, settled.signal]).then(
        (connection) => (settled.signal.aborted ? connection[Symbol.dispose]() : resolve(connection)),
        (error: unknown) => {
          if (settled.signal.aborted) return;
          if (!(error instanceof CallFailure)) return reject(error);
          this.evict(url, error.message);
          if (failures.push(error) === this.#states.length) reject(summarise(failures));
          else next();
        },
      );
    };
    next();
    try {
      return await promise;
    } finally {
      timer?.[Symbol.dispose]();
      settled.abort(new CallFailure('unsent', 'another endpoint was quicker'));
    }
  }

  async #attempt(url: string, tls: SecureContextOptions, signals: readonly AbortSignal[]): Promise<Connection> {
    using deadline = new Deadline(this.#clock, CONNECT_MS, `${url}: no HTTP/2 answer`, signals);
    return await openConnection(url, tls, this.#clock, deadline.signal);
  }
}

function summarise(failures: readonly CallFailure[]): CallFailure {
  const text = failures.map((failure) => failure.message).join('; ');
  const first = failures.find((failure) => failure.hint !== '') ?? failures[0]!;
  const denied = failures.every((failure) => failure.kind === 'denied');
  return new CallFailure(denied ? 'denied' : 'unsent', text, { hint: first.hint, cause: first.cause });
}
