// pgbench straight to a server, and through what may stand before it. `--help` tells the options.
import { chmod, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { serviceAccount } from '../../src/agent/account.ts';
import { freePorts } from '../../test/scenario/servers/server-process.ts';
import { removeDirectory } from '../kit/directory.ts';
import { describeMachine, missingPrograms, versionOf } from '../kit/machine.ts';
import { cpuSeconds } from '../kit/process-usage.ts';
import { help, parseOptions, type Options } from './options.ts';
import { pgbenchOf, workloads } from './pgbench.ts';
import { formatTurns, type Turn } from './report.ts';
import { Server } from './server.ts';
import { missingWays, openWay, type Way, type WayName } from './ways.ts';

process.exitCode = await main();

async function main(): Promise<number> {
  const stop = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => stop.abort(new Error(`ended by ${name}`)));
  try {
    return await measure(stop.signal);
  } catch (error) {
    process.stderr.write(`error: ${error instanceof Error ? error.message : String(error)}\n`);
    return 2;
  }
}

async function measure(signal: AbortSignal): Promise<number> {
  const options = parseOptions();
  if (options === undefined) {
    process.stdout.write(`${help}\n`);
    return 0;
  }
  const { postgresBin, clients } = options;
  const missing = missingPrograms(['postgres', 'initdb', 'pgbench', 'pg_isready'].map((name) => join(postgresBin, name)));
  if (missing.length > 0) throw new Error(`${missing.join(', ')}: not there; apt-get install postgresql-15, or --postgres-bin`);
  const absent = missingWays(options.ways);
  if (absent.length > 0) process.stderr.write(`left out, as it is not installed: ${absent.join(', ')}\n`);

  const names = options.ways.filter((name) => !absent.includes(name));
  const turns = await race(options, names, signal);
  const facts = { at: new Date().toISOString(), machine: await describeMachine(), versions: await versions(postgresBin, names), options };
  process.stdout.write(
    `${workloads.map((workload) => `${workload}, ${clients} clients\n${formatTurns(workload, names, turns)}`).join('\n\n')}\n`,
  );
  if (options.json !== undefined) await writeFile(options.json, `${JSON.stringify({ ...facts, turns }, undefined, 1)}\n`);
  return 0;
}

/** All ways to one server, in turns. */
async function race(options: Options, names: readonly WayName[], signal: AbortSignal): Promise<Turn[]> {
  const { postgresBin, clients, seconds, rounds } = options;
  await using stack = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), 'holdfast-bench-'));
  stack.defer(() => removeDirectory(directory));
  await chmod(directory, 0o711);
  const account = await serviceAccount(undefined, true);
  const server = stack.use(await Server.start({ directory, postgresBin, account }));
  const pgbench = pgbenchOf(postgresBin, server);
  await pgbench.prepare(options.scale);
  const ports = await freePorts(names.length);
  const ways: Way[] = [];
  for (const [index, name] of names.entries())
    ways.push(stack.use(await openWay(name, { directory, server, account, port: ports[index]! })));

  const turns: Turn[] = [];
  for (let round = 1; round <= rounds; round++) {
    for (const workload of workloads) {
      // Each comes first in turn: what runs before leaves its traces in caches and on the disk.
      for (const way of rotated(ways, round)) {
        const before = way.pid === undefined ? 0 : cpuSeconds(way.pid);
        const throughput = await pgbench.measure(way.port, { workload, clients, seconds }, signal);
        const cpu = way.pid === undefined ? undefined : ((cpuSeconds(way.pid) - before) * 1e6) / throughput.transactions;
        turns.push({ round, workload, way: way.name, ...throughput, cpuMicrosPerTransaction: cpu });
        process.stderr.write(`${round}/${rounds} ${workload} ${way.name}: ${Math.round(throughput.tps)} tps\n`);
      }
    }
  }
  return turns;
}

function rotated<T>(list: readonly T[], by: number): T[] {
  const from = by % list.length;
  return [...list.slice(from), ...list.slice(0, from)];
}

async function versions(postgresBin: string, names: readonly WayName[]): Promise<Record<string, string>> {
  return {
    postgres: await versionOf(join(postgresBin, 'postgres'), '--version'),
    ...(names.includes('haproxy') && { haproxy: await versionOf('haproxy', '-v') }),
    ...(names.includes('pgbouncer') && { pgbouncer: await versionOf('pgbouncer', '--version') }),
  };
}
