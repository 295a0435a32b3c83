import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Journal } from '../../../src/backup/journal/journal.ts';
import { WalFiles } from '../../../src/backup/journal/wal-files.ts';
import { restoreFiles } from '../../../src/backup/files/restore/restore.ts';
import { initRepository, openRepository } from '../../../src/backup/open/open-repository.ts';
import { backupBase } from '../../../src/backup/postgres/base.ts';
import { findBases, planRecovery } from '../../../src/backup/postgres/plan.ts';
import { configSchema, open } from '../../../src/engine/adapters/postgres/index.ts';
import { recoverData } from '../../../src/engine/registry.ts';
import { LocalLocation } from '../../../src/storage/adapters/local/local-location.ts';
import { account } from '../postgres/account.ts';
import { eventually, TestCluster } from '../postgres/harness.ts';
import { startRestored } from './restored.ts';

const { signal } = new AbortController();
const service = 'orders';
const password = 'correct horse';
const segmentBytes = 16 * 1024 * 1024;

test('a point in a quiet time after the last record is recovered to; a seat of the journal is taken once', async () => {
  await using cluster = await TestCluster.open();
  const a = await cluster.member('a');
  await a.engine.bootstrap({ signal });
  await a.engine.startPrimary({ acknowledge: null, signal });
  const path = join(cluster.directory, 'repository');
  await mkdir(path);
  const location = new LocalLocation('disk', path, cluster.runtime);
  await initRepository(location, { password, kdfCost: { N: 1024, r: 8, p: 1 } }, cluster.runtime, { signal });
  await using repository = await openRepository(location, { password }, cluster.runtime, { signal });
  const client = await a.connect();
  const startJournal = () => {
    const ending = new AbortController();
    const journal = new Journal(a.engine.wal!, repository, cluster.runtime, { service, intervalMs: 100 });
    const running = journal.run(ending.signal);
    return { journal, stop: () => (ending.abort(), running) };
  };

  const first = startJournal();
  const began = await eventually(cluster.runtime, 'the journal runs', async () => first.journal.status().stored);
  await backupBase(repository, a.engine.base!, cluster.runtime, {
    service,
    host: 'a',
    isJournalled: ({ lsn }) => lsn >= began.lsn,
    signal,
  });
  await client.query(`create table note as select 'last'::text as text, clock_timestamp() as at`);
  const [{ at }] = (await client.query<{ at: Date }>('select at from note')).rows as [{ at: Date }];
  const systemId = (await a.engine.inspect({ signal })).systemId!;

  // Some time later, without anybody having written. One that begins says at once what it sees.
  await sleep(1_000);
  await first.stop();
  const quiet = at.getTime() + 800;
  const { journal, stop } = startJournal();
  const plan = async () => {
    const wal = await WalFiles.open({ repository, service, systemId, segmentBytes }, { signal });
    const bases = await findBases(repository, { service, signal });
    return { wal, plan: await planRecovery(bases, wal, { service, target: { kind: 'time', timeMs: quiet }, signal }) };
  };
  const found = await eventually(cluster.runtime, 'the quiet time is within reach', () => plan().catch(() => undefined));
  await stop();
  const target = join(cluster.directory, 'restored');
  await restoreFiles(repository, await repository.snapshot(found.plan.base.snapshotId, { signal }), { target, signal });
  const recovered = await recoverData(target, cluster.runtime, {
    account,
    target: { kind: 'time', timeMs: quiet },
    timeline: found.plan.timeline,
    fetch: (name) => found.wal.file(name, { signal }),
    signal,
  });
  expect(recovered.lastTransactionMs).toBeLessThan(quiet);
  await using restored = await startRestored(target, (await a.engine.credentials())!['superuser']!, cluster.runtime);
  expect((await restored.client.query('select text from note')).rows).toEqual([{ text: 'last' }]);

  // As the agent of a synchronous journal would have it.
  const config = configSchema.parse({ data: a.data, listen: `127.0.0.1:${a.address.port}` });
  const context = { cluster: 'test', service, node: 'a', stateDir: a.stateDir, account, journal: { sync: true, others: 2 } };
  await using engine = await open(config, context, cluster.runtime);
  await engine.adopt({ signal });
  const from = { timeline: 1, lsn: journal.status().stored!.lsn };
  {
    await using _first = await engine.wal!.stream(from, { signal });
    const { rows } = await client.query(
      `select application_name as name, active from pg_replication_slots join pg_stat_replication on pid = active_pid order by 1`,
    );
    expect(rows).toEqual([
      { name: 'holdfast journal 1', active: true },
      { name: 'holdfast journal 2', active: true },
    ]);
    await expect(engine.wal!.stream(from, { signal })).rejects.toMatchObject({ code: 'ENGINE_UPSTREAM_REFUSED' });
  }
  // What it has not stored is kept for it while it is away; a primary alone does so.
  const slots = async () =>
    (await client.query(`select count(*)::int as n from pg_replication_slots where slot_name like 'holdfast%journal%'`)).rows;
  await eventually(cluster.runtime, 'the seats are free', async () => {
    const [{ n }] = (await client.query('select count(*)::int as n from pg_stat_replication')).rows as [{ n: number }];
    return n === 0;
  });
  await engine.retain([], { signal });
  expect(await slots()).toEqual([{ n: 2 }]);
  await a.engine.retain([], { signal });
  expect(await slots()).toEqual([{ n: 0 }]);
  await client.end();
});
