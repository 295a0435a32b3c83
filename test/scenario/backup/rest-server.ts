import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { text } from 'node:stream/consumers';

const program = new URL('../../../bin/holdfast.mjs', import.meta.url).pathname;

/** What came back. */
export interface Answered {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

/** A running `holdfast serve`. */
export class RestServer implements AsyncDisposable {
  /** `https://127.x.y.z:PORT/`. */
  readonly url: string;
  readonly #child: ChildProcess;
  readonly #logged: Promise<string>;

  private constructor(child: ChildProcess, url: string, logged: Promise<string>) {
    this.#child = child;
    this.url = url;
    this.#logged = logged;
  }

  /** @throws Error with what it said, when it ends instead of serving */
  static async start(location: string, listen: string, ...args: string[]): Promise<RestServer> {
    const words = [program, 'serve', location, '--listen', listen, '--json', '--log-level', 'debug', ...args];
    const child = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'pipe'] });
    const logged = text(child.stderr);
    let said = '';
    for await (const chunk of child.stdout.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      said += chunk.toString();
      if (said.includes('}')) {
        child.stdout.resume();
        return new RestServer(child, (JSON.parse(said) as { url: string }).url, logged);
      }
    }
    throw new Error(`${said}${await logged}`);
  }

  /** Host and port. */
  get address(): string {
    return new URL(this.url).host;
  }

  /** For restic. */
  urlFor(user?: string, password?: string): string {
    return `rest:${user === undefined ? this.url : this.url.replace('//', `//${user}:${encodeURIComponent(password ?? '')}@`)}`;
  }

  async ask(
    method: string,
    path: string,
    { auth, ca, body, headers = {} }: { auth?: string; ca?: string; body?: Uint8Array; headers?: Record<string, string> } = {},
  ): Promise<Answered> {
    const make = this.url.startsWith('https') ? httpsRequest : httpRequest;
    const request = make(new URL(path, this.url), {
      method,
      headers,
      ...(auth !== undefined && { auth }),
      ...(ca !== undefined && { ca }),
    });
    request.end(body);
    const [response] = (await once(request, 'response')) as [import('node:http').IncomingMessage];
    return { status: response.statusCode!, headers: response.headers, body: await text(response) };
  }

  /** Its exit code. */
  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const ended = once(this.#child, 'exit');
      this.#child.kill(signal);
      await ended;
    }
    return this.#child.exitCode;
  }

  /** All that it logged, once it has ended. */
  async log(): Promise<readonly Record<string, unknown>[]> {
    const lines = (await this.#logged).split('\n').filter((line) => line !== '');
    return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end('SIGKILL');
  }
}
