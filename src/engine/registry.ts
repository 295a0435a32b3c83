import type { MachineRuntime } from '../core/runtime.ts';
import type { PostgresConfig } from './adapters/postgres/config.ts';
import type { ProcessConfig } from './adapters/process/config.ts';
import type { Engine, EngineContext } from './engine.ts';

/** What a service is, as its one key in holdfast.yaml says. */
export type EngineConfig = { readonly postgres: PostgresConfig } | { readonly process: ProcessConfig };

/** Opens one member of a service; loads only what its kind needs. Touches no data. @throws ENGINE_UNSUITABLE */
export async function openEngine(config: EngineConfig, context: EngineContext, runtime: MachineRuntime): Promise<Engine> {
  if ('postgres' in config) return await (await import('./adapters/postgres/index.ts')).open(config.postgres, context, runtime);
  return await (await import('./adapters/process/index.ts')).open(config.process, context, runtime);
}
