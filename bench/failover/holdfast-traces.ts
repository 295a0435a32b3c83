import { open } from 'node:fs/promises';
import { join } from 'node:path';
import type { AgentEvent } from '../../src/api/schema.ts';
import type { Client } from '../../src/client/client.ts';
import type { EventName, Explanation, Moment } from './contender.ts';

/** An agent sends what it remembers in one go; so long without more is the end of it. */
const QUIET_MS = 200;
/** A log's end that certainly holds one event. */
const TAIL_BYTES = 512 * 1024;

export interface TraceSources {
  readonly directory: string;
  readonly nodes: readonly string[];
  readonly service: string;
  /** Of each node's agent, in the order of `nodes`. */
  readonly clients: readonly Client[];
}

interface Trace {
  readonly node: string;
  readonly atMs: number;
  readonly kind: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** What the last fail-over or hand-over since `fromMs` (wall time) left behind: agents' events and logs, and PostgreSQL's log. */
export async function readTraces(event: EventName, fromMs: number, sources: TraceSources): Promise<Explanation> {
  const lists = await Promise.all([
    ...sources.nodes.map((node, index) => agentEvents(node, sources.clients[index]!)),
    ...sources.nodes.map((node) => postgresLog(node, sources)),
    ...[...sources.nodes, 'router'].map((node) => agentLog(node, sources)),
  ]);
  const traces = lists
    .flat()
    .filter((trace) => trace.atMs >= fromMs)
    .toSorted((a, b) => a.atMs - b.atMs);
  return {
    moments: event.endsWith('switchover') ? handOverMoments(traces) : failoverMoments(traces),
    setbacks: traces.filter(({ kind }) => kind === 'failover.action.failed').map(({ node, data }) => `${node}: ${JSON.stringify(data)}`),
    trace: traces.map(({ node, atMs, kind, data }) => `${Math.round(atMs - fromMs)} ${node} ${kind} ${JSON.stringify(data)}`),
  };
}

function failoverMoments(traces: readonly Trace[]): Moment[] {
  const claim = traces.find((trace) => trace.kind === 'leadership.claimed');
  if (claim === undefined) return restartMoments(traces);
  const { term } = claim.data;
  return [
    ...moment(
      'noticed',
      traces.find((trace) => trace.kind === 'leader.suspected' || trace.kind === 'leadership.released'),
    ),
    ...moment(
      'election began',
      traces.find((trace) => trace.kind === 'election.began' && trace.data['term'] === term),
    ),
    ...moment(
      'fenced',
      traces.find((trace) => trace.kind === 'election.fenced' && trace.data['term'] === term),
    ),
    ...moment('claimed', claim),
    ...promotion(traces, claim),
  ];
}

function handOverMoments(traces: readonly Trace[]): Moment[] {
  const claim = traces.find((trace) => trace.kind === 'leadership.claimed');
  if (claim === undefined) return [];
  return [
    ...moment(
      'clients held',
      traces.find((trace) => trace.kind === 'routing.hold.began'),
    ),
    ...moment(
      'shutdown asked',
      traces.find((trace) => trace.kind === 'postgres: received fast shutdown request'),
    ),
    ...moment(
      'shut down',
      traces.find((trace) => trace.kind === 'postgres: database system is shut down'),
    ),
    ...moment('claimed', claim),
    ...promotion(traces, claim),
  ];
}

/** The database was started again where it was. */
function restartMoments(traces: readonly Trace[]): Moment[] {
  const started = traces.find((trace) => trace.kind.startsWith('postgres: starting PostgreSQL'));
  return [
    ...moment(
      'noticed',
      traces.find((trace) => trace.kind === 'member.state' && trace.data['act'] === 'reclaim'),
    ),
    ...moment('start asked', started),
    ...moment(
      'started',
      traces.find((trace) => trace.kind === READY && trace.node === started?.node && trace.atMs >= started.atMs),
    ),
  ];
}

const READY = 'postgres: database system is ready to accept connections';

function promotion(traces: readonly Trace[], claim: Trace): Moment[] {
  const own = traces.filter((trace) => trace.node === claim.node && trace.atMs >= claim.atMs);
  const asked = own.find((trace) => trace.kind === 'postgres: received promote request');
  const promoted = own.find((trace) => trace.kind === READY && asked !== undefined && trace.atMs >= asked.atMs);
  return [
    ...moment('promotion asked', asked),
    ...moment('promoted', promoted),
    // From here on commits can be acknowledged.
    ...moment(
      'voter attached',
      own.find((trace) => /^postgres: standby .* synchronous standby/.test(trace.kind)),
    ),
  ];
}

function moment(what: string, trace: Trace | undefined): Moment[] {
  return trace === undefined ? [] : [{ what, atMs: trace.atMs }];
}

async function agentEvents(node: string, client: Client): Promise<Trace[]> {
  const stop = new AbortController();
  const traces: Trace[] = [];
  let quiet = setTimeout(() => stop.abort(), QUIET_MS * 5);
  try {
    for await (const event of client.events({ afterId: 0, signal: stop.signal })) {
      clearTimeout(quiet);
      quiet = setTimeout(() => stop.abort(), QUIET_MS);
      traces.push(traceOf(node, event));
    }
  } catch {
    // Its agent is away: the others tell what happened.
  } finally {
    clearTimeout(quiet);
  }
  return traces;
}

function traceOf(node: string, event: AgentEvent): Trace {
  return { node, atMs: Date.parse(event.at), kind: event.kind, data: event.data };
}

/** Lines `2026-01-02 03:04:05.678 UTC [123] LOG:  what happened`: only the first words are told apart. */
async function postgresLog(node: string, { directory, service }: TraceSources): Promise<Trace[]> {
  const text = await readTail(join(directory, node, 'state', service, 'postgres.log'));
  return [...text.matchAll(/^(\d{4}-\d\d-\d\d) (\S+) (\S+) \[\d+\] .*?(?:LOG|FATAL|ERROR): {2}(.*)$/gm)].map(
    ([, day, time, zone, what]) => ({
      node,
      atMs: Date.parse(zone === 'UTC' || zone === 'GMT' ? `${day}T${time}Z` : `${day} ${time} ${zone}`),
      kind: `postgres: ${what}`,
      data: {},
    }),
  );
}

async function agentLog(node: string, { directory }: TraceSources): Promise<Trace[]> {
  const text = await readTail(join(directory, node, 'agent.log'));
  return text.split('\n').flatMap((line) => {
    if (!line.startsWith('{') || !line.endsWith('}')) return [];
    const { time, event, level: _, ...data } = JSON.parse(line) as { time: string; event: string; level: string; [key: string]: unknown };
    return [{ node, atMs: Date.parse(time), kind: event, data }];
  });
}

async function readTail(file: string): Promise<string> {
  try {
    await using handle = await open(file);
    const { size } = await handle.stat();
    const length = Math.min(size, TAIL_BYTES);
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, size - length);
    return buffer.toString('utf8', 0, bytesRead);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}
