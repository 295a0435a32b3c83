// Who may use what. docs/architecture.md says why.

/** Folders of src/ that a folder may import from, besides itself. Arrows go down, never sideways between siblings. */
export const layers: Readonly<Record<string, readonly string[]>> = {
  core: [],
  runtime: ['core'],
  sim: ['core'],
  coordination: ['core'],
  detection: ['core'],
  engine: ['core'],
  routing: ['core'],
  storage: ['core'],
  model: ['core'],
  backup: ['core', 'storage', 'coordination'],
  failover: ['core', 'coordination', 'detection', 'engine', 'routing'],
  config: ['core'],
  api: ['core', 'coordination', 'detection', 'engine', 'routing', 'failover'],
  client: ['core'],
  agent: ['core', 'runtime', 'coordination', 'detection', 'engine', 'routing', 'failover', 'storage', 'backup', 'config', 'api', 'client'],
  cli: ['core', 'runtime', 'coordination', 'storage', 'backup', 'model', 'config', 'api', 'client', 'agent'],
};

/** Single files that a folder may use beyond its layers. */
export const exceptions: readonly { readonly from: string; readonly to: RegExp; readonly why: string }[] = [
  { from: 'config', to: /^src\/[a-z/-]+\/config\.ts$/, why: "it joins every part's own schema" },
  { from: 'client', to: /^src\/api\/schema\.ts$/, why: 'client and server speak the same shapes' },
];

/** Where each third-party package may be imported. Any number of folders is one too many: give it a home, and let others ask there. */
export const homes: Readonly<Record<string, readonly string[]>> = {
  zod: ['src/'],
  commander: ['src/cli/'],
  yaml: ['src/config/'],
  pino: ['src/runtime/'],
  // The second is the demo's own client, which must not be the code that it judges; the third speaks to PgBouncer's console.
  pg: ['src/engine/adapters/postgres/', 'src/agent/demo/', 'src/routing/adapters/pgbouncer/'],
  fastify: ['src/api/'],
  '@fastify/swagger': ['src/api/'],
  'fastify-type-provider-zod': ['src/api/'],
  '@aws-sdk/client-s3': ['src/storage/adapters/s3/'],
  ssh2: ['src/storage/adapters/sftp/'],
  croner: ['src/backup/policy/'],
};

/** May be imported by tests anywhere. */
export const testPackages: readonly string[] = ['vitest', 'fast-check', '@grpc/grpc-js', 'pg', 'yaml'];

/** Parts of src/ that reach the machine only through ports: everything in them runs in the simulator. */
export const portsOnly: readonly string[] = [
  'core',
  'sim',
  'coordination',
  'detection',
  'engine',
  'routing',
  'failover',
  'storage',
  'model',
  'backup',
];

/**
 * What is a port's real side though no adapter of a choice: the guard is a process, and reached through FIFOs; a file tree is read and written
 * in place; hashing, packing and number crunching go to worker threads, which read and write files for themselves.
 */
export const machineParts: readonly string[] = [
  'src/failover/guard/',
  'src/backup/files/',
  'src/backup/reading/',
  'src/backup/workers/',
  'src/backup/machine/',
  'src/model/workers/',
  'src/storage/combinators/parity/machine/',
];

/** Modules of Node that touch neither files, network, processes nor time. */
export const pureNodeModules: readonly string[] = [
  'node:assert',
  'node:assert/strict',
  'node:buffer',
  'node:crypto',
  'node:events',
  'node:path',
  'node:string_decoder',
  'node:url',
  'node:util',
  'node:zlib',
];

/** Lines that a file may have before it tells two stories. */
export const linesMax = 400;
/** Tests are lists: longer before they are hard to read. */
export const testLinesMax = 600;
