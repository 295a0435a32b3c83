import { mkdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { restoreFiles } from '../../../src/backup/files/restore/restore.ts';
import { Journal } from '../../../src/backup/journal/journal.ts';
import { WalFiles } from '../../../src/backup/journal/wal-files.ts';
import { initRepository, openRepository } from '../../../src/backup/open/open-repository.ts';
import { backupBase } from '../../../src/backup/postgres/base.ts';
import { findBases, planRecovery } from '../../../src/backup/postgres/plan.ts';
import { formatLsn } from '../../../src/core/lsn.ts';
import { configSchema, open } from '../../../src/engine/adapters/postgres/index.ts';
import { recoverData } from '../../../src/engine/registry.ts';
import { LocalLocation } from '../../../src/storage/adapters/local/local-location.ts';
import { account } from '../postgres/account.ts';
import { eventually, replicate, TestCluster, type TestMember } from '../postgres/harness.ts';
import { startRestored } from './restored.ts';

const { signal } = new AbortController();
const service = 'orders';
const password = 'correct horse';
const segmentBytes = 16 * 1024 * 1024;
/** As agents would have it, but for WAL that is kept though nobody needs it. */
const parameters = { wal_keep_size: '0', min_wal_size: '32MB', max_wal_size: '48MB' };
const context = { journal: { sync: false, others: 1 } };

test('a leader that begins while the location is away has all WAL that its journal still needs', { timeout: 240_000 }, async () => {
  await using cluster = await TestCluster.open();
  const { runtime } = cluster;
  const [a, b] = await Promise.all([cluster.member('a', { parameters }, context), cluster.member('b', { parameters }, context)]);
  await replicate(a, [b], signal);
  const path = join(cluster.directory, 'repository');
  await mkdir(path);
  const location = new LocalLocation('disk', path, runtime);
  await initRepository(location, { password, kdfCost: { N: 1024, r: 8, p: 1 } }, runtime, { signal });
  await using repository = await openRepository(location, { password }, runtime, { signal });
  const startJournal = (member: TestMember) => {
    const ending = new AbortController();
    const journal = new Journal(member.engine.wal!, repository, runtime, { service, intervalMs: 50 });
    const running = journal.run(ending.signal);
    return { status: () => journal.status(), stop: () => (ending.abort(), running) };
  };
  const flushed = async (member: TestMember): Promise<bigint> => (await member.engine.inspect({ signal })).position!.lsn;

  const client = await a.connect();
  const first = startJournal(a);
  const began = await eventually(runtime, 'the journal runs', async () => first.status().stored);
  await backupBase(repository, a.engine.base!, runtime, { service, host: 'a', isJournalled: ({ lsn }) => lsn >= began.lsn, signal });
  await client.query('create table note (text text, at timestamptz default clock_timestamp())');
  const known = await eventually(runtime, 'all is stored', async () => {
    const { stored } = first.status();
    return stored !== undefined && stored.lsn >= (await flushed(a)) && stored.lsn;
  });
  const retain = async (journal: bigint) => {
    await a.engine.retain([{ node: 'b', lsn: await flushed(b) }], { signal });
    await b.engine.retain([{ node: 'a', lsn: await flushed(a) }], { journal, signal });
  };
  await retain(known);
  const reader = await b.connect();
  const kept = async () => {
    const { rows } = await reader.query(
      `select restart_lsn::text as lsn from pg_replication_slots where slot_name like 'holdfast%journal%'`,
    );
    return rows;
  };
  expect(await kept()).toEqual([{ lsn: formatLsn(known) }]);
  const retainWithoutJournal = async () => {
    const config = configSchema.parse({ data: b.data, listen: `127.0.0.1:${b.address.port}` });
    await using without = await open(config, { cluster: 'test', service, node: 'b', stateDir: b.stateDir, account }, runtime);
    await without.adopt({ signal });
    await without.retain([], { signal });
  };
  // One that is switched off keeps nothing on a replica either.
  await retainWithoutJournal();
  expect(await kept()).toEqual([]);
  await retain(known);

  // The location is away: nothing is stored any more. Some segments later both have made their checkpoints.
  await rename(path, `${path}.away`);
  const note = async (text: string) => (await client.query<{ at: Date }>('insert into note values ($1) returning at', [text])).rows[0]!.at;
  const times: Date[] = [];
  for (const text of ['one', 'two', 'three', 'four']) {
    times.push(await note(text));
    await client.query('select pg_switch_wal()');
  }
  await note('last');
  const end = await flushed(a);
  expect(end - known).toBeGreaterThan(3n * BigInt(segmentBytes));
  await client.query('checkpoint');
  await eventually(runtime, 'the replica has it all', async () => (await b.engine.inspect({ signal })).replayLsn! >= end);
  await reader.query('checkpoint');
  await retain(known);
  expect(await kept()).toEqual([{ lsn: formatLsn(known) }]);
  await Promise.all([client.end(), reader.end(), first.stop()]);
  await a.engine.stop('immediate', { timeoutMs: 0 });
  await b.engine.freeze({ signal });
  await b.engine.promote({ acknowledge: null, signal });

  const second = startJournal(b);
  await eventually(runtime, 'a location that is away', async () => second.status().state === 'failing');
  await rename(`${path}.away`, path);
  await eventually(runtime, 'the new timeline is stored', async () => {
    const { stored } = second.status();
    return stored !== undefined && stored.timeline > 1 && stored.lsn >= end;
  });
  expect(second.status().gaps).toEqual([]);

  const systemId = (await b.engine.inspect({ signal })).systemId!;
  const bases = await findBases(repository, { service, signal });
  const target = { kind: 'time', timeMs: times[2]!.getTime() + 1 } as const;
  const { wal, plan } = await eventually(runtime, 'a time of the outage is within reach', async () => {
    const stored = await WalFiles.open({ repository, service, systemId, segmentBytes }, { signal });
    return { wal: stored, plan: await planRecovery(bases, stored, { service, target, signal }) };
  });
  await second.stop();
  const stored = second.status().stored!;
  const directory = join(cluster.directory, 'restored');
  await restoreFiles(repository, await repository.snapshot(plan.base.snapshotId, { signal }), { target: directory, signal });
  const fetch = (name: string) => wal.file(name, { signal });
  await recoverData(directory, runtime, { account, target, timeline: plan.timeline, fetch, signal });
  await using restored = await startRestored(directory, (await b.engine.credentials())!['superuser']!, runtime);
  const { rows } = await restored.client.query<{ text: string }>('select text from note order by at');
  expect(rows.map(({ text }) => text)).toEqual(['one', 'two', 'three']);

  // Nobody has kept it: what is missing is told, and the journal goes on.
  await retainWithoutJournal();
  const leader = await b.connect();
  for (let n = 0; n < 2; n += 1) await leader.query(`select pg_logical_emit_message(true, 'test', 'more'), pg_switch_wal()`);
  await leader.query('checkpoint');
  await leader.end();
  const third = startJournal(b);
  const { gaps } = await eventually(runtime, 'the journal goes on', async () => {
    const status = third.status();
    return status.state === 'running' && status.gaps.length > 0 && status;
  });
  await third.stop();
  expect(gaps).toMatchObject([{ timeline: stored.timeline, start: stored.lsn }]);
});
