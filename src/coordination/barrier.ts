import type { Runtime } from '../core/runtime.ts';
import { HoldfastError } from '../core/errors.ts';
import { anySignal, limitAfter } from './patience.ts';
import type { CoordinationStore } from './store.ts';

/** Puts up a barrier; it stays until somebody lowers it, whoever dies. Idempotent. */
export async function raiseBarrier(store: CoordinationStore, name: string, options: { signal?: AbortSignal } = {}): Promise<void> {
  await store.swap(barrierKey(name), '', 'absent', options);
}

/** Takes the barrier down: all who wait go on. Idempotent. */
export async function lowerBarrier(store: CoordinationStore, name: string, options: { signal?: AbortSignal } = {}): Promise<void> {
  for (;;) {
    const entry = await store.get(barrierKey(name), options);
    if (entry === undefined || (await store.remove(entry.key, entry.revision, options))) return;
  }
}

/** Waits while the barrier is up. @throws COORD_LOCK_TIMEOUT after `waitMs` */
export async function untilBarrierLowered(
  store: CoordinationStore,
  name: string,
  runtime: Runtime,
  options: { waitMs?: number; signal?: AbortSignal } = {},
): Promise<void> {
  const key = barrierKey(name);
  using limit = limitAfter(runtime.clock, options.waitMs, () => barrierTimedOut(name, options.waitMs!, 'it is up'));
  const signal = anySignal(options.signal, limit.signal);
  for await (const event of store.watch(key, { signal })) {
    if (event.type === 'snapshot' && event.entries.every((entry) => entry.key !== key)) return;
    if (event.type === 'deleted' && event.key === key) return;
  }
  signal.throwIfAborted();
}

export function barrierTimedOut(name: string, waitMs: number, why: string): HoldfastError {
  return new HoldfastError('COORD_LOCK_TIMEOUT', `the barrier ${name} was not passed within ${waitMs} ms: ${why}`, {
    retryable: true,
    hint: 'Wait longer, or see what keeps the others.',
  });
}

function barrierKey(name: string): string {
  return `barriers/${name}`;
}
