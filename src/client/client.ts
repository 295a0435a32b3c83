import { z } from 'zod';
import {
  agentEventSchema,
  clusterStatusSchema,
  doneSchema,
  historyEntrySchema,
  type AgentEvent,
  type ClusterStatus,
  type Done,
  type HistoryEntry,
} from '../api/schema.ts';
import { HoldfastError } from '../core/errors.ts';
import { eventData } from './event-source.ts';
import { Transport, type Call, type TransportOptions } from './transport.ts';

/** Reading is answered from memory. */
const readTimeoutMs = 5_000;
/** A command may take a checkpoint, a clean stop and a promotion, on another node. */
const commandTimeoutMs = 120_000;
/** Agents send something every 15 s. */
const eventSilenceMs = 45_000;

interface Limits {
  readonly signal?: AbortSignal;
}

/**
 * One agent's API. Follows nobody by itself: when that agent is away, ask another.
 *
 * Every call throws what the agent says (SERVICE_UNKNOWN, SWITCHOVER_REFUSED, API_DENIED, …), API_UNREACHABLE, API_TIMEOUT,
 * API_NOT_TRUSTED, API_MALFORMED, or the signal's reason.
 */
export interface Client extends AsyncDisposable {
  /** `https://host:port` of the agent. */
  readonly url: string;
  status(limits?: Limits): Promise<ClusterStatus>;
  /** Oldest first. */
  history(service: string, limits?: Limits): Promise<HistoryEntry[]>;
  switchover(service: string, wishes?: { to?: string }, limits?: Limits): Promise<Done>;
  failover(service: string, wishes?: { to?: string }, limits?: Limits): Promise<Done>;
  pause(service: string, limits?: Limits): Promise<Done>;
  resume(service: string, limits?: Limits): Promise<Done>;
  restart(service: string, wishes?: { node?: string }, limits?: Limits): Promise<Done>;
  reinit(service: string, wishes?: { node?: string; from?: 'leader' | 'copies'; reuse?: boolean }, limits?: Limits): Promise<Done>;
  /** Events after `afterId`, or from now. Ends quietly with the signal; throws API_UNREACHABLE when the agent goes away. */
  events(options?: Limits & { afterId?: number }): AsyncGenerator<AgentEvent>;
}

/**
 * Opens nothing yet: connections are made as they are needed, and kept for a while.
 * @throws CLI_BAD_URL
 */
export function openClient(options: TransportOptions): Client {
  const transport = new Transport(options);
  const read = <Schema extends z.ZodType>(schema: Schema, path: string, limits: Limits = {}): Promise<z.output<Schema>> =>
    ask(transport, schema, { method: 'GET', path: `/api/v1/${path}`, silenceMsMax: readTimeoutMs, signal: limits.signal });
  const command =
    (name: string) =>
    (service: string, wishes?: object, limits: Limits = {}): Promise<Done> =>
      ask(transport, doneSchema, {
        method: 'POST',
        path: servicePath(service, name),
        body: wishes ?? {},
        silenceMsMax: commandTimeoutMs,
        signal: limits.signal,
      });
  const plain = (name: string) => (service: string, limits?: Limits) => command(name)(service, undefined, limits);
  return {
    url: options.url,
    status: (limits) => read(clusterStatusSchema, 'status', limits),
    history: (service, limits) => read(z.array(historyEntrySchema), `services/${encodeURIComponent(service)}/history`, limits),
    switchover: command('switchover'),
    failover: command('failover'),
    pause: plain('pause'),
    resume: plain('resume'),
    restart: command('restart'),
    reinit: command('reinit'),
    events: (limits) => followEvents(transport, limits ?? {}),
    async [Symbol.asyncDispose]() {
      transport[Symbol.dispose]();
    },
  };
}

function servicePath(service: string, command: string): string {
  return `/api/v1/services/${encodeURIComponent(service)}/${command}`;
}

/** What a newer agent says beyond the schema is kept. */
async function ask<Schema extends z.ZodType>(transport: Transport, schema: Schema, call: Call): Promise<z.output<Schema>> {
  return requireShape(schema, await transport.json(call));
}

async function* followEvents(
  transport: Transport,
  { signal, afterId }: { signal?: AbortSignal; afterId?: number },
): AsyncGenerator<AgentEvent> {
  const call: Call = {
    method: 'GET',
    path: afterId === undefined ? '/api/v1/events' : `/api/v1/events?after=${afterId}`,
    silenceMsMax: eventSilenceMs,
    signal,
    headers: { accept: 'text/event-stream' },
  };
  try {
    const response = await transport.open(call);
    for await (const data of eventData(response)) yield requireShape(agentEventSchema, JSON.parse(data));
    throw new Error('the agent ended the stream');
  } catch (error) {
    if (signal?.aborted === true) return;
    throw transport.failure(error, call);
  }
}

function requireShape<Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> {
  const { success, error } = schema.safeParse(value);
  if (success) return value as z.output<Schema>;
  const [issue] = error.issues;
  throw new HoldfastError(
    'API_MALFORMED',
    `the agent's answer is not as this program knows it: ${issue?.path.join('.')}: ${issue?.message}`,
    {
      hint: 'Check that agent and program have the same version.',
    },
  );
}
