import { constants } from 'node:os';
import type { ProcessIdentity, Processes } from '../core/processes.ts';
import { HoldfastError } from '../core/errors.ts';
import { startDetached } from './detached.ts';
import { isRunning, listPids, listProcesses, readStat, resolveDirectory, worksIn, type ProcStat } from './proc.ts';
import { run } from './run.ts';

/**
 * This machine's processes, from /proc. An account is taken on by setgid and setuid in the child, which drops all supplementary groups
 * (libuv calls setgroups(0)): a service does not keep root's groups, and gets none of its account's secondary ones either.
 *
 * @throws PROCESS_UNSUPPORTED on systems without /proc
 */
export function createProcesses(): Processes {
  if (readStat(process.pid) === undefined) {
    throw new HoldfastError('PROCESS_UNSUPPORTED', 'processes can not be watched here: /proc is not there', {
      hint: 'Run services under the care of Holdfast on Linux, with /proc mounted.',
    });
  }
  return {
    run,
    startDetached,
    identify: (pid) => {
      const stat = readStat(pid);
      return stat !== undefined && isRunning(stat) ? identityOf(stat) : undefined;
    },
    isAlive,
    withWorkingDirectory: (directory) => {
      const resolved = resolveDirectory(directory);
      // The link first: most processes work elsewhere, and then need not be looked at further. And after: it may be another's pid by then.
      return listPids()
        .filter((pid) => worksIn(pid, resolved))
        .flatMap((pid) => readStat(pid) ?? [])
        .filter((stat) => isRunning(stat) && worksIn(stat.pid, resolved))
        .map(identityOf);
    },
    inSession: (leaderPid) =>
      listProcesses()
        .filter((stat) => stat.sessionId === leaderPid)
        .map(identityOf),
    kill,
  };
}

function identityOf(stat: ProcStat): ProcessIdentity {
  return { pid: stat.pid, startTicks: stat.startTicks };
}

function isAlive(identity: ProcessIdentity): boolean {
  const stat = readStat(identity.pid);
  return stat !== undefined && stat.startTicks === identity.startTicks && isRunning(stat);
}

function kill(identity: ProcessIdentity, signal: NodeJS.Signals): boolean {
  if (!isAlive(identity)) return false;
  try {
    return process.kill(identity.pid, constants.signals[signal]);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
}
