import { spawn, type ChildProcess, type SpawnOptions } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, statSync } from 'node:fs';
import { HoldfastError, messageOf } from '../core/errors.ts';
import type { Account } from '../core/processes.ts';

export interface ChildOptions {
  readonly account?: Account;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** @throws PROCESS_NOT_STARTED for what is known at once; the rest comes with `untilStarted` */
export function spawnChild(
  binary: string,
  args: readonly string[],
  how: Pick<SpawnOptions, 'detached' | 'stdio'>,
  options: ChildOptions,
): ChildProcess {
  try {
    return spawn(binary, args, {
      ...how,
      env: childEnvironment(options.account, options.env),
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      ...(options.account === undefined ? {} : { uid: options.account.uid, gid: options.account.gid }),
    });
  } catch (error) {
    throw notStarted(binary, options, error);
  }
}

/** What a child gets to see of its surroundings: never this process's own environment, which may hold secrets. */
function childEnvironment(account: Account | undefined, extra: Readonly<Record<string, string>> = {}): Record<string, string> {
  const { PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', TZ, HOME, USER } = process.env;
  const home = account === undefined ? HOME : homeOf(account);
  const user = account === undefined ? USER : account.name;
  return {
    PATH,
    LANG: 'C',
    // Pipes of Node are sockets. A top-level bash takes a socket as its input for a remote login, and would run ~/.bashrc.
    SHLVL: '1',
    ...(TZ === undefined ? {} : { TZ }),
    ...(home === undefined ? {} : { HOME: home }),
    ...(user === undefined ? {} : { USER: user, LOGNAME: user }),
    ...extra,
  };
}

/** Waits until the child runs. @throws PROCESS_NOT_STARTED */
export async function untilStarted(child: ChildProcess, binary: string, options: ChildOptions): Promise<void> {
  try {
    await once(child, 'spawn');
  } catch (error) {
    throw notStarted(binary, options, error);
  }
}

/** Says which of the three it was, as `spawn` itself reports a missing directory as a missing program. */
export function notStarted(binary: string, options: ChildOptions, cause: unknown): HoldfastError {
  const missing = options.cwd !== undefined && statSync(options.cwd, { throwIfNoEntry: false })?.isDirectory() !== true;
  const problem = missing ? `its working directory '${options.cwd}' is not there` : messageOf(cause);
  const who = options.account === undefined ? '' : ` as ${options.account.name}`;
  return new HoldfastError('PROCESS_NOT_STARTED', `'${binary}' could not be started${who}: ${problem}`, {
    hint: `Check that '${binary}' exists and that its user may execute it and enter every directory on the way to it.`,
    cause,
  });
}

/** From passwd(5); accounts of network directories get `/`. */
function homeOf(account: Account): string {
  try {
    const lines = readFileSync('/etc/passwd', 'utf8').split('\n');
    return lines.map((line) => line.split(':')).find((fields) => fields[0] === account.name)?.[5] || '/';
  } catch {
    return '/';
  }
}
