import { HoldfastError, hasCode, messageOf } from '../../core/errors.ts';
import type { Runtime } from '../../core/runtime.ts';
import { equalBytes } from '../bytes.ts';
import { objectBytes } from '../key.ts';
import type { ByteRange, CallOptions, Location, LocationCapabilities, LocationStatus, ObjectInfo } from '../location.ts';

/** How long a call is tried. It ends with its last error when either bound is reached. */
export interface RetryPolicy {
  /** Tries in all. */
  readonly attemptsMax: number;
  /** From the first try on; none begins later. */
  readonly timeMaxMs: number;
  /** The longest that the first pause may be; it doubles each time, */
  readonly pauseMs: number;
  /** up to this. */
  readonly pauseMsMax: number;
}

/** Lets a store restart, or a busy one recover, without a word; gives up soon enough that a mirror goes on without it. */
export const retryPolicyDefault: RetryPolicy = { attemptsMax: 6, timeMaxMs: 60_000, pauseMs: 250, pauseMsMax: 10_000 };
/** Of a location that answered and has no others beside it: what is under way there would fail with it. Half a minute on average. */
export const retryPolicyAlone: RetryPolicy = { attemptsMax: 24, timeMaxMs: 60_000, pauseMs: 250, pauseMsMax: 3_000 };

/**
 * The same location, tried again where the error says that this may help. Pauses are uniform between 0 and a bound that doubles ("full
 * jitter", Marc Brooker, Exponential Backoff And Jitter, AWS Architecture Blog, 2015): many clients do not come back in step.
 *
 * Once a call has given a location up as unreachable, each of the next ones tries it once, until one succeeds: who has other locations is
 * not kept waiting by one that is away.
 *
 * A put with `ifAbsent` whose answer was lost may have created the object. Where a later try then finds one, it is compared with the data:
 * equal bytes are taken for our own. So what claims something must hold something unique to its writer.
 */
export function retry(
  location: Location,
  runtime: Runtime,
  policy: RetryPolicy = retryPolicyDefault,
  { awayBecause }: { readonly awayBecause?: string | undefined } = {},
): Location {
  return new RetriedLocation(location, runtime, policy, { givenUp: awayBecause !== undefined, awayBecause });
}

class RetriedLocation implements Location {
  readonly name: string;
  readonly #inner: Location;
  readonly #runtime: Runtime;
  readonly #policy: RetryPolicy;
  readonly #standing: Standing;

  constructor(inner: Location, runtime: Runtime, policy: RetryPolicy, standing: Standing) {
    this.name = inner.name;
    this.#inner = inner;
    this.#runtime = runtime;
    this.#policy = policy;
    this.#standing = standing;
  }

  get capabilities(): LocationCapabilities {
    return this.#inner.capabilities;
  }

  async put(key: string, data: readonly Uint8Array[], options: CallOptions & { readonly ifAbsent?: boolean }): Promise<void> {
    let uncertain = false;
    await this.#retried('put', options.signal, async () => {
      try {
        await this.#inner.put(key, data, options);
      } catch (error) {
        if (uncertain && hasCode(error, 'STORAGE_EXISTS') && (await this.#holds(key, data, options))) return;
        if (options.ifAbsent === true && isRetryable(error)) uncertain = true;
        throw error;
      }
    });
  }

  get draft(): Location['draft'] {
    const inner = this.#inner;
    if (inner.draft === undefined) return undefined;
    return async (options) => {
      const draft = await this.#retried('draft', options.signal, () => inner.draft!(options));
      return {
        append: (bytes, { signal }) => this.#retried('append', signal, () => draft.append(bytes, { signal })),
        put: (key, how) => this.#retried('put', how.signal, () => draft.put(key, how)),
        [Symbol.asyncDispose]: () => draft[Symbol.asyncDispose](),
      };
    };
  }

  get(key: string, options: CallOptions & { readonly range?: ByteRange }): Promise<Uint8Array> {
    return this.#retried('get', options.signal, () => this.#inner.get(key, options));
  }

  stat(key: string, options: CallOptions): Promise<ObjectInfo | undefined> {
    return this.#retried('stat', options.signal, () => this.#inner.stat(key, options));
  }

