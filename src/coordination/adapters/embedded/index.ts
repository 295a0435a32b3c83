import { resolve } from 'node:path';
import type { Runtime } from '../../../core/runtime.ts';
import type { CoordinationStore, StoreAdapter } from '../../store.ts';
import { configSchema, type EmbeddedConfig } from './config.ts';
import { EmbeddedStore } from './embedded-store.ts';
import { assertSuitable, identifyHost } from './host.ts';

export { configSchema };
export { inspectStore } from './inspect.ts';
export const kind = 'embedded';

/** @throws COORD_UNSUITABLE when the path, its file system or this machine will not do; COORD_DENIED; COORD_UNREACHABLE while another has the file locked */
export async function open(config: EmbeddedConfig, runtime: Runtime, options: { signal?: AbortSignal } = {}): Promise<CoordinationStore> {
  const file = resolve(config);
  assertSuitable(file);
  const store = new EmbeddedStore(file, identifyHost(), runtime);
  try {
    await store.connect(options);
    return store;
  } catch (error) {
    await store[Symbol.asyncDispose]();
    throw error;
  }
}

({ kind, open }) satisfies StoreAdapter<EmbeddedConfig>;
