import type { Runtime } from '../../../core/runtime.ts';
import type { StoreAdapter } from '../../store.ts';
import { type ZooKeeperConfig, zooKeeperConfigSchema } from './config.ts';
import { Ensemble } from './ensemble.ts';
import { Layout } from './layout.ts';
import { aclOf, readEnsembleOptions } from './settings.ts';
import { ZooKeeperStore } from './zookeeper-store.ts';

export type { ZooKeeperConfig } from './config.ts';
export { inspectStore } from './inspect.ts';

export const kind = 'zookeeper';
export const configSchema = zooKeeperConfigSchema;

/** A client of the ensemble, connected. @throws COORD_UNREACHABLE, COORD_DENIED, COORD_UNSUITABLE; the signal's reason */
export async function open(config: ZooKeeperConfig, runtime: Runtime, options: { signal?: AbortSignal } = {}): Promise<ZooKeeperStore> {
  options.signal?.throwIfAborted();
  const ensemble = new Ensemble(await readEnsembleOptions(config, options.signal), runtime.clock);
  return ZooKeeperStore.open(ensemble, runtime, new Layout(config.prefix), aclOf(config), options.signal);
}

({ kind, open }) satisfies StoreAdapter<ZooKeeperConfig>;
