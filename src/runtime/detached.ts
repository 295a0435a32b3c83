import { closeSync, constants, openSync } from 'node:fs';
import { HoldfastError, messageOf } from '../core/errors.ts';
import type { DetachedProcess, Processes } from '../core/processes.ts';
import { notStarted, spawnChild, untilStarted } from './child.ts';
import { readStat } from './proc.ts';

/**
 * In a session of its own (setsid), holding nothing of ours: no pipe whose end would go with us, no terminal. What supervises this
 * process must leave its children alone too: under systemd that is `KillMode=process`.
 */
export const startDetached: Processes['startDetached'] = async (binary, args, options): Promise<DetachedProcess> => {
  const log = options.logFile === undefined ? undefined : openLogFile(options.logFile);
  try {
    const child = spawnChild(binary, args, { detached: true, stdio: ['ignore', log ?? 'ignore', log ?? 'ignore'] }, options);
    // Read before the loop turns: even if it has already ended it is not yet reaped, and so is still there.
    const stat = child.pid === undefined ? undefined : readStat(child.pid);
    const exited = new Promise<{ code: number | null; signal: string | null }>((resolve) => {
      child.once('exit', (code, signal) => resolve({ code, signal }));
    });
    await untilStarted(child, binary, options);
    child.unref();
    if (stat === undefined) throw notStarted(binary, options, new Error('it is not in /proc'));
    return { identity: { pid: stat.pid, startTicks: stat.startTicks }, exited };
  } finally {
    if (log !== undefined) closeSync(log);
  }
};

function openLogFile(path: string): number {
  try {
    // Not through a link: the directory may belong to a less trusted account than ours.
    return openSync(path, constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
  } catch (error) {
    throw new HoldfastError('PROCESS_NOT_STARTED', `its log file '${path}' can not be opened: ${messageOf(error)}`, {
      hint: 'Check that the directory exists and is writable, and that the file is not a symbolic link.',
      cause: error,
    });
  }
}
