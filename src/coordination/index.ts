export { acquireLock } from './lock.ts';
export { acquirePermit, PERMITS_MAX } from './semaphore.ts';
export { acquireReadLock, acquireWriteLock } from './read-write-lock.ts';
export { BARRIER_SIZE_MAX, enterBarrier, type Presence } from './double-barrier.ts';
export { campaign, type Leader, observeLeader } from './election.ts';
export { lowerBarrier, raiseBarrier, untilBarrierLowered } from './barrier.ts';
export { openStore } from './registry.ts';
export { storeConfigSchema, type StoreConfigInput } from './config.ts';
export type { AcquireOptions, Hold } from './hold.ts';
export type {
  CoordinationStore,
  Entry,
  Expectation,
  OwnTicket,
  Session,
  SessionState,
  StoreCapabilities,
  SwapResult,
  Ticket,
  WatchEvent,
} from './store.ts';