  /** Begun anew after a failure, without what was told already: that is kept in mind, one key each, until the list ends. */
  async *list(prefix: string, options: CallOptions): AsyncGenerator<ObjectInfo> {
    const told = new Set<string>();
    const attempts = this.#attempts('list', options.signal);
    for (;;) {
      try {
        for await (const info of this.#inner.list(prefix, options)) {
          if (told.has(info.key)) continue;
          told.add(info.key);
          yield info;
          attempts.progressed();
        }
        return attempts.progressed();
      } catch (error) {
        await attempts.failed(error);
      }
    }
  }

  remove(key: string, options: CallOptions): Promise<void> {
    return this.#retried('remove', options.signal, () => this.#inner.remove(key, options));
  }

  status(): LocationStatus {
    const status = this.#inner.status();
    const { awayBecause } = this.#standing;
    return awayBecause === undefined || status.state !== 'ok' ? status : { ...status, state: 'away', message: awayBecause };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#inner[Symbol.asyncDispose]();
  }

  async #holds(key: string, data: readonly Uint8Array[], { signal }: CallOptions): Promise<boolean> {
    const info = await this.#inner.stat(key, { signal });
    return info?.sizeBytes === objectBytes(data) && equalBytes(await this.#inner.get(key, { signal }), data);
  }

  async #retried<T>(what: string, signal: AbortSignal, call: () => Promise<T>): Promise<T> {
    const attempts = this.#attempts(what, signal);
    for (;;) {
      try {
        const result = await call();
        attempts.progressed();
        return result;
      } catch (error) {
        await attempts.failed(error);
      }
    }
  }

  #attempts(what: string, signal: AbortSignal): Attempts {
    const policy = this.#standing.givenUp ? { ...this.#policy, attemptsMax: 1 } : this.#policy;
    return new Attempts({ what, location: this.name, signal, standing: this.#standing }, this.#runtime, policy);
  }
}

/** What the calls on one location know in common. */
interface Standing {
  givenUp: boolean;
  /** Why it was taken for away when it was opened; no more since it has answered. */
  awayBecause?: string | undefined;
}

/** It answers. */
function answered(standing: Standing): void {
  standing.givenUp = false;
  standing.awayBecause = undefined;
}

interface RetriedCall {
  readonly what: string;
  readonly location: string;
  readonly signal: AbortSignal;
  readonly standing: Standing;
}

function isRetryable(error: unknown): boolean {
  return error instanceof HoldfastError && error.retryable;
}

/** The tries of one call. */
class Attempts {
  readonly #call: RetriedCall;
  readonly #runtime: Runtime;
  readonly #policy: RetryPolicy;
  #startMs: number;
  #failed = 0;

  constructor(call: RetriedCall, runtime: Runtime, policy: RetryPolicy) {
    this.#call = call;
    this.#runtime = runtime;
    this.#policy = policy;
    this.#startMs = runtime.clock.monotonicMs();
  }

  /** What is long may fail often, if only it comes nearer to its end each time. */
  progressed(): void {
    answered(this.#call.standing);
    this.#failed = 0;
    this.#startMs = this.#runtime.clock.monotonicMs();
  }

  /** Waits until the next try. @throws the error when there is to be none; the signal's reason */
  async failed(error: unknown): Promise<void> {
    const { what, location, signal, standing } = this.#call;
    signal.throwIfAborted();
    // Any other answer is one.
    if (!hasCode(error, 'STORAGE_UNREACHABLE')) answered(standing);
    if (!isRetryable(error)) throw error;
    const { attemptsMax, timeMaxMs, pauseMs, pauseMsMax } = this.#policy;
    this.#failed += 1;
    const { clock, random, logger } = this.#runtime;
    const delayMs = random.next() * Math.min(pauseMsMax, pauseMs * 2 ** (this.#failed - 1));
    if (this.#failed >= attemptsMax || clock.monotonicMs() - this.#startMs + delayMs > timeMaxMs) {
      if (hasCode(error, 'STORAGE_UNREACHABLE')) standing.givenUp = true;
      throw error;
    }
    logger.debug('storage.call.retried', {
      location,
      call: what,
      attempt: this.#failed,
      delayMs: Math.round(delayMs),
      message: messageOf(error),
    });
    await clock.sleep(delayMs, signal);
  }
}
