import { HoldfastError } from '../core/errors.ts';
import type { Runtime } from '../core/runtime.ts';
import { acquire, type Claim } from './acquire.ts';
import type { AcquireOptions, Hold } from './hold.ts';
import type { CoordinationStore } from './store.ts';

/** Most permits of one semaphore: a waiter watches as many places. */
export const PERMITS_MAX = 256;

/**
 * Acquires one of `permits` permits. All users of a name must agree on the number; whoever comes first fixes it for good.
 * @throws COORD_MISMATCH when others use this name with another number; what `acquire` throws
 */
export function acquirePermit(
  store: CoordinationStore,
  name: string,
  runtime: Runtime,
  options: AcquireOptions & { permits: number },
): Promise<Hold> {
  const { permits } = options;
  if (!Number.isInteger(permits) || permits < 1 || permits > PERMITS_MAX) {
    throw new HoldfastError('COORD_MISMATCH', `a semaphore of ${permits} permits: a whole number from 1 to ${PERMITS_MAX} is allowed`);
  }
  const claim: Claim = {
    name,
    queue: `semaphores/${name}`,
    label: 'permit',
    // It is our turn once fewer than `permits` are ahead, which can not be while all of the last `permits` ahead are still there. Watching
    // only those, one release wakes at most `permits` waiters, however long the queue.
    blockers: (ahead) => (ahead.length < permits ? [] : ahead.slice(-permits)),
    prepare: (signal) => agree(store, name, permits, signal),
  };
  return acquire(store, claim, runtime, options);
}

async function agree(store: CoordinationStore, name: string, permits: number, signal: AbortSignal | undefined): Promise<void> {
  const result = await store.swap(`semaphores/${name}`, String(permits), 'absent', { ...(signal && { signal }) });
  if (result.swapped || result.current === undefined || result.current.value === String(permits)) return;
  throw new HoldfastError('COORD_MISMATCH', `the semaphore ${name} has ${result.current.value} permits for others, ${permits} here`, {
    hint: 'Give all its users the same number, or use another name for another number.',
  });
}
