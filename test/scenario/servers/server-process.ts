import { type ChildProcess, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { type AddressInfo, createServer, type Server } from 'node:net';
import type { Clock } from '../../../src/core/clock.ts';

export interface ServerCommand {
  readonly program: string;
  readonly args: readonly string[];
  readonly logFile: string;
  readonly cwd?: string;
}

/** Where a server of a test runs, when that is not this machine's loopback. */
export interface ServerPlace {
  readonly address: string;
  /** A command that starts, in its own place, the one that follows it: `nsenter --net=…`. */
  readonly within: readonly string[];
}

export const LOOPBACK: ServerPlace = { address: '127.0.0.1', within: [] };

export function within(place: ServerPlace, program: string, args: readonly string[]): { program: string; args: readonly string[] } {
  const [first = program, ...rest] = [...place.within, program, ...args];
  return { program: first, args: rest };
}

/** A server program that a test starts, kills, stops and continues. Started again, it runs on the data it left. */
export class ServerProcess {
  readonly #command: ServerCommand;
  readonly #clock: Clock;
  #child: ChildProcess | undefined;
  #exited: Promise<void> = Promise.resolve();
  #paused = false;

  constructor(command: ServerCommand, clock: Clock) {
    this.#command = command;
    this.#clock = clock;
  }

  /** False also when it ended by itself. */
  get running(): boolean {
    return this.#child !== undefined;
  }

  get paused(): boolean {
    return this.#paused;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  start(): void {
    if (this.#child !== undefined) return;
    const { program, args, logFile, cwd } = this.#command;
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], ...(cwd !== undefined && { cwd }) });
    const log = createWriteStream(logFile, { flags: 'a' });
    child.stdout.pipe(log, { end: false });
    child.stderr.pipe(log, { end: false });
    this.#child = child;
    this.#exited = new Promise((resolve) => {
      child.once('error', (error) => log.write(String(error)));
      child.once('close', () => {
        if (this.#child === child) this.#child = undefined;
        log.end(resolve);
      });
    });
  }

  /** SIGKILL; resolves when it is gone. Idempotent. */
  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    this.#paused = false;
    child?.kill('SIGKILL');
    await this.#exited;
  }

  /** SIGSTOP: connections stay open, nothing answers. Resolves when all its threads stand still. */
  async pause(): Promise<void> {
    const pid = this.#child?.pid;
    if (pid === undefined) return;
    this.#paused = true;
    this.#child?.kill('SIGSTOP');
    while (this.#child?.pid === pid && !(await isStopped(pid))) await this.#clock.sleep(1);
  }

  /** SIGCONT. */
  continue(): void {
    this.#paused = false;
    this.#child?.kill('SIGCONT');
  }

  async log(): Promise<string> {
    return await readFile(this.#command.logFile, 'utf8').catch(() => '');
  }
}

/** Whether every thread is in state T (proc(5), /proc/PID/stat). */
async function isStopped(pid: number): Promise<boolean> {
  const threads = await readdir(`/proc/${pid}/task`);
  const stats = await Promise.all(threads.map((thread) => readFile(`/proc/${pid}/task/${thread}/stat`, 'utf8').catch(() => ') T')));
  return stats.every((stat) => stat.slice(stat.lastIndexOf(')')).startsWith(') T'));
}

/**
 * Below what the system gives to outgoing connections (ip_local_port_range): a server that is restarted finds its port still free. Files of tests that run
 * side by side have ports of their own, so that none takes what another one has found free.
 */
const SHARE = 4_000;
const PORT_MIN = 15_000 + (Number(process.env['VITEST_POOL_ID'] ?? 1) % 4) * SHARE;
const PORT_MAX = PORT_MIN + SHARE;
const PORT_TRIES_MAX = 200;

/** Ports of loopback that were free a moment ago: all are held at once, so that they differ. */
export async function freePorts(count: number): Promise<number[]> {
  const servers: Server[] = [];
  for (let tries = 0; servers.length < count; tries++) {
    if (tries === PORT_TRIES_MAX) throw new Error(`no ${count} free ports between ${PORT_MIN} and ${PORT_MAX}`);
    const server = createServer();
    const free = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false)).listen(randomInt(PORT_MIN, PORT_MAX), '127.0.0.1', () => resolve(true));
    });
    if (free) servers.push(server);
  }
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
