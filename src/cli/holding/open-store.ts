import { findConfig, loadCoordination } from '../../config/load.ts';
import { HoldfastError, messageOf } from '../../core/errors.ts';
import type { Runtime } from '../../core/runtime.ts';
import { parseStoreText, type StoreConfig } from '../../coordination/config.ts';
import { patiently } from '../../coordination/patience.ts';
import { openStore } from '../../coordination/registry.ts';
import type { CoordinationStore } from '../../coordination/store.ts';

/** Opens the store that the command line names, or that of the configuration; waits for one that is away. @throws CLI_USAGE, COORD_DENIED, COORD_UNSUITABLE, the signal's reason */
export function openNamedStore(
  options: { readonly coordination?: string; readonly config?: string },
  runtime: Runtime,
  signal: AbortSignal,
): Promise<CoordinationStore> {
  const config = configOf(options);
  return patiently(runtime, signal, () => openStore(config, runtime, { signal }));
}

function configOf({ coordination, config }: { readonly coordination?: string; readonly config?: string }): StoreConfig {
  if (coordination === undefined) return loadCoordination(findConfig(config));
  if (config !== undefined) {
    throw new HoldfastError('CLI_USAGE', '--coordination and --config are given both', { hint: 'Give one of them.' });
  }
  try {
    return parseStoreText(coordination);
  } catch (error) {
    throw new HoldfastError('CLI_USAGE', `--coordination ${coordination}: ${messageOf(error)}`, {
      hint: 'Write embedded:PATH, etcd:URL[,URL…] or zookeeper:HOST:PORT[,HOST:PORT…]; what needs more (TLS, a user) stands in a configuration file.',
      cause: error,
    });
  }
}
