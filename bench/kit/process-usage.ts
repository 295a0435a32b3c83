import { readFileSync } from 'node:fs';

/** USER_HZ of Linux: what /proc counts time in, on every architecture that Node runs on. */
const TICKS_PER_SECOND = 100;

/** Processor time of a process and of children that it has waited for (proc_pid_stat(5): utime, stime, cutime, cstime). */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const ticks = fields.slice(11, 15).reduce((total, value) => total + Number(value), 0);
  return ticks / TICKS_PER_SECOND;
}

/** Resident memory of a process. */
export function rssBytes(pid: number): number {
  const [, kib] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1')) ?? [];
  return Number(kib ?? 0) * 1_024;
}
