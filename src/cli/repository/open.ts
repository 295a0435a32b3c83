import { readFile, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { OpenedRepository } from '../../backup/index.ts';
import { initRepository, openRepository } from '../../backup/open/open-repository.ts';
import { HoldfastError, messageOf } from '../../core/errors.ts';
import type { Runtime } from '../../core/runtime.ts';
import { createCommandRuntime } from '../../runtime/command-runtime.ts';
import type { LocationConfig } from '../../storage/index.ts';
import { Quota } from '../../storage/quota.ts';
import { openLocation } from '../../storage/registry.ts';
import { repositoryPassword } from '../../storage/repository-password.ts';
import type { CommonOptions } from '../command.ts';

/** Options of every command on a repository. */
export interface RepositoryOptions extends CommonOptions {
  readonly repo?: string;
  readonly passwordFile?: string;
  readonly config?: string;
}

export interface RepositorySession {
  readonly repository: OpenedRepository;
  readonly runtime: Runtime;
  /** Aborts when the command is interrupted. */
  readonly signal: AbortSignal;
  /** To be asked before anything large is added: whether `limits.size` of the location lets it in. @throws STORAGE_QUOTA */
  admit(): Promise<void>;
}

const passwordBytesMax = 64 * 1024;

export function addRepositoryOptions(command: Command): Command {
  return command
    .option('-r, --repo <where>', 'a directory (with a "/" in it), or a location of the configuration; else that of HOLDFAST_REPO')
    .option('-p, --password-file <file>', "holds the password; else that of HOLDFAST_PASSWORD_FILE, or the location's own")
    .option('-c, --config <file>', 'configuration that names the locations (default: holdfast.yaml, /etc/holdfast/holdfast.yaml)');
}

/** Opens the repository that the options name, does the work, and lets go of all of it; an interrupt ends the work in good order. */
export async function withRepository(
  options: RepositoryOptions,
  work: (session: RepositorySession) => Promise<void>,
  open: {
    readonly create?: boolean;
    readonly skipsDamagedIndexes?: boolean;
    readonly password?: string;
    /** Loads what the work needs, while another core derives the key. */
    readonly load?: () => Promise<unknown>;
    /** Whether there will be much for threads to do at once. */
    readonly startsThreads?: boolean;
    /** Whether this thread does its share: not where files are read, for which it answers the others. */
    readonly callerWorks?: boolean;
  } = {},
): Promise<void> {
  await using runtime = createCommandRuntime();
  const stop = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => stop.abort(interrupted()));
  const { signal } = stop;
  const place = await placeOf(options);
  await using location = await openLocation(place.name, place.locations, runtime, { signal });
  const password = open.password ?? (await passwordOf(place, options.passwordFile ?? process.env['HOLDFAST_PASSWORD_FILE']));
  if (open.create === true) await initRepository(location, { password }, runtime, { signal });
  // What fails to load fails again where it is used.
  const onDeriving = (): void => void open.load?.().catch(() => undefined);
  const { skipsDamagedIndexes = false, startsThreads = false, callerWorks = false } = open;
  const opening = { password, skipsDamagedIndexes, startsThreads, callerWorks, onDeriving };
  await using repository = await openRepository(location, opening, runtime, { signal });
  const admit = (): Promise<void> => new Quota(place.locations, runtime).admit(place.name, { signal });
  await work({ repository, runtime, signal, admit });
}

interface Place {
  readonly name: string;
  readonly locations: Readonly<Record<string, LocationConfig>>;
}

/** The location that was named: a directory, or one of the configuration. @throws CLI_USAGE, CONFIG_… */
export async function placeOf({
  repo = process.env['HOLDFAST_REPO'],
  config: file,
}: Pick<RepositoryOptions, 'repo' | 'config'>): Promise<Place> {
  if (repo === undefined || repo === '') {
    throw new HoldfastError('CLI_USAGE', 'no repository is named', {
      hint: 'Name it: --repo DIRECTORY/, --repo LOCATION, or HOLDFAST_REPO.',
    });
  }
  if (repo.includes('/')) {
    return { name: repo, locations: { [repo]: { path: resolve(repo) } } };
  }
  // Only here: what reads a configuration takes longer to load than a small repository takes to open.
  const { findConfig, loadForCopies } = await import('../../config/load.ts');
  const { locations } = loadForCopies(findConfig(file));
  if (!Object.hasOwn(locations, repo)) {
    throw new HoldfastError('CLI_USAGE', `the configuration has no location "${repo}"`, {
      hint: `There are: ${Object.keys(locations).join(', ') || 'none'}. A directory is written with a slash: ./${repo}`,
    });
  }
  return { name: repo, locations };
}

/** That of the file, or of the configuration, or typed. @throws CLI_NO_PASSWORD */
async function passwordOf({ name, locations }: Place, file: string | undefined): Promise<string> {
  const configured = file === undefined || file === '' ? repositoryPassword(name, locations) : undefined;
  return configured?.reveal() ?? (await readPassword(file));
}

/** @throws CLI_NO_PASSWORD */
export async function readPassword(file: string | undefined): Promise<string> {
  if (file !== undefined && file !== '') return readPasswordFile(file);
  if (process.stdin.isTTY && process.stderr.isTTY) return askPassword();
  throw new HoldfastError('CLI_NO_PASSWORD', 'no password of the repository is named', {
    hint: 'Give --password-file FILE, or HOLDFAST_PASSWORD_FILE.',
  });
}

async function readPasswordFile(file: string): Promise<string> {
  try {
    const { size } = await stat(file);
    if (size > passwordBytesMax) throw new Error(`it has ${size} bytes`);
    return (await readFile(file, 'utf8')).replace(/\r?\n$/, '');
  } catch (error) {
    throw new HoldfastError('CLI_NO_PASSWORD', `the password can not be read from ${file}: ${messageOf(error)}`, {
      hint: 'Name a readable file of one line.',
      cause: error,
    });
  }
}

/** Typed letters are not shown: nothing is echoed where nothing is written. */
async function askPassword(): Promise<string> {
  const { createInterface } = await import('node:readline/promises');
  process.stderr.write('password: ');
  process.stdin.setRawMode(true);
  const lines = createInterface({ input: process.stdin, terminal: true });
  try {
    return await lines.question('');
  } finally {
    lines.close();
    process.stdin.setRawMode(false);
    process.stderr.write('\n');
  }
}

function interrupted(): HoldfastError {
  return new HoldfastError('BACKUP_INTERRUPTED', 'the command was interrupted', {
    retryable: true,
    hint: 'The repository is whole; the same command goes on where it was.',
  });
}
