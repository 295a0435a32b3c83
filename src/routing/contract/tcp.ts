import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import type { Clock } from '../../core/clock.ts';
import { createClock } from '../../runtime/clock.ts';

// Real TCP ends for the tests of routers.

const LISTEN_ATTEMPTS_MAX = 1_000;
const LISTEN_AGAIN_MS = 10;

/** A server of a service: says its name to whoever connects, then echoes. */
export class TestMember implements AsyncDisposable {
  readonly node: string;
  readonly host: string;
  readonly sockets = new Set<Socket>();
  accepted = 0;
  /** How the last connections ended: with an error's code, or `end`. */
  readonly endings: string[] = [];
  #server: Server;
  #port = 0;

  /** @param host by default one of its own: on a shared one somebody else may take the port while this is dead */
  static async start(node: string, serve: (socket: Socket) => void = greetAndEcho(node), host = ownHost()): Promise<TestMember> {
    const member = new TestMember(node, serve, host);
    await member.listen();
    return member;
  }

  private constructor(node: string, serve: (socket: Socket) => void, host: string) {
    this.node = node;
    this.host = host;
    this.#server = createServer({ allowHalfOpen: true }, (socket) => {
      this.accepted++;
      this.sockets.add(socket);
      socket.once('error', (error: NodeJS.ErrnoException) => this.endings.push(error.code ?? error.message));
      socket.once('end', () => this.endings.push('end'));
      socket.once('close', () => this.sockets.delete(socket));
      serve(socket);
    });
  }

  get port(): number {
    return this.#port;
  }

  /**
   * Listens, on the same port as before: as soon as nobody holds the socket that was closed. A child that another thread starts has a copy of it
   * between fork and exec.
   */
  async listen(): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      this.#server.listen({ host: this.host, port: this.#port });
      const error = await once(this.#server, 'listening').then(
        () => undefined,
        (thrown: NodeJS.ErrnoException) => thrown,
      );
      if (error === undefined) break;
      if (error.code !== 'EADDRINUSE' || attempt === LISTEN_ATTEMPTS_MAX) throw error;
      await createClock().sleep(LISTEN_AGAIN_MS);
    }
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  /** Refuses connections, and resets the open ones. */
  async die(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const socket of this.sockets) socket.resetAndDestroy();
    await closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#server.listening) await this.die();
  }
}

function ownHost(): string {
  return ['127', ...Array.from({ length: 3 }, () => randomInt(1, 255))].join('.');
}

function greetAndEcho(node: string): (socket: Socket) => void {
  return (socket) => {
    socket.write(`${node}\n`);
    socket.pipe(socket);
  };
}

/** A client that keeps all it hears. */
export class TestClient implements Disposable {
  readonly socket: Socket;
  #heard: Buffer[] = [];
  /** `end`, an error's code, or undefined while it is open. */
  ending: string | undefined;

  static async connect(address: { host: string; port: number }): Promise<TestClient> {
    const socket = connect({ host: address.host, port: address.port, allowHalfOpen: true });
    const client = new TestClient(socket);
    // Without `once`, which would throw: being refused is an ending like others.
    await new Promise((resolve) => socket.once('connect', resolve).once('close', resolve));
    return client;
  }

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => this.#heard.push(chunk));
    socket.on('error', (error: NodeJS.ErrnoException) => (this.ending ??= error.code ?? error.message));
    socket.on('end', () => (this.ending ??= 'end'));
    socket.on('close', () => (this.ending ??= 'close'));
  }

  get heard(): Buffer {
    return Buffer.concat(this.#heard);
  }

  get text(): string {
    return this.heard.toString();
  }

  say(what: string | Buffer): void {
    this.socket.write(what);
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }
}

/** Waits until `condition` holds. @throws after ten seconds */
export async function eventually(clock: Clock, condition: () => boolean, what: string): Promise<void> {
  const deadlineMs = clock.monotonicMs() + 10_000;
  while (!condition()) {
    if (clock.monotonicMs() > deadlineMs) throw new Error(`not within 10 s: ${what}`);
    await clock.sleep(5);
  }
}
