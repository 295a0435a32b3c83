import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ProcessIdentity } from '../../src/core/processes.ts';
import { createClock, createProcesses } from '../../src/runtime/index.ts';

const program = fileURLToPath(new URL('../../bin/holdfast.mjs', import.meta.url));
export const clock = createClock();
export const processes = createProcesses();

export interface Finished {
  /** Exit code, or 128 + n. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A `holdfast lock` or `elect` that runs. */
export interface Running {
  readonly process: ChildProcess;
  readonly finished: Promise<Finished>;
}

/** A store (an embedded one, unless another is named), a directory of its own, and the commands that use them. */
export class HeldCommands implements AsyncDisposable {
  readonly directory: string;
  readonly coordination: string;
  readonly #started: ProcessIdentity[] = [];

  private constructor(directory: string, coordination: string) {
    this.directory = directory;
    this.coordination = coordination;
  }

  static async open(coordination?: string): Promise<HeldCommands> {
    const directory = await mkdtemp(join(tmpdir(), 'holdfast-lock-'));
    return new HeldCommands(directory, coordination ?? `embedded:${join(directory, 'store.db')}`);
  }

  get store(): string {
    return join(this.directory, 'store.db');
  }

  path(name: string): string {
    return join(this.directory, name);
  }

  /** Starts `holdfast …` on the store; a shell script as the command comes last. */
  start(args: readonly string[], script: string): Running {
    return this.run([...args, '--coordination', this.coordination, '--', 'bash', '-c', script]);
  }

  run(args: readonly string[], options: { cwd?: string } = {}): Running {
    const child = spawn(process.execPath, [program, ...args], {
      stdio: ['pipe', 'pipe', 'pipe'],
      cwd: options.cwd ?? this.directory,
      env: this.#environment(),
    });
    const identity = processes.identify(child.pid!);
    if (identity !== undefined) this.#started.push(identity);
    const texts = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const) child[name].on('data', (chunk) => (texts[name] += String(chunk)));
    const finished = new Promise<Finished>((resolve) => {
      child.on('close', (code, signal) => resolve({ code: signal === null ? code! : 128 + constants.signals[signal], ...texts }));
    });
    return { process: child, finished };
  }

  /** The lines of a file that the commands write; none while it is not there. */
  async lines(name: string): Promise<string[]> {
    const text = await readFile(this.path(name), 'utf8').catch(() => '');
    return text.split('\n').filter((line) => line !== '');
  }

  /** Waits until a file has so many lines, and returns them. */
  async untilLines(name: string, count: number, limitMs = 20_000): Promise<string[]> {
    const deadlineMs = clock.monotonicMs() + limitMs;
    for (;;) {
      const lines = await this.lines(name);
      if (lines.length >= count) return lines;
      if (clock.monotonicMs() > deadlineMs) throw new Error(`${name} has ${lines.length} lines, not ${count}, after ${limitMs} ms`);
      await clock.sleep(20);
    }
  }

  /** Holders and commands that run; not the watchdogs. */
  working(): ProcessIdentity[] {
    return processes.withWorkingDirectory(this.directory);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const identity of [...this.#started, ...this.working()]) processes.kill(identity, 'SIGKILL');
    while (this.working().length > 0) await clock.sleep(10);
    await rm(this.directory, { recursive: true });
  }

  #environment(): NodeJS.ProcessEnv {
    return { ...process.env, BASH_ENV: '', HOLDFAST_CONFIG: '' };
  }
}

/** The processes that a holder has started: its command and its watchdog. */
export function childrenOf(running: Running): { readonly command: number | undefined; readonly watchdog: number | undefined } {
  const children = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && parentOf(name) === running.process.pid)
    .map(Number);
  const isWatchdog = (pid: number): boolean => textOf(`/proc/${pid}/cmdline`).includes('holdfast-watchdog');
  return { command: children.find((pid) => !isWatchdog(pid)), watchdog: children.find(isWatchdog) };
}

function parentOf(pid: string): number {
  const stat = textOf(`/proc/${pid}/stat`);
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return '';
  }
}
