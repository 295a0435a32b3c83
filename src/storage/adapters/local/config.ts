import type { z } from 'zod';
import { path } from '../../../core/config-fields.ts';

/** `path: DIRECTORY`. */
export const configSchema = path().describe(
  'A directory of this machine, on a disk of its own. It must exist: Holdfast makes none, so that a disk that is not mounted is not taken for an empty one.',
);

export type LocalConfig = z.output<typeof configSchema>;
