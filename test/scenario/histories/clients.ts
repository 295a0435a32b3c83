import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { StoreConfigInput } from '../../../src/coordination/config.ts';
import { within } from '../../../src/coordination/contract/harness.ts';
import type { Clock } from '../../../src/core/clock.ts';
import { CutProxy } from '../servers/cut-proxy.ts';
import type { ClientSettings } from './client.ts';
import type { Resource } from './resource.ts';

const program = fileURLToPath(new URL('client.ts', import.meta.url));
const readyMsMax = 40_000;
/** What is under way when it is told to stop ends with its own time limit. */
const stopMsMax = 30_000;

/** How a client reaches the store: through relays of its own, one for each server; none for a store that is a file. */
export interface Reach {
  readonly ports: readonly number[];
  configure(ports: readonly number[]): StoreConfigInput;
}

/** A client's process, and its way to the store. */
export class Client {
  readonly name: string;
  readonly relays: readonly CutProxy[];
  readonly #child: ChildProcess;
  readonly #clock: Clock;
  readonly #ended: Promise<number | string>;
  #killed = false;

  private constructor(name: string, relays: readonly CutProxy[], child: ChildProcess, clock: Clock) {
    this.name = name;
    this.relays = relays;
    this.#child = child;
    this.#clock = clock;
    this.#ended = new Promise((resolve) => child.once('exit', (code, signal) => resolve(code ?? signal ?? 'nothing')));
  }

  static async start(clock: Clock, reach: Reach, resource: Resource, settings: Omit<ClientSettings, 'store'>): Promise<Client> {
    const relays = await Promise.all(reach.ports.map((port) => CutProxy.open({ port }, clock)));
    const own: ClientSettings = { ...settings, store: reach.configure(relays.map(({ port }) => port)) };
    const child = spawn(process.execPath, [program, JSON.stringify(own)], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    resource.serve(child);
    return new Client(settings.name, relays, child, clock);
  }

  /** Resolves when it has reached the store. */
  async ready(): Promise<void> {
    const ready = (async () => {
      for (;;) if ((await once(this.#child, 'message'))[0] === 'ready') return;
    })();
    await within(this.#clock, readyMsMax, `client ${this.name} is ready`, Promise.race([ready, this.#ended]));
  }

  stall(): void {
    this.#child.kill('SIGSTOP');
  }

  continue(): void {
    this.#child.kill('SIGCONT');
  }

  /** SIGKILL, wherever it is. */
  async kill(): Promise<void> {
    this.#killed = true;
    this.#child.kill('SIGKILL');
    await this.#ended;
    await Promise.all(this.relays.map((relay) => relay[Symbol.asyncDispose]()));
  }

  /** Lets it end what it does. @returns why it ended other than as it was told; undefined: all was well */
  async stop(): Promise<string | undefined> {
    if (this.#killed) return undefined;
    this.continue();
    if (this.#child.connected) this.#child.send('stop', () => {});
    try {
      const end = await within(this.#clock, stopMsMax, 'it ends', this.#ended);
      return end === 0 ? undefined : `client ${this.name} ended with ${end}`;
    } catch (error) {
      return `client ${this.name}: ${String(error)}`;
    } finally {
      await this.kill();
    }
  }
}
