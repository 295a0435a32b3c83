import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Client } from 'pg';
import { Journal } from '../../src/backup/journal/journal.ts';
import { listStoredWal } from '../../src/backup/journal/stored-wal.ts';
import { initRepository, openRepository } from '../../src/backup/open/open-repository.ts';
import type { OpenedRepository } from '../../src/backup/open/opened-repository.ts';
import { LocalLocation } from '../../src/storage/adapters/local/local-location.ts';
import { replicate, TestCluster, type TestMember } from '../../test/scenario/postgres/harness.ts';
import { pgbenchOf, type Throughput } from '../router/pgbench.ts';
import { effortPerMb, readEffort } from './effort.ts';
import type { Options } from './options.ts';
import type { Way } from './ways.ts';

export interface Turn extends Throughput {
  readonly round: number;
  readonly way: Way;
  readonly clients: number;
  /** Parts that the journal put meanwhile. */
  readonly parts: number;
  /** Processor time for each MB of WAL: of whoever keeps the journal, and of the server's processes that send to it. */
  readonly keeperMsPerMb: number;
  readonly senderMsPerMb: number;
}

const service = 'orders';
const caughtUpMsMax = 60_000;
const parameters = { shared_buffers: '256MB', max_wal_size: '4GB', checkpoint_timeout: '30min' };

/** One primary and two replicas, of which one acknowledges; the journal comes and goes beside it. */
export async function measureCost(
  options: Options,
  { signal, tell }: { readonly signal: AbortSignal; readonly tell: (line: string) => void },
): Promise<Turn[]> {
  await using cluster = await TestCluster.open(options.postgresBin);
  // What holdfast.yaml says, in each turn.
  const journal = { sync: true, others: 2 };
  const primary = await cluster.member('a', { parameters }, { journal });
  const replicas = [await cluster.member('b', { parameters }), await cluster.member('c', { parameters })];
  await replicate(primary, replicas, signal);
  await primary.engine.countJournal!(false, { signal });
  await primary.engine.acknowledge({ k: 1, voters: ['b', 'c'] }, { signal });
  const path = join(cluster.directory, 'repository');
  await mkdir(path);
  const location = new LocalLocation('disk', path, cluster.runtime);
  const password = 'of a benchmark';
  await initRepository(location, { password }, cluster.runtime, { signal });
  await using repository = await openRepository(location, { password }, cluster.runtime, { signal });
  const server = { port: primary.address.port, password: (await primary.engine.credentials())!['superuser']! };
  const pgbench = pgbenchOf(options.postgresBin, server);
  await pgbench.prepare(options.scale);

  const systemId = (await primary.engine.inspect({ signal })).systemId!;
  const countParts = async (): Promise<number> => (await listStoredWal(repository, { service, systemId }, { signal })).parts.length;

  await using watching = await watch(primary);
  const turns: Turn[] = [];
  const { ways } = options;
  for (let round = 0; round <= options.repetitions; round++) {
    // Each comes first in turn: what runs before leaves its traces in caches and on the disk.
    for (const way of [...ways.slice(round % ways.length), ...ways.slice(0, round % ways.length)]) {
      journal.sync = way === 'sync';
      await using _kept = await keep(way, primary, repository, cluster);
      for (const clients of options.clients) {
        await primary.engine.checkpoint({ signal });
        const [parts, before] = [await countParts(), await readEffort(watching.client)];
        // The first round only warms up.
        const seconds = round === 0 ? Math.ceil(options.seconds / 2) : options.seconds;
        const measured = await pgbench.measure(server.port, { workload: 'tpcb-like', clients, seconds }, signal);
        const effort = effortPerMb(before, await readEffort(watching.client));
        const { latencyMs, tps } = measured;
        tell(`${round}/${options.repetitions} ${way}, ${clients} clients: ${Math.round(tps)} tps, ${latencyMs.toFixed(2)} ms`);
        if (round > 0) turns.push({ round, way, clients, ...measured, ...effort, parts: (await countParts()) - parts });
      }
    }
  }
  return turns;
}

async function watch(primary: TestMember): Promise<AsyncDisposable & { readonly client: Client }> {
  const client = await primary.connect();
  return { client, [Symbol.asyncDispose]: () => client.end() };
}

/** The journal as an agent keeps it, once it has caught up with what was written without it. */
async function keep(way: Way, primary: TestMember, repository: OpenedRepository, cluster: TestCluster): Promise<AsyncDisposable> {
  if (way === 'none') return { [Symbol.asyncDispose]: async () => {} };
  const { clock } = cluster.runtime;
  const stop = new AbortController();
  const { signal } = stop;
  const journal = new Journal(primary.engine.wal!, repository, cluster.runtime, { service, intervalMs: way === 'sync' ? 0 : 1_000 });
  const running = journal.run(signal);
  const { lsn } = (await primary.engine.inspect({ signal })).position!;
  const late = clock.monotonicMs() + caughtUpMsMax;
  while ((journal.status().stored?.lsn ?? 0n) < lsn) {
    if (clock.monotonicMs() > late) throw new Error(`the journal did not catch up: ${journal.status().failure ?? 'it is slow'}`);
    await clock.sleep(20);
  }
  if (way === 'sync') await primary.engine.countJournal!(true, { signal });
  return {
    [Symbol.asyncDispose]: async () => {
      if (way === 'sync') await primary.engine.countJournal!(false, { signal });
      stop.abort();
      await running;
    },
  };
}
