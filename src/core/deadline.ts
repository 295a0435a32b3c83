import type { Clock } from './clock.ts';

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

/** Aborts after a time, or with a parent. Dispose of it when the work is done: a timer left behind keeps a process alive. */
export function deadline(clock: Clock, delayMs: number, reason: () => Error, ...parents: readonly AbortSignal[]): ScopedSignal {
  const link = linked(...parents);
  const timer = clock.after(delayMs, () => link.abort(reason()));
  return {
    signal: link.signal,
    [Symbol.dispose]: () => {
      timer[Symbol.dispose]();
      link[Symbol.dispose]();
    },
  };
}
