// The programs that are compared, each with a repository in a directory of its own.
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { removeDirectory } from '../kit/directory.ts';
import { runMeasured, type MeasuredCommand, type Usage } from '../kit/measured-run.ts';
import type { BenchCluster } from './cluster.ts';
import type { HoldfastOrder, HoldfastResult } from './order.ts';

const child = fileURLToPath(new URL('holdfast-run.ts', import.meta.url));

export interface Ran extends Usage {
  /** Without what starting a process and loading a program takes, where that is known. */
  readonly workMs?: number;
  /** Of the database's files, as the program itself says. */
  readonly readBytes?: number;
}

export interface Program {
  readonly name: string;
  init(): Promise<void>;
  backUp(kind: 'full' | 'incremental'): Promise<Ran>;
  /** The last backup, into a directory that is empty or has an older one: what is right there may be left. */
  restore(target: string): Promise<Ran>;
  repositoryBytes(): Promise<number>;
  /** Removes its repository, and what it restored. */
  remove(target: string): Promise<void>;
}

export async function holdfast(cluster: BenchCluster): Promise<Program> {
  const repository = await cluster.folder('of-holdfast');
  const work = async (order: DistributiveOmit<HoldfastOrder, 'repository' | 'server'>): Promise<Ran & Partial<HoldfastResult>> => {
    const logFile = join(cluster.directory, 'holdfast.log');
    const argv = [process.execPath, child, JSON.stringify({ ...order, repository, server: cluster.place })];
    const usage = await runMeasured({ argv, logFile, env: { NODE_COMPILE_CACHE: join(cluster.directory, 'compiled') } });
    const line = (await readFile(logFile, 'utf8')).trim().split('\n').at(-1)!;
    return { ...usage, ...(line === '' ? {} : (JSON.parse(line) as HoldfastResult)) };
  };
  return {
    name: 'holdfast',
    init: async () => void (await work({ work: 'init' })),
    backUp: (kind) => work({ work: kind }),
    restore: (target) => work({ work: 'restore', target }),
    repositoryBytes: () => treeBytes(repository),
    remove: (target) => removeAll(repository, target),
  };
}

/** As its manual would have it set up for speed: as many processes as cores; no encryption, which Holdfast's figures have. */
export async function pgbackrest(cluster: BenchCluster, compression: string): Promise<Program> {
  const repository = await cluster.folder(`of-pgbackrest-${compression}`);
  const { data, port } = cluster.place;
  const password = await cluster.password();
  const config = join(repository, 'pgbackrest.conf');
  await writeFile(
    config,
    `[global]
repo1-path=${repository}
log-path=${repository}
lock-path=${repository}
log-level-file=off
log-level-console=warn
compress-type=${compression}
process-max=${availableParallelism()}
start-fast=y
archive-check=n
[bench]
pg1-path=${data}
pg1-user=postgres
pg1-port=${port}
pg1-socket-path=${await socketDirectory(data)}
`,
  );
  const command = (...args: string[]): MeasuredCommand => ({
    argv: ['pgbackrest', `--config=${config}`, '--stanza=bench', ...args],
    env: { PGPASSWORD: password },
    logFile: join(repository, 'output'),
  });
  return {
    name: `pgbackrest-${compression}`,
    init: async () => void (await runMeasured(command('stanza-create'))),
    backUp: (kind) => runMeasured(command(`--type=${kind === 'full' ? 'full' : 'incr'}`, 'backup')),
    restore: (target) => runMeasured(command(`--pg1-path=${target}`, '--delta', 'restore')),
    repositoryBytes: () => treeBytes(repository),
    remove: (target) => removeAll(repository, target),
  };
}

type DistributiveOmit<Union, Keys extends PropertyKey> = Union extends unknown ? Omit<Union, Keys> : never;

async function removeAll(...directories: readonly string[]): Promise<void> {
  for (const directory of directories) await removeDirectory(directory);
}

/** Line 5 of postmaster.pid. */
async function socketDirectory(data: string): Promise<string> {
  return (await readFile(join(data, 'postmaster.pid'), 'utf8')).split('\n')[4]!;
}

async function treeBytes(directory: string): Promise<number> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const sizes = await Promise.all(
    entries.filter((entry) => entry.isFile()).map(async (entry) => (await stat(join(entry.parentPath, entry.name))).size),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}
