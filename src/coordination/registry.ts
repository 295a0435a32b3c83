import { HoldfastError } from '../core/errors.ts';
import type { Runtime } from '../core/runtime.ts';
import { hasOneStore, storeSchemas, type StoreConfig } from './config.ts';
import type { CoordinationStore } from './store.ts';

/** Something an operator should know of a store. */
export interface StoreFinding {
  readonly level: 'ok' | 'warning' | 'problem';
  readonly message: string;
  /** What to do; empty where nothing is to be done. */
  readonly hint: string;
}

/**
 * Opens the store that a configuration names; loads no other adapter. Other keys of `config` are left alone.
 * @throws COORD_UNREACHABLE, COORD_DENIED, COORD_UNSUITABLE; the signal's reason
 */
export async function openStore(config: StoreConfig, runtime: Runtime, options: { signal?: AbortSignal } = {}): Promise<CoordinationStore> {
  assertOneStore(config);
  if (config.etcd !== undefined) return (await import('./adapters/etcd/index.ts')).open(config.etcd, runtime, options);
  if (config.zookeeper !== undefined) return (await import('./adapters/zookeeper/index.ts')).open(config.zookeeper, runtime, options);
  return (await import('./adapters/embedded/index.ts')).open(config.embedded!, runtime, options);
}

/** Looks at the store that a configuration names as an operator would, and changes nothing that lasts. @throws the signal's reason */
export async function inspectStore(
  config: StoreConfig,
  runtime: Runtime,
  options: { ttlMs: number; signal: AbortSignal },
): Promise<readonly StoreFinding[]> {
  assertOneStore(config);
  if (config.etcd !== undefined)
    return (await (await import('./adapters/etcd/index.ts')).inspectStore(config.etcd, runtime, options)).findings;
  if (config.zookeeper !== undefined)
    return (await (await import('./adapters/zookeeper/index.ts')).inspectStore(config.zookeeper, runtime, options)).findings;
  return (await (await import('./adapters/embedded/index.ts')).inspectStore(config.embedded!)).findings;
}

function assertOneStore(config: StoreConfig): void {
  if (hasOneStore(config)) return;
  throw new HoldfastError(
    'COORD_UNSUITABLE',
    `a coordination store must be named by exactly one of ${Object.keys(storeSchemas).join(', ')}`,
  );
}
