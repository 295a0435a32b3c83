import type { EngineAdapter } from '../../engine.ts';
import { configSchema, type ProcessConfig } from './config.ts';
import { ProcessEngine } from './process-engine.ts';

export { configSchema, type ProcessConfig };

export const kind = 'process';

export const open: EngineAdapter<ProcessConfig>['open'] = (config, context, runtime) => ProcessEngine.open(config, context, runtime);
