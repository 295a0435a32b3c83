import { path } from '../../../core/config-fields.ts';

/** Setting of the embedded store: `coordination: { embedded: PATH }`. The file is made when it is absent; its directory is not. */
export const configSchema = path().describe(
  'A file on a local disk of this machine, shared by its processes: for trying out, and for services of one machine.',
);

export type EmbeddedConfig = string;
