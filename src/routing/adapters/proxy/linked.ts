import type { Clock } from '../../../core/clock.ts';

/** A signal that lives as long as the scope it is bound to. */
export interface ScopedSignal extends Disposable {
  readonly signal: AbortSignal;
}

/**
 * Aborts as soon as one of `parents` does, with its reason. Unlike `AbortSignal.any` it leaves nothing on parents that live for ever
 * once it is disposed of.
 */
export function linked(...parents: readonly AbortSignal[]): ScopedSignal & { abort(reason: Error): void } {
  const controller = new AbortController();
  const onAbort = (event: Event): void => controller.abort((event.target as AbortSignal).reason);
  for (const parent of parents) {
    if (parent.aborted) controller.abort(parent.reason);
    else parent.addEventListener('abort', onAbort, { once: true });
  }
  return {
    signal: controller.signal,
    abort: (reason) => controller.abort(reason),
    [Symbol.dispose]: () => {
      for (const parent of parents) parent.removeEventListener('abort', onAbort);
    },
  };
}

/** Aborts after a time, or with a parent. */
export function deadline(clock: Clock, delayMs: number, reason: () => Error, parent: AbortSignal): ScopedSignal {
  const link = linked(parent);
  const timer = clock.after(delayMs, () => link.abort(reason()));
  return {
    signal: link.signal,
    [Symbol.dispose]: () => {
      timer[Symbol.dispose]();
      link[Symbol.dispose]();
    },
  };
}

/**
 * Starts something that calls back once, and gives up on it when `signal` aborts.
 * @param start gets the callback, and returns how to take it back
 * @throws the signal's reason
 */
export async function untilCalled(signal: AbortSignal, start: (done: () => void) => () => void): Promise<void> {
  signal.throwIfAborted();
  await new Promise<void>((resolve, reject) => {
    const onAbort = (): void => {
      cancel();
      reject(signal.reason as Error);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    const cancel = start(() => {
      signal.removeEventListener('abort', onAbort);
      resolve();
    });
  });
}
