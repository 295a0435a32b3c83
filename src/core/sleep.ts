import type { Clock } from './clock.ts';

/** `Clock.sleep` in terms of `Clock.after`, for those who implement a clock. */
export async function sleepBy(after: Clock['after'], delayMs: number, signal?: AbortSignal): Promise<void> {
  signal?.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  using _timer = after(delayMs, resolve);
  const abort = (): void => reject(signal?.reason);
  signal?.addEventListener('abort', abort, { once: true });
  try {
    await promise;
  } finally {
    signal?.removeEventListener('abort', abort);
  }
}
