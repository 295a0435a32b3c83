import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, readlink, rm, chmod } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const MAIN = new URL('../../bin/holdfast.mjs', import.meta.url).pathname;

export interface DemoFacts {
  readonly service: string;
  readonly write: string;
  readonly read: string;
  readonly token: string;
  readonly ca: string;
  readonly members: readonly {
    readonly name: string;
    readonly role: string;
    readonly connection: string;
    readonly api: string;
    readonly pids: { readonly agent?: number; readonly guard?: number; readonly postmaster?: number };
  }[];
}

/** A directory of its own that an unprivileged PostgreSQL can enter; removed at the end. */
export async function temporaryDirectory(): Promise<{ path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), 'holdfast-test-'));
  await chmod(path, 0o711);
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

/** Runs the command line from its sources. */
export async function holdfast(
  args: readonly string[],
  options: { timeoutMs?: number } = {},
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  const late = setTimeout(() => child.kill('SIGTERM'), options.timeoutMs ?? 120_000);
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  clearTimeout(late);
  return { code, stdout, stderr };
}

/** A running `holdfast demo`. */
export class DemoProcess implements AsyncDisposable {
  readonly directory: string;
  readonly child: ChildProcess;
  #output = '';

  private constructor(directory: string, args: readonly string[]) {
    this.directory = directory;
    this.child = spawn(process.execPath, [MAIN, 'demo', '--dir', directory, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    this.child.stdout!.on('data', (chunk: Buffer) => (this.#output += chunk.toString()));
    this.child.stderr!.on('data', (chunk: Buffer) => (this.#output += chunk.toString()));
  }

  static async start(directory: string, args: readonly string[] = []): Promise<DemoProcess> {
    const demo = new DemoProcess(directory, args);
    for (let attempt = 0; attempt < 900; attempt++) {
      if (demo.#output.includes('Ready:')) return demo;
      if (demo.child.exitCode !== null) break;
      await sleep(100);
    }
    const logs = await demo.logs();
    await demo.stop('SIGTERM');
    throw new Error(`the demo did not get ready:\n${demo.#output}\n${logs}`);
  }

  get output(): string {
    return this.#output;
  }

  async facts(): Promise<DemoFacts> {
    return JSON.parse(await readFile(join(this.directory, 'demo.json'), 'utf8')) as DemoFacts;
  }

  /** The last lines of each agent's log, for a failing test's message. */
  logs(): Promise<string> {
    return logsOf(this.directory);
  }

  async stop(signal: NodeJS.Signals = 'SIGINT'): Promise<number | null> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return this.child.exitCode;
    const closed = once(this.child, 'close');
    this.child.kill(signal);
    await closed;
    return this.child.exitCode;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop('SIGTERM');
  }
}

async function logsOf(directory: string): Promise<string> {
  const parts: string[] = [];
  for (const entry of await readdir(directory)) {
    const text = await readFile(join(directory, entry, 'agent.log'), 'utf8').catch(() => undefined);
    if (text !== undefined) parts.push(`--- ${entry}\n${text.split('\n').slice(-30).join('\n')}`);
  }
  return parts.join('\n');
}

/** Fails with what still runs of what has said that it ended, and with what its agents said last. */
export async function expectNothingLeft(directory: string): Promise<void> {
  const left = await processesOf(directory);
  if (left.length > 0) throw new Error(`left behind:\n${left.join('\n')}\n${await logsOf(directory)}`);
}

/** Processes that work in, or were started with a path of, this directory. */
export async function processesOf(directory: string): Promise<string[]> {
  const found: string[] = [];
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) continue;
    const cwd = await readlink(`/proc/${pid}/cwd`).catch(() => '');
    const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    if (cwd.startsWith(directory) || command.includes(directory)) found.push(`${pid} ${command.replaceAll('\0', ' ')}`);
  }
  return found;
}

/** SIGKILL to all of them. */
export async function killProcessesOf(directory: string): Promise<void> {
  for (const found of await processesOf(directory)) {
    try {
      process.kill(Number.parseInt(found, 10), 'SIGKILL');
    } catch {
      // It has ended with another one.
    }
  }
}
