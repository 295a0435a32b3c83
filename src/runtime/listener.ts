import { once } from 'node:events';
import type { RequestListener, Server as HttpServer } from 'node:http';
import { createServer, type Socket } from 'node:net';
import { createServer as createTlsServer, type Server as TlsServer, type TLSSocket } from 'node:tls';
import { messageOf } from '../core/errors.ts';
import type { Runtime } from '../core/runtime.ts';
import { Connections } from './connections.ts';
import { listen } from './listen.ts';
import type { TlsCredentials } from './tls-credentials.ts';

// Imported as an ES module, it would load Node's WebSocket client with it: 10 MB that an agent never uses.
const { createServer: createHttpServer } = process.getBuiltinModule('node:http');

/** The protocol that agents speak with each other, as negotiated in the TLS handshake (ALPN, RFC 7301). */
export const peerProtocol = 'holdfast-peer/1';

export interface ListenerOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly credentials: TlsCredentials;
  /** What may also be asked without TLS, for reading only: the health endpoints and metrics, as stock load balancers ask. */
  readonly plainPaths: readonly string[];
  readonly limits?: Partial<ListenerLimits>;
}

export interface ListenerLimits {
  /** How long the first byte, and then the TLS handshake, may take. */
  readonly handshakeMs: number;
  /** How long the headers of a request may take, and an idle kept-alive connection last. */
  readonly headersMs: number;
  /** How long a whole request (not its answer) may take. */
  readonly requestMs: number;
  readonly connectionsMax: number;
  readonly connectionsPerAddressMax: number;
}

const limitsDefault: ListenerLimits = {
  handshakeMs: 5_000,
  headersMs: 10_000,
  requestMs: 60_000,
  connectionsMax: 4_096,
  connectionsPerAddressMax: 512,
};

/** A TLS record that carries a handshake begins with this byte (RFC 8446, 5.1); no HTTP method does. */
const tlsHandshakeByte = 0x16;
const headerBytesMax = 16 * 1024;
/** How often overdue requests are looked for. */
const overdueCheckMs = 1_000;

/** The one port of an agent. Until something is attached for them, connections are closed. */
export interface Listener extends AsyncDisposable {
  readonly address: { readonly host: string; readonly port: number };
  /** Takes connections of agents: TLS is established, the certificate asked for but **not yet judged** (`socket.authorized`). */
  onPeer(handler: (socket: TLSSocket) => void): void;
  /** Takes all HTTPS requests, and those over plain HTTP that read one of `plainPaths`. */
  onRequest(handler: RequestListener): void;
  /** Uses renewed credentials for connections from now on. */
  renew(credentials: TlsCredentials): void;
}

/**
 * Serves agents, the HTTPS API and plain health checks on one port, told apart by their first bytes.
 * @throws LISTEN_PORT_IN_USE, LISTEN_FAILED
 */
export async function openListener(options: ListenerOptions, runtime: Runtime): Promise<Listener> {
  const limits = { ...limitsDefault, ...options.limits };
  const logger = runtime.logger.child({ part: 'listener' });
  let onPeer: (socket: TLSSocket) => void = (socket) => socket.destroy();
  let onRequest: RequestListener = (_request, response) => void response.writeHead(503).end();

  const secure = createWebServer(limits, (request, response) => onRequest(request, response));
  const plain = createWebServer(limits, (request, response) => {
    if (isPlainRequest(request.method, request.url, options.plainPaths)) onRequest(request, response);
    else refusePlain(request, response);
  });
  const tls = createSecureServer(options.credentials, limits, (socket) => {
    if (socket.alpnProtocol === peerProtocol) onPeer(socket);
    else secure.emit('connection', socket);
  });
  tls.on('tlsClientError', (error: Error, socket: TLSSocket) => {
    logger.debug('listener.handshake.failed', { from: socket.remoteAddress, error: messageOf(error) });
    socket.destroy();
  });
  const connections = new Connections(limits);
  const server = createServer((socket) => {
    if (!connections.admit(socket)) return socket.destroy();
    route(socket, tls, plain, limits);
  });
  server.on('error', (error) => logger.error('listener.accept.failed', { error }));
  const address = await listen(server, options, {
    who: 'the agent',
    inUse: "choose another port for node.listen and for this node in the others' peers",
    failed: 'node.listen must be an address of this machine',
  });

  return {
    address,
    onPeer: (handler) => void (onPeer = handler),
    onRequest: (handler) => void (onRequest = handler),
    renew: (credentials) => tls.setSecureContext(credentials),
    [Symbol.asyncDispose]: async () => {
      for (const web of [secure, plain]) web.close();
      const closed = once(server, 'close');
      server.close();
      connections.destroyAll();
      await closed;
    },
  };
}

function route(socket: Socket, tls: TlsServer, plain: HttpServer, limits: ListenerLimits): void {
  socket.on('error', () => socket.destroy());
  socket.setNoDelay(true);
  socket.setKeepAlive(true, 5_000);
  socket.setTimeout(limits.handshakeMs, () => socket.destroy());
  socket.once('data', (chunk: Buffer) => {
    socket.setTimeout(0);
    socket.removeAllListeners('timeout');
    // Put back for whoever it is for; what comes meanwhile stays in the kernel.
    socket.pause();
    socket.unshift(chunk);
    const server = chunk[0] === tlsHandshakeByte ? tls : plain;
    server.emit('connection', socket);
    if (server === plain) socket.resume();
  });
}

function createWebServer(limits: ListenerLimits, handler: RequestListener): HttpServer {
  const server = createHttpServer(
    {
      headersTimeout: limits.headersMs,
      keepAliveTimeout: limits.headersMs,
      requestTimeout: limits.requestMs,
      connectionsCheckingInterval: overdueCheckMs,
      maxHeaderSize: headerBytesMax,
    },
    handler,
  );
  // It never listens itself; this is how it begins to look for overdue requests (net.Server 'listening' in node:_http_server).
  server.emit('listening');
  return server;
}

function createSecureServer(credentials: TlsCredentials, limits: ListenerLimits, onSecure: (socket: TLSSocket) => void): TlsServer {
  return createTlsServer(
    {
      ...credentials,
      ALPNProtocols: [peerProtocol, 'http/1.1'],
      requestCert: true,
      // People and scrapers have no certificate; agents are judged by the peer network, which can tell them why.
      rejectUnauthorized: false,
      handshakeTimeout: limits.handshakeMs,
      minVersion: 'TLSv1.2',
    },
    (socket) => {
      socket.on('error', () => socket.destroy());
      onSecure(socket);
    },
  );
}

function isPlainRequest(method: string | undefined, url: string | undefined, paths: readonly string[]): boolean {
  return ['GET', 'HEAD', 'OPTIONS'].includes(method ?? '') && paths.includes((url ?? '').split('?', 1)[0]!);
}

const refusePlain: RequestListener = (_request, response) => {
  const body = {
    code: 'API_NEEDS_TLS',
    message: 'only health checks and metrics are answered over plain HTTP',
    hint: "Use https:// with the cluster's CA certificate.",
    retryable: false,
  };
  response.writeHead(403, { 'content-type': 'application/json', connection: 'close' }).end(JSON.stringify(body));
};
