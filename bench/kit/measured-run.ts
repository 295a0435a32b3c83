import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync, closeSync, readFileSync } from 'node:fs';

/** What one run of a program took, with all processes that it started and waited for. */
export interface Usage {
  readonly wallMs: number;
  /** User and system. */
  readonly cpuMs: number;
  /** The greatest sum over its processes of what each had resident at most. */
  readonly memoryBytes: number;
}

export interface MeasuredCommand {
  readonly argv: readonly string[];
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Exit codes that are no failure; 0 when absent. */
  readonly codes?: readonly number[];
  /** What it says goes there. */
  readonly logFile: string;
}

/** bash's `time` counts children that were waited for (getrusage(2)), to the millisecond; what the program itself says goes elsewhere. */
const script = `TIMEFORMAT='%R %U %S'; time "$@" 2>&3`;
const sampleMs = 20;

/** Runs a program to its end. @throws an Error with the end of its log when it fails */
export async function runMeasured({ argv, cwd, env, codes = [0], logFile }: MeasuredCommand): Promise<Usage> {
  const log = openSync(logFile, 'w');
  try {
    const child = spawn('bash', ['-c', script, 'bash', ...argv], {
      stdio: ['ignore', log, 'pipe', log],
      ...(cwd === undefined ? {} : { cwd }),
      env: { ...process.env, ...env },
    });
    let times = '';
    child.stderr!.on('data', (data: Buffer) => (times += data.toString('latin1')));
    const memory = watchMemory(child.pid!);
    const [code] = (await once(child, 'close')) as [number | null];
    const memoryBytes = memory.end();
    if (code === null || !codes.includes(code)) {
      throw new Error(`${argv.join(' ')} ended with ${code}: ${readFileSync(logFile, 'utf8').trim().slice(-2_000)}`);
    }
    const [wall, user, system] = times.trim().split('\n').at(-1)!.split(' ').map(Number) as [number, number, number];
    return { wallMs: wall * 1_000, cpuMs: (user + system) * 1_000, memoryBytes };
  } finally {
    closeSync(log);
  }
}

/** The kernel keeps the most that each process had (VmHWM of proc_pid_status(5)): only what is young is missed between two looks. */
function watchMemory(shell: number): { end(): number } {
  let most = 0;
  const timer = setInterval(() => (most = Math.max(most, sum(childrenOf(shell)))), sampleMs);
  return {
    end() {
      clearInterval(timer);
      return most;
    },
  };
}

function sum(pids: readonly number[]): number {
  return pids.reduce((total, pid) => total + highWaterBytes(pid) + sum(childrenOf(pid)), 0);
}

function childrenOf(pid: number): number[] {
  return (read(`/proc/${pid}/task/${pid}/children`)?.match(/\d+/g) ?? []).map(Number);
}

function highWaterBytes(pid: number): number {
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(read(`/proc/${pid}/status`) ?? '')?.[1] ?? 0) * 1_024;
}

/** Undefined when the process has ended meanwhile. */
function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return undefined;
  }
}
