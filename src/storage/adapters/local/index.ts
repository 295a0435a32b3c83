import type { Runtime } from '../../../core/runtime.ts';
import type { LocationAdapter } from '../../adapter.ts';
import type { LocalConfig } from './config.ts';
import { LocalLocation } from './local-location.ts';

export const kind = 'path';

/** The location in a directory. */
export function create(name: string, config: LocalConfig, runtime: Runtime): LocalLocation {
  return new LocalLocation(name, config, runtime);
}

({ kind, create }) satisfies LocationAdapter<LocalConfig>;
