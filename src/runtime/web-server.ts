import { once } from 'node:events';
import type { RequestListener } from 'node:http';
import type { Server as HttpsServer } from 'node:https';
import type { Address } from '../core/address.ts';
import { messageOf } from '../core/errors.ts';
import type { Runtime } from '../core/runtime.ts';
import { type ConnectionLimits, Connections } from './connections.ts';
import { listen } from './listen.ts';

// Not imported: see listener.ts.
const { createServer: createHttpServer } = process.getBuiltinModule('node:http');
const { createServer: createHttpsServer } = process.getBuiltinModule('node:https');

/** PEM texts of a certificate, with those between it and its CA, and of its key. */
export interface WebCredentials {
  readonly cert: string;
  readonly key: string;
}

export interface WebServerLimits extends ConnectionLimits {
  /** How long a TLS handshake, or the headers of a request, may take. */
  readonly headersMs: number;
  /** How long a kept connection may be without a request. Longer than clients keep theirs (90 s in Go), so that they never send into its end. */
  readonly idleMs: number;
  /** How long nothing may move on a connection while a request is under way. */
  readonly stalledMs: number;
}

export interface WebServerOptions extends Address {
  /** Absent: plain HTTP. */
  readonly credentials?: WebCredentials | undefined;
  readonly limits?: Partial<WebServerLimits>;
}

const limitsDefault: WebServerLimits = {
  connectionsMax: 512,
  connectionsPerAddressMax: 128,
  headersMs: 10_000,
  idleMs: 120_000,
  stalledMs: 300_000,
};

const headerBytesMax = 16 * 1024;
const headersMax = 64;
/** How often overdue headers are looked for. */
const overdueCheckMs = 1_000;

/** A web server of its own. Disposing of it cuts what is under way. */
export interface WebServer extends AsyncDisposable {
  readonly address: Address;
  /** Uses other credentials for connections from now on. */
  renew(credentials: WebCredentials): void;
  /** Takes nothing new, and waits for what is under way, but no longer than so. */
  close(graceMs: number): Promise<void>;
}

/** Serves HTTP or HTTPS, within limits. How long a body may take is for `handler` to say. @throws LISTEN_PORT_IN_USE, LISTEN_FAILED */
export async function openWebServer(options: WebServerOptions, handler: RequestListener, { clock, logger }: Runtime): Promise<WebServer> {
  const limits = { ...limitsDefault, ...options.limits };
  const settings = {
    headersTimeout: limits.headersMs,
    requestTimeout: 0,
    connectionsCheckingInterval: overdueCheckMs,
    keepAliveTimeout: limits.idleMs,
    maxHeaderSize: headerBytesMax,
    noDelay: true,
    keepAlive: true,
  };
  let closing = false;
  const onRequest: RequestListener = (request, response) => {
    response.once('close', () => closing && server.closeIdleConnections());
    handler(request, response);
  };
  const tls = options.credentials && { ...options.credentials, handshakeTimeout: limits.headersMs, minVersion: 'TLSv1.2' as const };
  const server = tls === undefined ? createHttpServer(settings, onRequest) : createHttpsServer({ ...settings, ...tls }, onRequest);
  server.maxHeadersCount = headersMax;
  server.setTimeout(limits.stalledMs);
  const connections = new Connections(limits);
  server.on('connection', (socket) => {
    socket.on('error', () => socket.destroy());
    if (!connections.admit(socket)) socket.destroy();
  });
  server.on('tlsClientError', (error, socket) => {
    logger.debug('web.handshake.failed', { from: socket.remoteAddress, error: messageOf(error) });
    socket.destroy();
  });
  const address = await listen(server, options, {
    who: 'this server',
    inUse: 'choose another port',
    failed: 'it must be an address of this machine',
  });

  const close = async (graceMs: number): Promise<void> => {
    if (!server.listening) return;
    closing = true;
    const closed = once(server, 'close');
    server.close();
    server.closeIdleConnections();
    using _cut = clock.after(graceMs, () => connections.destroyAll());
    await closed;
  };
  return {
    address,
    renew: (credentials) => (server as HttpsServer).setSecureContext({ ...credentials, minVersion: 'TLSv1.2' }),
    close,
    [Symbol.asyncDispose]: () => close(0),
  };
}
