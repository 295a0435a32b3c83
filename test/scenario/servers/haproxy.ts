import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export const haproxyProgram = ['haproxy', '/usr/sbin/haproxy'].find((program) => spawnSync(program, ['-v']).status === 0);
if (haproxyProgram === undefined && process.env['HOLDFAST_REQUIRE'] === 'all')
  throw new Error('haproxy is absent, and HOLDFAST_REQUIRE=all');

/** The configuration of docs/router.md word for word, but for addresses, the socket's place and the pace of its retries. */
export async function documentedHaproxy(places: { socket: string; write: number; read: number }): Promise<string> {
  const page = await readFile(new URL('../../../docs/router.md', import.meta.url), 'utf8');
  const text = /```haproxy-driven\n([\s\S]*?)```/
    .exec(page)![1]!
    .replace('/run/haproxy/admin.sock mode 660 group haproxy', `${places.socket} mode 600`)
    .replace('*:5000', `127.0.0.1:${places.write}`)
    .replace('*:5001', `127.0.0.1:${places.read}`)
    .replace('timeout connect 500ms', 'timeout connect 100ms')
    .replace('retries 60', 'retries 300');
  if (/\*:|\/run/.test(text)) throw new Error('the page has changed');
  return text;
}

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
    for (let turn = 0; turn < 1_500; turn++) {
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
