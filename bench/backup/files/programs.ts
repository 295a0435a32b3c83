// The programs that are compared, each with its defaults, and a repository in a directory of its own.
import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { MeasuredCommand } from '../../kit/measured-run.ts';

const run = promisify(execFile);

/** One command: what is run where. */
export type Command = Pick<MeasuredCommand, 'argv' | 'cwd' | 'env'>;

export interface Program {
  readonly name: string;
  /** Makes an empty repository. */
  init(): Promise<void>;
  backup(source: string, number: number): Command;
  /** The latest snapshot, into an empty directory. */
  restore(target: string, number: number): Command;
  /** Reads all data. */
  check(): Command;
}

/** Where a program keeps what it has. */
export interface Places {
  readonly repository: string;
  /** Caches, and what else it remembers. */
  readonly home: string;
  readonly passwordFile: string;
}

export function restic({ repository, home, passwordFile }: Places): Program {
  const env = { RESTIC_REPOSITORY: repository, RESTIC_PASSWORD_FILE: passwordFile, RESTIC_CACHE_DIR: home };
  return {
    name: 'restic',
    init: () => prepare(['restic', 'init'], env, [home]),
    backup: (source) => ({ argv: ['restic', 'backup', '--quiet', '.'], cwd: source, env }),
    restore: (target) => ({ argv: ['restic', 'restore', '--quiet', 'latest', '--target', target], env }),
    check: () => ({ argv: ['restic', 'check', '--quiet', '--read-data'], env }),
  };
}

export function borg({ repository, home, passwordFile }: Places): Program {
  const env = { BORG_REPO: repository, BORG_PASSCOMMAND: `cat ${passwordFile}`, BORG_BASE_DIR: home };
  return {
    name: 'borg',
    init: () => prepare(['borg', 'init', '--encryption=repokey'], env, [home]),
    backup: (source, number) => ({ argv: ['borg', 'create', `::a${number}`, '.'], cwd: source, env }),
    restore: (target, number) => ({ argv: ['borg', 'extract', `::a${number}`], cwd: target, env }),
    check: () => ({ argv: ['borg', 'check', '--verify-data'], env }),
  };
}

/** @param binary `holdfast.mjs` of a built package */
export function holdfast(binary: string, { repository, home, passwordFile }: Places): Program {
  const env = { HOLDFAST_REPO: repository, HOLDFAST_PASSWORD_FILE: passwordFile, NODE_COMPILE_CACHE: join(home, 'compile') };
  const command = (...args: string[]): string[] => [process.execPath, binary, ...args];
  return {
    name: 'holdfast',
    init: () => prepare(command('init'), env, [home, repository]),
    backup: (source) => ({ argv: command('backup', '.', '--base', source), env }),
    restore: (target) => ({ argv: command('restore-files', 'latest', '--target', target), env }),
    check: () => ({ argv: command('check', '--read-data'), env }),
  };
}

async function prepare(
  [program, ...args]: readonly string[],
  env: Readonly<Record<string, string>>,
  folders: readonly string[],
): Promise<void> {
  for (const folder of folders) await mkdir(folder, { recursive: true });
  await run(program!, args, { env: { ...process.env, ...env } });
}
