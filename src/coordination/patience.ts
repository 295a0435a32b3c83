import type { Clock } from '../core/clock.ts';
import { HoldfastError, hasCode } from '../core/errors.ts';
import type { Runtime } from '../core/runtime.ts';

/** First and longest pause between attempts to reach a store that is away. */
const pauseMsMin = 50;
const pauseMsMax = 1_000;

/** Repeats a call that is safe to repeat while the store can not be reached. Ends with `signal`: @throws its reason */
export async function patiently<T>(runtime: Runtime, signal: AbortSignal, call: () => Promise<T>): Promise<T> {
  for (let pauseMs = pauseMsMin; ; pauseMs = Math.min(pauseMs * 2, pauseMsMax)) {
    try {
      return await call();
    } catch (error) {
      signal.throwIfAborted();
      if (!hasCode(error, 'COORD_UNREACHABLE') || !error.retryable) throw error;
      runtime.logger.debug('coordination.store.unreachable', { message: error.message });
      await runtime.clock.sleep(pauseMs * (0.5 + runtime.random.next()), signal);
    }
  }
}

/** A signal that aborts with what `reason` makes once a time has passed. */
export interface Limit extends Disposable {
  readonly signal: AbortSignal;
}

/** @param afterMs undefined: never */
export function limitAfter(clock: Clock, afterMs: number | undefined, reason: () => HoldfastError): Limit {
  const abort = new AbortController();
  const timer = afterMs === undefined ? undefined : clock.after(afterMs, () => abort.abort(reason()));
  return { signal: abort.signal, [Symbol.dispose]: () => timer?.[Symbol.dispose]() };
}

/** Aborts with the first of them; absent ones are left out. */
export function anySignal(...signals: readonly (AbortSignal | undefined)[]): AbortSignal {
  return AbortSignal.any(signals.filter((signal) => signal !== undefined));
}
