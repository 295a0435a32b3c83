import type { Runtime } from '../../../core/runtime.ts';
import type { CoordinationStore } from '../../store.ts';
import { configSchema, type EtcdConfig } from './config.ts';
import { EtcdStore } from './etcd-store.ts';

export const kind = 'etcd';

export { configSchema };

/** @throws COORD_UNREACHABLE when no member answers within the request timeout, COORD_DENIED */
export async function open(config: EtcdConfig, runtime: Runtime, options: { signal?: AbortSignal }): Promise<CoordinationStore> {
  const store = new EtcdStore(config, runtime);
  try {
    await store.assertUsable(options);
    return store;
  } catch (error) {
    await store[Symbol.asyncDispose]();
    throw error;
  }
}
