import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import fastify, { type FastifyInstance, type FastifyRequest } from 'fastify';
import type { Clock } from '../core/clock.ts';
import { HoldfastError, messageOf } from '../core/errors.ts';
import { type Logger, silentLogger } from '../core/logger.ts';
import { type ApiToken, Gatekeeper } from './auth.ts';
import { compilers } from './compilers.ts';
import type { AgentControl } from './control.ts';
import { exposition, expositionType, patroniSamples } from './exposition.ts';
import { failureOf } from './failure.ts';
import { healthRoutes } from './health-routes.ts';
import { apiRoutes, type RouteContext } from './routes.ts';

export type { ApiToken } from './auth.ts';
export { plainPathsFor } from './health-routes.ts';

// Not imported: see runtime/listener.ts.
const { createServer } = process.getBuiltinModule('node:http');

const bodyBytesMax = 16 * 1024;

export interface ApiOptions {
  readonly tokens: readonly ApiToken[];
  /** Whether reading (state, history, events, metrics) needs no token. Health checks never do. */
  readonly readOpen: boolean;
  readonly clock: Clock;
  readonly logger?: Logger;
  /** Of Holdfast. */
  readonly version?: string;
}

export interface Api extends AsyncDisposable {
  readonly app: FastifyInstance;
  /** Answers any request. Requests that came without TLS get reading only, and only without a token: it would travel in the clear. */
  readonly handle: (request: IncomingMessage, response: ServerResponse) => void;
  /** Ends event streams and takes no more requests. Connections are their listener's. */
  close(): Promise<void>;
}

/**
 * The agent's HTTP interface, for whoever listens.
 * @throws CONFIG_TOKEN_WEAK
 */
export async function createApi(control: AgentControl, options: ApiOptions): Promise<Api> {
  const { clock, logger = silentLogger, version = '0.0.0' } = options;
  const gatekeeper = new Gatekeeper(options.tokens, clock);
  const closing = new AbortController();
  let server: Server | undefined;
  const app = fastify({
    bodyLimit: bodyBytesMax,
    routerOptions: { ignoreTrailingSlash: true, ignoreDuplicateSlashes: true },
    schemaController: { compilersFactory: compilers },
    // It never listens; requests are handed to it.
    serverFactory: (handler) => (server = createServer(handler)),
  });
  app.decorateRequest('caller', undefined);
  app.addHook('onRequest', async (request, reply) => {
    void reply.header('cache-control', 'no-store');
    admit(gatekeeper, options.readOpen, request);
  });
  app.setErrorHandler(async (error, request, reply) => {
    const { status, body } = failureOf(error);
    if (status >= 500 && !(error instanceof HoldfastError))
      logger.error('api.request.failed', { method: request.method, path: request.url, reason: messageOf(error), error });
    if (status === 401) void reply.header('www-authenticate', 'Bearer');
    if (status === 429) void reply.header('retry-after', '60').header('connection', 'close');
    return reply.code(status).send(body);
  });
  app.setNotFoundHandler(async (request, reply) => {
    const { status, body } = failureOf(
      new HoldfastError('API_UNKNOWN_PATH', `there is no ${request.method} ${request.url.slice(0, 100)}`, {
        hint: 'See /api/v1/openapi.json.',
      }),
    );
    return reply.code(status).send(body);
  });

  const health = { control, version };
  const context: RouteContext = {
    control,
    clock,
    closing: closing.signal,
    onCommand: (request, command, service) =>
      logger.info('api.command.received', { command, service, caller: request.caller?.name, from: request.ip }),
    openApi: once(async () => (await import('./openapi.ts')).writeOpenApi(context, health)),
  };
  await app.register(apiRoutes, { ...context, prefix: '/api/v1' });
  await app.register(healthRoutes, health);
  app.get('/metrics', { config: { role: 'viewer' } }, async (_request, reply) => {
    const own = control.metrics().map((sample) => ({ ...sample, name: `holdfast_${sample.name}` }));
    return reply.type(expositionType).send(exposition([...own, ...patroniSamples(control.localMembers(), control.node)]));
  });
  await app.ready();

  const close = async (): Promise<void> => {
    closing.abort(new Error('the API closes'));
    await app.close();
  };
  return { app, handle: (request, response) => void server!.emit('request', request, response), close, [Symbol.asyncDispose]: close };
}

/** @throws API_DENIED, API_FORBIDDEN, API_NEEDS_TLS, API_TOO_MANY_FAILURES */
function admit(gatekeeper: Gatekeeper, readOpen: boolean, request: FastifyRequest): void {
  const needed = request.routeOptions.config.role;
  // Paths that are not there say so to anybody.
  if (needed === undefined || needed === 'open') return;
  const { authorization } = request.headers;
  const isSecure = 'encrypted' in request.socket;
  if (!isSecure && (authorization !== undefined || needed !== 'viewer' || !readOpen)) {
    throw new HoldfastError('API_NEEDS_TLS', 'tokens are only taken over TLS', { hint: "Use https:// with the cluster's CA certificate." });
  }
  request.caller = gatekeeper.identify(authorization, request.ip);
  if (needed === 'viewer' && readOpen) return;
  gatekeeper.require(request.caller, needed);
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => (made ??= make());
}
