import { path } from '../../../core/config-fields.ts';

/** `path: DIRECTORY`. */
export const configSchema = path().describe('A local directory, or one that is mounted. Made when only it itself is missing.');

export interface LocalConfig {
  readonly path: string;
}
