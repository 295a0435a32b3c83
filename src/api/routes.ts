import { Readable } from 'node:stream';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { Clock } from '../core/clock.ts';
import { HoldfastError } from '../core/errors.ts';
import type { Caller } from './auth.ts';
import type { AgentControl } from './control.ts';
import { eventStream } from './event-stream.ts';
import {
  clusterStatusSchema,
  doneSchema,
  errorSchema,
  handoverRequestSchema,
  historyEntrySchema,
  nodeRequestSchema,
  reinitRequestSchema,
  type Done,
  type Role,
} from './schema.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What a caller must be; `open`: anybody. */
    role?: Role | 'open';
  }
  interface FastifyRequest {
    caller: Caller | undefined;
  }
}

/** Event streams at a time; each holds a connection. */
const streamsMax = 64;

export interface RouteContext {
  readonly control: AgentControl;
  readonly clock: Clock;
  /** Aborts when the API closes. */
  readonly closing: AbortSignal;
  /** Called before a command is carried out. */
  readonly onCommand: (request: FastifyRequest, command: string, service: string) => void;
  readonly openApi: () => Promise<string>;
}

const serviceParams = z.object({ service: z.string().min(1).max(40).describe('Name of the service, as in holdfast.yaml.') });
const failures = { '4xx': errorSchema, '5xx': errorSchema };
const reading = { config: { role: 'viewer' } } as const;

/** `/api/v1`: what the command line, the console and scripts use. */
export const apiRoutes: FastifyPluginAsyncZod<RouteContext> = async (app, context) => {
  const { control } = context;
  app.get(
    '/status',
    {
      ...reading,
      schema: {
        summary: 'The state of all services, as this agent knows it',
        tags: ['state'],
        response: { 200: clusterStatusSchema, ...failures },
      },
    },
    () => control.status(),
  );
  app.get(
    '/services/:service/history',
    {
      ...reading,
      schema: {
        summary: 'The leaderships of a service, oldest first',
        tags: ['state'],
        params: serviceParams,
        response: { 200: z.array(historyEntrySchema), ...failures },
      },
    },
    async (request) => [...(await control.history(request.params.service))],
  );
  eventRoute(app, context);
  commandRoutes(app, context);
  app.get('/openapi.json', { config: { role: 'viewer' }, schema: { hide: true } }, async (_request, reply) =>
    reply.type('application/json').send(await context.openApi()),
  );
};

function eventRoute(app: Parameters<typeof apiRoutes>[0], { control, clock, closing }: RouteContext): void {
  let streams = 0;
  const schema = {
    summary: 'Changes of state as they happen (text/event-stream)',
    description: 'Each event has an id. A Last-Event-ID header, or `after`, continues after that event where it is still remembered.',
    tags: ['state'],
    querystring: z.object({ after: z.coerce.number().int().nonnegative().optional() }),
  };
  app.get('/events', { ...reading, schema }, (request, reply) => {
    if (streams >= streamsMax) {
      throw new HoldfastError('API_TOO_MANY_STREAMS', `${streamsMax} event streams are open already`, {
        retryable: true,
        hint: 'Close one, or ask another agent.',
      });
    }
    streams++;
    const header = Number(request.headers['last-event-id']);
    const afterId = Number.isSafeInteger(header) && header >= 0 && request.headers['last-event-id'] !== '' ? header : request.query.after;
    // A generator that waits can not be returned from: the end of the connection has to wake it.
    const gone = new AbortController();
    const end = (): void => gone.abort();
    closing.addEventListener('abort', end, { once: true });
    reply.raw.once('close', () => {
      streams--;
      closing.removeEventListener('abort', end);
      end();
    });
    const stream = Readable.from(eventStream(control, { afterId, clock, signal: gone.signal, onStuck: () => reply.raw.destroy() }), {
      objectMode: false,
      highWaterMark: 16 * 1024,
    });
    return reply.type('text/event-stream').header('x-accel-buffering', 'no').send(stream);
  });
}

function commandRoutes(app: FastifyInstance, { control, onCommand }: RouteContext): void {
  const command = <Body extends z.ZodType>(
    name: string,
    role: Role,
    summary: string,
    body: Body,
    run: (service: string, body: z.output<Body>) => Promise<Done>,
  ): void => {
    app.post(
      `/services/:service/${name}`,
      {
        config: { role },
        // No body means no wishes.
        preValidation: async (request: FastifyRequest) => void (request.body ??= {}),
        schema: {
          summary,
          description: `Needs the role ${role}.`,
          tags: ['commands'],
          security: [{ token: [] }],
          params: serviceParams,
          body,
          response: { 200: doneSchema, ...failures },
        },
      },
      async (request) => {
        const { service } = request.params as z.output<typeof serviceParams>;
        onCommand(request, name, service);
        return run(service, request.body as z.output<Body>);
      },
    );
  };
  const nothing = z.strictObject({});
  command('switchover', 'operator', 'Move the leadership in a planned way', handoverRequestSchema, (service, body) =>
    control.switchover(service, body),
  );
  command('failover', 'operator', 'Move the leadership away from a leader that does not answer', handoverRequestSchema, (service, body) =>
    control.failover(service, body),
  );
  command('pause', 'operator', 'Stop automatic failover', nothing, (service) => control.pause(service));
  command('resume', 'operator', 'Resume automatic failover', nothing, (service) => control.resume(service));
  command('restart', 'operator', 'Restart one member', nodeRequestSchema, (service, body) => control.restart(service, body));
  command('reinit', 'admin', 'Make the data of a replica anew', reinitRequestSchema, (service, body) => control.reinit(service, body));
}
