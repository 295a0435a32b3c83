import type { Runtime } from '../core/runtime.ts';
import { acquire, type Claim } from './acquire.ts';
import type { AcquireOptions, Hold } from './hold.ts';
import type { CoordinationStore } from './store.ts';

/**
 * Acquires a lock that one alone can hold: a mutex. It is the write side of the read-write lock of the same name.
 * @throws what `acquire` throws
 */
export function acquireLock(store: CoordinationStore, name: string, runtime: Runtime, options: AcquireOptions = {}): Promise<Hold> {
  // Everyone ahead is in the way, so it is enough to wait for the last of them.
  const claim: Claim = { name, queue: lockQueue(name), label: 'write', blockers: (ahead) => ahead.slice(-1) };
  return acquire(store, claim, runtime, options);
}

/** Where readers and writers of one name line up together. */
export function lockQueue(name: string): string {
  return `locks/${name}`;
}
