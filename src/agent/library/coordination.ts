import { resolveSecrets } from '../../config/secrets.ts';
import * as recipes from '../../coordination/index.ts';
import type { AcquireOptions, CoordinationStore, Hold, Presence, StoreConfigInput } from '../../coordination/index.ts';
import { type Logger, silentLogger } from '../../core/logger.ts';
import type { Runtime } from '../../core/runtime.ts';
import { createClock, createRandom } from '../../runtime/index.ts';
import { invalid } from './invalid.ts';

// What `holdfast/coordination` gives to programs: the recipes of src/coordination on this machine's real clock.

export { BARRIER_SIZE_MAX, lowerBarrier, observeLeader, PERMITS_MAX, raiseBarrier } from '../../coordination/index.ts';
export type {
  AcquireOptions,
  CoordinationStore,
  Entry,
  Expectation,
  Hold,
  Leader,
  OwnTicket,
  Presence,
  Session,
  SessionState,
  StoreCapabilities,
  StoreConfigInput,
  SwapResult,
  Ticket,
  WatchEvent,
} from '../../coordination/index.ts';
export { HoldfastError } from '../../core/errors.ts';
export type { Logger } from '../../core/logger.ts';

const [what, page] = ['the coordination store', 'docs/coordination.md'];

/** Without a state of its own: it need not be closed. */
const runtime: Runtime = { clock: createClock(), random: createRandom(), logger: silentLogger };

/**
 * Opens a coordination store: `{ embedded: 'store.db' }`, `{ etcd: { endpoints: ['http://10.0.0.11:2379'] } }` or
 * `{ zookeeper: { servers: ['10.0.0.11:2181'] } }`. Passwords are written as in holdfast.yaml: `${NAME}` or `file:PATH`.
 * @throws CONFIG_INVALID, COORD_UNREACHABLE, COORD_DENIED, COORD_UNSUITABLE; the signal's reason
 */
export async function openStore(
  config: StoreConfigInput,
  options: { signal?: AbortSignal; logger?: Logger } = {},
): Promise<CoordinationStore> {
  const { data, error } = recipes.storeConfigSchema.safeParse(config);
  if (data === undefined) throw invalid(what, error.issues, page);
  const unreadable = resolveSecrets(data, process.env, process.cwd());
  if (unreadable.length > 0) throw invalid(what, unreadable, page);
  const { signal, logger = silentLogger } = options;
  return recipes.openStore(data, { ...runtime, logger }, { ...(signal && { signal }) });
}

/** Acquires a lock that one alone can hold. @throws COORD_LOCK_TIMEOUT after `waitMs`; COORD_DENIED, COORD_TTL_TOO_SHORT, COORD_BAD_KEY, the signal's reason */
export function acquireLock(store: CoordinationStore, name: string, options: AcquireOptions = {}): Promise<Hold> {
  return recipes.acquireLock(store, name, runtime, options);
}

/** Acquires the side of a lock that many hold together, while nobody holds the other. Throws as `acquireLock`. */
export function acquireReadLock(store: CoordinationStore, name: string, options: AcquireOptions = {}): Promise<Hold> {
  return recipes.acquireReadLock(store, name, runtime, options);
}

/** Acquires the side of a lock that one holds alone: the same as `acquireLock` of that name. */
export function acquireWriteLock(store: CoordinationStore, name: string, options: AcquireOptions = {}): Promise<Hold> {
  return recipes.acquireWriteLock(store, name, runtime, options);
}

/** Acquires one of `permits` permits. Throws as `acquireLock`, and COORD_MISMATCH when others use this name with another number. */
export function acquirePermit(store: CoordinationStore, name: string, options: AcquireOptions & { permits: number }): Promise<Hold> {
  return recipes.acquirePermit(store, name, runtime, options);
}

/** Stands for leader and waits to be it; then `observeLeader` shows `value` to everybody. Throws as `acquireLock`. */
export function campaign(store: CoordinationStore, name: string, options: AcquireOptions & { value: string }): Promise<Hold> {
  return recipes.campaign(store, name, runtime, options);
}

/** Waits while a barrier is up. @throws COORD_LOCK_TIMEOUT after `waitMs` */
export function untilBarrierLowered(
  store: CoordinationStore,
  name: string,
  options: { waitMs?: number; signal?: AbortSignal } = {},
): Promise<void> {
  return recipes.untilBarrierLowered(store, name, runtime, options);
}

/** Enters a double barrier: returns once `size` parties are there. @throws COORD_LOCK_TIMEOUT, COORD_MISMATCH, COORD_SESSION_LOST */
export function enterBarrier(
  store: CoordinationStore,
  name: string,
  options: Parameters<typeof recipes.enterBarrier>[3],
): Promise<Presence> {
  return recipes.enterBarrier(store, name, runtime, options);
}
