import type { Runtime } from '../../../core/runtime.ts';
import type { StoreAdapter } from '../../store.ts';
import type { EtcdConfig } from './config.ts';
import { EtcdStore } from './etcd-store.ts';

export { configSchema, type EtcdConfig } from './config.ts';
export { inspectStore } from './inspect.ts';

export const kind = 'etcd';

/** A client of the cluster, connected. @throws COORD_UNREACHABLE when no member answers within the request timeout; COORD_DENIED; the signal's reason */
export async function open(config: EtcdConfig, runtime: Runtime, options: { signal?: AbortSignal } = {}): Promise<EtcdStore> {
  const store = new EtcdStore(config, runtime);
  try {
    await store.assertUsable(options);
    return store;
  } catch (error) {
    await store[Symbol.asyncDispose]();
    throw error;
  }
}

({ kind, open }) satisfies StoreAdapter<EtcdConfig>;
