import type { Clock } from '../../../core/clock.ts';
import { HoldfastError } from '../../../core/errors.ts';
import { abortable } from '../../../core/abortable.ts';
import type { MemoryServer } from './memory-server.ts';

/** How long a call waits for its reply. */
export const CALL_MS_MAX = 5_000;

/** How one message travels: milliseconds under way, or `lost`. Asked once per message. */
export type Travel = () => number | 'lost';

const instantly: Travel = () => 0;

/**
 * The network between one client and a MemoryServer. A request travels by the server's clock, a reply by the client's, so that a stalled
 * client gets its replies late. A message can be lost either way: then nobody knows whether it was done.
 */
export class MemoryLink {
  /** Faults, changed at will while it runs. */
  requestTravel: Travel = instantly;
  replyTravel: Travel = instantly;
  #cut = false;
  readonly #server: MemoryServer;
  readonly #serverClock: Clock;
  readonly #clock: Clock;

  constructor(server: MemoryServer, serverClock: Clock, clientClock: Clock) {
    this.#server = server;
    this.#serverClock = serverClock;
    this.#clock = clientClock;
  }

  /** From now all messages vanish, those under way too. */
  cut(): void {
    this.#cut = true;
  }

  restore(): void {
    this.#cut = false;
  }

  /** @throws COORD_UNREACHABLE, the signal's reason */
  async call<T>(operation: () => T, options: { signal?: AbortSignal | undefined; timeoutMs?: number } = {}): Promise<T> {
    const { signal } = options;
    signal?.throwIfAborted();
    const timeoutMs = options.timeoutMs ?? CALL_MS_MAX;
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    using _limit = this.#clock.after(timeoutMs, () => reject(unreachable(`no reply within ${timeoutMs} ms`)));
    this.#send(this.requestTravel(), this.#serverClock, () => {
      const taken = this.#server.take(() => {
        const outcome = Promise.try(operation);
        this.#send(this.replyTravel(), this.#clock, () => void outcome.then(resolve, reject));
      });
      if (!taken) this.#send(this.replyTravel(), this.#clock, () => reject(unreachable('connection refused')));
    });
    return await abortable(promise, signal);
  }

  /** A message from the server that nobody asked for: may be lost. */
  push(deliver: () => void): void {
    this.#send(this.replyTravel(), this.#clock, deliver);
  }

  #send(travel: number | 'lost', clock: Clock, arrive: () => void): void {
    if (this.#cut || travel === 'lost') return;
    clock.after(travel, () => {
      if (!this.#cut) arrive();
    });
  }
}

function unreachable(why: string): HoldfastError {
  return new HoldfastError('COORD_UNREACHABLE', `the coordination store (memory) does not answer: ${why}`, {
    retryable: true,
    hint: 'What was asked may or may not have happened: read again before relying on either.',
  });
}
