import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';

/** Chromium as Debian and others install it; undefined where it is absent. */
export function chromiumPath(): string | undefined {
  return ['chromium', 'chromium-browser', 'google-chrome'].find((name) => spawnSync(name, ['--version']).status === 0);
}

type Fields = Readonly<Record<string, unknown>>;
interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: Fields;
  readonly result?: Fields;
  readonly error?: { readonly message: string };
}

/** A page in a real browser, driven over a pipe by the Chrome DevTools Protocol: no port is opened. */
export class BrowserPage implements AsyncDisposable {
  /** Everything that the page asked for, and everything that went wrong in it. */
  readonly requests: string[] = [];
  readonly problems: string[] = [];
  private readonly child: ReturnType<typeof spawn>;
  private readonly profile: string;
  private readonly waiting = new Map<number, (message: Message) => void>();
  private readonly listeners = new Set<(method: string) => void>();
  private session: string | undefined;
  private count = 0;

  private constructor(program: string) {
    this.profile = mkdtempSync(join(tmpdir(), 'holdfast-browser-'));
    const options = [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--no-first-run',
      '--remote-debugging-pipe',
      `--user-data-dir=${this.profile}`,
    ];
    this.child = spawn(program, options, { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] });
    let rest = '';
    (this.child.stdio[4] as Readable).setEncoding('utf8').on('data', (text: string) => {
      const parts = (rest + text).split('\0');
      rest = parts.pop()!;
      for (const part of parts) this.#hear(JSON.parse(part) as Message);
    });
    this.child.on('exit', () => {
      for (const answer of this.waiting.values()) answer({ error: { message: 'the browser has ended' } });
    });
  }

  /** Opens an address and waits until it is loaded. */
  static async open(program: string, address: string): Promise<BrowserPage> {
    const page = new BrowserPage(program);
    const { targetId } = await page.send('Target.createTarget', { url: 'about:blank' });
    page.session = (await page.send('Target.attachToTarget', { targetId, flatten: true }))['sessionId'] as string;
    for (const domain of ['Page', 'Runtime', 'Log', 'Network', 'Accessibility']) await page.send(`${domain}.enable`);
    const loaded = new Promise<void>((done) => page.listeners.add((method) => method === 'Page.loadEventFired' && done()));
    await page.send('Page.navigate', { url: address });
    await loaded;
    return page;
  }

  /** @throws Error with what the browser says */
  async send(method: string, params: Fields = {}): Promise<Fields> {
    const id = ++this.count;
    const answered = new Promise<Message>((done) => this.waiting.set(id, done));
    const session = this.session === undefined ? {} : { sessionId: this.session };
    (this.child.stdio[3] as Writable).write(`${JSON.stringify({ id, method, params, ...session })}\0`);
    const { result, error } = await answered;
    if (error) throw new Error(`${method}: ${error.message}`);
    return result!;
  }

  /** The value of an expression in the page. */
  async evaluate(expression: string): Promise<unknown> {
    const { result, exceptionDetails } = await this.send('Runtime.evaluate', { expression, returnByValue: true });
    if (exceptionDetails !== undefined) throw new Error(JSON.stringify(exceptionDetails));
    return (result as { readonly value?: unknown }).value;
  }

  /** Presses a key and lets it go: `Tab`, `ArrowRight`, `Enter`. */
  async press(key: string): Promise<void> {
    const codes: Readonly<Record<string, number>> = {
      Tab: 9,
      Enter: 13,
      End: 35,
      Home: 36,
      ArrowLeft: 37,
      ArrowUp: 38,
      ArrowRight: 39,
      ArrowDown: 40,
    };
    const named = { key, code: key, windowsVirtualKeyCode: codes[key]! };
    await this.send('Input.dispatchKeyEvent', { type: 'rawKeyDown', ...named });
    if (key === 'Enter') await this.send('Input.dispatchKeyEvent', { type: 'char', text: '\r', ...named });
    await this.send('Input.dispatchKeyEvent', { type: 'keyUp', ...named });
  }

  /** What a screen reader is told: roles and names, in order. */
  async spoken(): Promise<{ readonly role: string; readonly name: string }[]> {
    interface Node {
      readonly ignored: boolean;
      readonly role?: { readonly value: string };
      readonly name?: { readonly value: string };
    }
    const { nodes } = (await this.send('Accessibility.getFullAXTree')) as { readonly nodes: readonly Node[] };
    return nodes.filter(({ ignored }) => !ignored).map(({ role, name }) => ({ role: role?.value ?? '', name: name?.value ?? '' }));
  }

  /** The page as it is printed. */
  async printed(): Promise<Buffer> {
    return Buffer.from((await this.send('Page.printToPDF'))['data'] as string, 'base64');
  }

  #hear({ id, method, params, ...answer }: Message): void {
    if (id !== undefined) {
      this.waiting.get(id)?.({ id, ...answer });
      this.waiting.delete(id);
    }
    if (method === undefined) return;
    if (method === 'Network.requestWillBeSent') this.requests.push((params!['request'] as { readonly url: string }).url);
    if (method === 'Runtime.exceptionThrown' || method === 'Log.entryAdded') this.problems.push(JSON.stringify(params));
    for (const listener of this.listeners) listener(method);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.child.exitCode === null) {
      const ended = once(this.child, 'exit');
      this.child.kill('SIGKILL');
      await ended;
    }
    rmSync(this.profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }
}
