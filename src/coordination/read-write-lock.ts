import type { Runtime } from '../core/runtime.ts';
import { acquire, type Claim } from './acquire.ts';
import type { AcquireOptions, Hold } from './hold.ts';
import { acquireLock, lockQueue } from './lock.ts';
import type { CoordinationStore } from './store.ts';

/**
 * Acquires the read side of a lock: any number of readers hold it together, but no writer. Order of arrival counts, so a waiting writer
 * is not starved: readers that come after it wait for it.
 * @throws what `acquire` throws
 */
export function acquireReadLock(store: CoordinationStore, name: string, runtime: Runtime, options: AcquireOptions = {}): Promise<Hold> {
  const claim: Claim = {
    name,
    queue: lockQueue(name),
    label: 'read',
    blockers: (ahead) => ahead.filter(({ label }) => label === 'write').slice(-1),
  };
  return acquire(store, claim, runtime, options);
}

/** Acquires the write side of a lock: one writer alone, no reader. @throws what `acquire` throws */
export const acquireWriteLock: typeof acquireLock = acquireLock;
