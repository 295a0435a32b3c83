import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export const haproxyProgram = ['haproxy', '/usr/sbin/haproxy'].find((program) => spawnSync(program, ['-v']).status === 0);
if (haproxyProgram === undefined && process.env['HOLDFAST_REQUIRE'] === 'all')
  throw new Error('haproxy is absent, and HOLDFAST_REQUIRE=all');

/** An HAProxy in the foreground, with one configuration. */
export class Haproxy implements AsyncDisposable {
  readonly #file: string;
  readonly #port: number;
  #child: ChildProcess | undefined;

  /** @param port one that it listens on: it is up when that answers */
  static async start(file: string, configuration: string, port: number): Promise<Haproxy> {
    await writeFile(file, configuration);
    const started = new Haproxy(file, port);
    await started.start();
    return started;
  }

  private constructor(file: string, port: number) {
    this.#file = file;
    this.#port = port;
  }

  async start(): Promise<void> {
    const child = spawn(haproxyProgram!, ['-db', '-f', this.#file], { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => (said += String(chunk)));
    this.#child = child;
    for (let turn = 0; turn < 500; turn++) {
      if (child.exitCode !== null) break;
      if (await answers(this.#port)) return;
      await sleep(20);
    }
    throw new Error(`haproxy did not come up: ${said}`);
  }

  async stop(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const child = this.#child!;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill('SIGCONT');
    child.kill(signal);
    await gone;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child!.kill(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

async function answers(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  const { promise, resolve } = Promise.withResolvers<boolean>();
  socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
  const answered = await promise;
  socket.destroy();
  return answered;
}
