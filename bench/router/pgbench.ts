import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { join } from 'node:path';
import type { Server } from './server.ts';

const run = promisify(execFile);
const OUTPUT_BYTES_MAX = 1_048_576;
const START_MS_MAX = 60_000;

export const workloads = ['select-only', 'tpcb-like'] as const;
export type Workload = (typeof workloads)[number];

export interface Load {
  readonly workload: Workload;
  readonly clients: number;
  readonly seconds: number;
}

export interface Throughput {
  readonly tps: number;
  readonly transactions: number;
  /** Mean. */
  readonly latencyMs: number;
}

export interface Pgbench {
  prepare(scale: number): Promise<void>;
  measure(port: number, load: Load, signal: AbortSignal): Promise<Throughput>;
}

/** PostgreSQL's own load generator. @throws what it says when a client of it failed */
export function pgbenchOf(postgresBin: string, server: Pick<Server, 'port' | 'password'>): Pgbench {
  const program = join(postgresBin, 'pgbench');
  const env = { ...process.env, PGPASSWORD: server.password, PGHOST: '127.0.0.1', PGUSER: 'postgres', PGDATABASE: 'postgres' };
  const start = async (args: readonly string[], timeout: number, signal?: AbortSignal): Promise<string> =>
    (await run(program, args, { env, timeout, maxBuffer: OUTPUT_BYTES_MAX, ...(signal && { signal }) })).stdout;
  return {
    async prepare(scale) {
      await start(['-p', String(server.port), '-i', '-q', '-s', String(scale)], START_MS_MAX * 5);
    },
    async measure(port, { workload, clients, seconds }, signal) {
      const args = ['-p', String(port), '-n', '-b', workload, '-c', String(clients), '-j', '2', '-T', String(seconds)];
      const output = await start(args, seconds * 1_000 + START_MS_MAX, signal);
      return {
        tps: figure(output, /^tps = ([\d.]+) \(without initial connection time\)/m),
        transactions: figure(output, /^number of transactions actually processed: (\d+)/m),
        latencyMs: figure(output, /^latency average = ([\d.]+) ms/m),
      };
    },
  };
}

function figure(output: string, pattern: RegExp): number {
  const [, text] = pattern.exec(output) ?? [];
  if (text === undefined) throw new Error(`pgbench said something else than expected:\n${output}`);
  return Number(text);
}
