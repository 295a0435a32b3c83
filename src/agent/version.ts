import { createRequire } from 'node:module';

const load = createRequire(import.meta.url);

/** Version of this program, from its package.json. */
export const version: string = (load('holdfast/package.json') as { version: string }).version;
