import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { HoldfastError } from '../../../core/errors.ts';
import { keepAliveDelayMs } from './dial.ts';
import { Refusal } from './dispatcher.ts';
import type { Port } from './route.ts';
import { Session, type SessionContext } from './session.ts';

/** Clients beyond the limit that are being told so; still more are closed without a word. */
const lastWordsMax = 100;

/** All clients reconnect in the moment after a cut; what the queue does not take comes a second late. */
const acceptBacklog = 4096;

/** Where to listen. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/** One port that clients connect to. */
export class ProxyPort implements AsyncDisposable {
  readonly port: Port;
  readonly address: ListenAddress;
  readonly #server: Server;
  readonly #context: SessionContext;
  readonly #sessions = new Set<Session>();

  /** @throws ROUTER_PORT_IN_USE, ROUTER_ADDRESS_UNUSABLE */
  static async listen(service: string, address: ListenAddress, context: SessionContext): Promise<ProxyPort> {
    const server = createServer({ allowHalfOpen: true, noDelay: true, keepAlive: true, keepAliveInitialDelay: keepAliveDelayMs });
    server.maxConnections = context.config.maxConnections + lastWordsMax;
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error) => reject(listenFailure(service, context.port, address, error)));
      server.listen({ ...address, backlog: acceptBacklog }, resolve);
    });
    return new ProxyPort(server, address, context);
  }

  private constructor(server: Server, address: ListenAddress, context: SessionContext) {
    this.port = context.port;
    this.address = { host: address.host, port: (server.address() as AddressInfo).port };
    this.#server = server;
    this.#context = context;
    server.on('connection', (socket) => this.#accept(socket)).on('drop', () => context.onRefused());
    server.on('error', (error) => context.logger.error('routing.port.failed', { port: context.port, reason: error.message }));
  }

  /** Clients connected to a server. */
  get connections(): number {
    let count = 0;
    for (const session of this.#sessions) if (session.route) count++;
    return count;
  }

  /** Cuts the sessions that `isOver` holds for, and returns how many they were. */
  cut(isOver: (route: NonNullable<Session['route']>) => boolean): number {
    let count = 0;
    for (const session of this.#sessions) {
      if (session.route === undefined || !isOver(session.route)) continue;
      session.cut();
      count++;
    }
    return count;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const session of this.#sessions) session.cut();
    await closed;
  }

  #accept(socket: Socket): void {
    const session = new Session(socket, this.#context, () => this.#sessions.delete(session));
    this.#sessions.add(session);
    const { maxConnections } = this.#context.config;
    if (this.#sessions.size <= maxConnections) void session.serve();
    else
      session.refuse(
        new Refusal(
          '53300',
          `the router takes no more than ${maxConnections} connections on this port`,
          'The limit is maxConnections of the router.',
        ),
      );
  }
}

function listenFailure(service: string, port: Port, { host, port: number }: ListenAddress, cause: NodeJS.ErrnoException): HoldfastError {
  const what = `the router of service '${service}' can not listen on ${host}:${number} (${port})`;
  if (cause.code === 'EADDRINUSE') {
    const hint = `Stop what listens there ('ss -ltnp sport = :${number}' shows it), or choose another port for router.${port}.`;
    return new HoldfastError('ROUTER_PORT_IN_USE', `${what}: the port is in use`, { hint, cause });
  }
  const hint = `Give router.${port} an address of this machine, and a port that this user may open.`;
  return new HoldfastError('ROUTER_ADDRESS_UNUSABLE', `${what}: ${cause.message}`, { hint, cause });
}
