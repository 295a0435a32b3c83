import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import type { Clock } from '../../../src/core/clock.ts';
import { reset } from '../../../src/routing/adapters/proxy/pump.ts';

/** Which way no byte moves. */
export type Way = 'both' | 'to-server' | 'to-client';

/** How long the own port is tried for again after it had been closed, in steps. */
const REOPEN_TRIES_MAX = 100;
const REOPEN_PAUSE_MS = 20;

/**
 * A TCP relay on loopback that breaks like a network does. What was sent into a hang is held back, not lost, and goes on after `restore`, as
 * TCP would send it again; ends and resets of connections are held back likewise.
 */
export class CutProxy implements AsyncDisposable {
  readonly #target: { host: string; port: number };
  readonly #clock: Clock;
  readonly #relays = new Set<Relay>();
  #server: Server | undefined;
  #port = 0;
  #hung: Way | undefined;

  private constructor(target: { host: string; port: number }, clock: Clock) {
    this.#target = target;
    this.#clock = clock;
  }

  /** @param target where it leads; may be changed by opening another proxy only */
  static async open(target: { host?: string; port: number }, clock: Clock): Promise<CutProxy> {
    const proxy = new CutProxy({ host: '127.0.0.1', ...target }, clock);
    await proxy.#listen();
    return proxy;
  }

  get host(): string {
    return '127.0.0.1';
  }

  get port(): number {
    return this.#port;
  }

  /** Connections that clients hold open now. */
  get connections(): number {
    return this.#relays.size;
  }

  /** Nothing moves any more, both ways or one; connections stay open, new ones are accepted and say nothing. */
  hang(way: Way = 'both'): void {
    this.#hung = way;
    for (const relay of this.#relays) relay.hang(way);
  }

  /** Resets all connections. New ones work. */
  reset(): void {
    for (const relay of this.#relays) relay.reset();
  }

  /** New connections are refused; those that are, go on. */
  async refuse(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    // Its callback waits for the connections, which are to go on.
    server?.close();
    await this.#clock.sleep(0);
  }

  /** Resets all connections and refuses new ones. */
  async cut(): Promise<void> {
    await this.refuse();
    this.reset();
  }

  /** Works again, on the same port. */
  async restore(): Promise<void> {
    this.#hung = undefined;
    for (const relay of this.#relays) relay.hang(undefined);
    if (this.#server === undefined) await this.#listen();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.cut();
  }

  async #listen(): Promise<void> {
    for (let tries = 1; ; tries += 1) {
      try {
        this.#server = await listening(this.#port, (client) => this.#relay(client));
        this.#port = (this.#server.address() as AddressInfo).port;
        return;
      } catch (error) {
        if (tries === REOPEN_TRIES_MAX) throw error;
        await this.#clock.sleep(REOPEN_PAUSE_MS);
      }
    }
  }

  #relay(client: Socket): void {
    const relay = new Relay(client, connect({ ...this.#target, allowHalfOpen: true, noDelay: true }), () => this.#relays.delete(relay));
    this.#relays.add(relay);
    relay.hang(this.#hung);
  }
}

function listening(port: number, onConnection: (client: Socket) => void): Promise<Server> {
  const server = createServer({ allowHalfOpen: true, noDelay: true }, onConnection);
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => resolve(server));
  });
}

/** One client's connection and the one that it leads to. */
class Relay {
  readonly #toServer: Pipe;
  readonly #toClient: Pipe;
  readonly #sockets: readonly [Socket, Socket];

  constructor(client: Socket, server: Socket, onClosed: () => void) {
    this.#sockets = [client, server];
    this.#toServer = new Pipe(client, server);
    this.#toClient = new Pipe(server, client);
    let open = 2;
    for (const socket of this.#sockets) socket.once('close', () => --open === 0 && onClosed());
  }

  hang(way: Way | undefined): void {
    this.#toServer.held = way === 'both' || way === 'to-server';
    this.#toClient.held = way === 'both' || way === 'to-client';
  }

  reset(): void {
    reset(...this.#sockets);
  }
}

/** One direction of a relay. */
class Pipe {
  readonly #from: Socket;
  #held = false;
  #choked = false;
  /** What became of the source while it was held. */
  #pending: (() => void) | undefined;

  constructor(from: Socket, to: Socket) {
    this.#from = from;
    from.on('data', (chunk) => {
      this.#choked = !to.write(chunk);
      this.#flow();
    });
    to.on('drain', () => {
      this.#choked = false;
      this.#flow();
    });
    from.on('end', () => this.#later(() => to.end()));
    from.on('error', () => this.#later(() => reset(to)));
    from.on('close', () => this.#later(() => to.destroySoon()));
  }

  set held(held: boolean) {
    this.#held = held;
    this.#flow();
    if (held) return;
    this.#pending?.();
    this.#pending = undefined;
  }

  #flow(): void {
    if (this.#held || this.#choked) this.#from.pause();
    else this.#from.resume();
  }

  #later(act: () => void): void {
    if (!this.#held) return act();
    this.#pending ??= act;
  }
}
