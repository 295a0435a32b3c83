import type { EngineAdapter } from '../../engine.ts';
import { configSchema, type PostgresConfig } from './config.ts';
import { PostgresEngine } from './postgres-engine.ts';

export { configSchema, type PostgresConfig };

export const kind = 'postgres';

export const open: EngineAdapter<PostgresConfig>['open'] = (config, context, runtime) => PostgresEngine.open(config, context, runtime);
