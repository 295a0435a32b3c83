import { closeSync, openSync, readdirSync, readlinkSync, readSync, realpathSync } from 'node:fs';

/** What /proc/PID/stat says (proc_pid_stat(5)). */
export interface ProcStat {
  readonly pid: number;
  /** One letter; Z and X are no longer alive. */
  readonly state: string;
  readonly sessionId: number;
  readonly startTicks: number;
}

/** A line of /proc/PID/stat: some fifty numbers, and a name of at most 64 bytes. */
const statBytesMax = 2_048;
const buffer = Buffer.alloc(statBytesMax);

/** A process's present state, zombies included; undefined when there is none. */
export function readStat(pid: number): ProcStat | undefined {
  const text = readStatLine(pid);
  if (text === undefined) return undefined;
  // The second field is the program's name in parentheses, which may itself hold spaces and parentheses.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return { pid, state: fields[0]!, sessionId: Number(fields[3]), startTicks: Number(fields[19]) };
}

/** Asked many times a second: one read into one buffer takes half the time of `readFileSync`. */
function readStatLine(pid: number): string | undefined {
  let file: number | undefined;
  try {
    file = openSync(`/proc/${pid}/stat`, 'r');
    return buffer.toString('latin1', 0, readSync(file, buffer));
  } catch {
    return undefined;
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

/** Whether it runs, or could (stopped counts, a zombie does not). */
export function isRunning(stat: ProcStat): boolean {
  return stat.state !== 'Z' && stat.state !== 'X';
}

/** All processes there are, zombies included. */
export function listPids(): number[] {
  return readdirSync('/proc').flatMap((name) => (/^\d+$/.test(name) ? [Number(name)] : []));
}

/** All processes that run now. */
export function listProcesses(): ProcStat[] {
  return listPids()
    .flatMap((pid) => readStat(pid) ?? [])
    .filter(isRunning);
}

/** Whether a process's working directory is `directory` (as `resolveDirectory` gives it) or below it. Of other users' processes only root can tell. */
export function worksIn(pid: number, directory: string): boolean {
  try {
    const working = readlinkSync(`/proc/${pid}/cwd`).replace(/ \(deleted\)$/, '');
    return working === directory || working.startsWith(`${directory}/`);
  } catch {
    return false;
  }
}

/** The directory's path without symbolic links, as /proc shows it; the path itself when it no longer exists. */
export function resolveDirectory(directory: string): string {
  try {
    return realpathSync(directory);
  } catch {
    return directory;
  }
}
