import { HoldfastError } from '../core/errors.ts';
import type { Runtime } from '../core/runtime.ts';
import { hasOneStore, type StoreConfig } from './config.ts';
import type { CoordinationStore } from './store.ts';

/**
 * Opens the store that a configuration names; loads no other adapter. Other keys of `config` are left alone.
 * @throws COORD_UNREACHABLE, COORD_DENIED, COORD_UNSUITABLE; the signal's reason
 */
export async function openStore(config: StoreConfig, runtime: Runtime, options: { signal?: AbortSignal } = {}): Promise<CoordinationStore> {
  if (!hasOneStore(config)) {
    throw new HoldfastError('COORD_UNSUITABLE', 'a coordination store must be named by exactly one of embedded, etcd, zookeeper');
  }
  if (config.etcd !== undefined) return (await import('./adapters/etcd/index.ts')).open(config.etcd, runtime, options);
  if (config.zookeeper !== undefined) return (await import('./adapters/zookeeper/index.ts')).open(config.zookeeper, runtime, options);
  return (await import('./adapters/embedded/index.ts')).open(config.embedded!, runtime, options);
}
