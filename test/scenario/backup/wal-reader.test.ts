import { readFileSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Client } from 'pg';
import { expect, test } from 'vitest';
import { initRepository, Journal, openRepository } from '../../../src/backup/index.ts';
import { segmentName } from '../../../src/core/lsn.ts';
import type { WalPlace } from '../../../src/core/wal-source.ts';
import { LocalLocation } from '../../../src/storage/adapters/local/local-location.ts';
import { eventually, TestCluster } from '../postgres/harness.ts';

const { signal } = new AbortController();
const password = 'correct horse';
const most = { sizeBytesMax: 64 * 1024 * 1024, signal };

async function slotOf(client: Client) {
  const { rows } = await client.query<{ name: string; kept: string; active: boolean }>(
    `select slot_name as name, restart_lsn - '0/0' as kept, active from pg_replication_slots where slot_name like '%journal%'`,
  );
  return rows.map(({ name, kept, active }) => ({ name, kept: BigInt(kept), active }))[0];
}

test('WAL is read from the files of a server that runs, as it streams it, and a journal of an interval neither stops it nor is stopped for long', async () => {
  await using cluster = await TestCluster.open();
  const a = await cluster.member('a', {}, { journal: { sync: false, others: 0 } });
  await a.engine.bootstrap({ signal });
  await a.engine.startPrimary({ acknowledge: null, signal });
  const client = await a.connect();
  const wal = a.engine.wal!;

  const from: WalPlace = (await wal.moment({ signal })).position;
  const reader = await wal.reader(from, { signal });
  await client.query('create table held (id bigint, filler text)');
  for (let turn = 0; turn < 2; turn++) {
    await client.query(`insert into held select id, repeat(md5(id::text), 20) from generate_series(1, 3000) as id`);
    await client.query('select pg_switch_wal()');
  }
  await client.query(`insert into held values (0, 'last')`);
  const until = (await wal.moment({ signal })).position;
  const { bytes, next } = await reader.read(from, { ...most, until });
  expect({ size: BigInt(bytes.byteLength), next }).toEqual({ size: until.lsn - from.lsn, next: undefined });
  {
    await using stream = await wal.stream(from, { signal });
    for (let at = from.lsn; at < until.lsn;) {
      const event = await stream.next();
      if (event.kind !== 'bytes') throw new Error(event.kind);
      const begin = Number(event.lsn - from.lsn);
      const both = Math.min(event.bytes.byteLength, bytes.byteLength - begin);
      expect(Buffer.compare(event.bytes.subarray(0, both), bytes.subarray(begin, begin + both)), `at ${event.lsn}`).toBe(0);
      at = event.lsn + BigInt(event.bytes.byteLength);
    }
  }

  // Its slot keeps what is not confirmed, with nobody on it; also when it was somebody else's to drop it.
  const slot = await eventually(cluster.runtime, 'the stream has let go', async () => {
    const found = await slotOf(client);
    return found?.active === false && found;
  });
  expect(slot.kept).toBeLessThanOrEqual(from.lsn);
  await reader.confirm(until.lsn, { signal });
  expect((await slotOf(client))!.kept).toBe(until.lsn);
  await reader.confirm(from.lsn, { signal });
  await client.query('select pg_drop_replication_slot($1)', [slot.name]);
  await reader.confirm(until.lsn, { signal });
  expect(await slotOf(client)).toMatchObject({ name: slot.name, active: false });
  // What it has no more is gone, for both.
  await rm(join(a.data, 'pg_wal', segmentName(from.timeline, from.lsn, 16n * 1024n * 1024n)));
  const read = reader.read(from, { ...most, until }).then(() => 'read');
  await expect(read).rejects.toMatchObject({ code: 'ENGINE_WAL_GONE' });
  const streamed = async (): Promise<string> => {
    await using stream = await wal.stream(from, { signal });
    return (await stream.next()).kind;
  };
  await expect(streamed()).rejects.toMatchObject({ code: 'ENGINE_WAL_GONE' });

  const path = join(cluster.directory, 'repository');
  await mkdir(path);
  const location = new LocalLocation('disk', path, cluster.runtime);
  await initRepository(location, { password, kdfCost: { N: 1024, r: 8, p: 1 } }, cluster.runtime, { signal });
  await using repository = await openRepository(location, { password }, cluster.runtime, { signal });
  const ending = new AbortController();
  const journal = new Journal(wal, repository, cluster.runtime, { service: 'orders', intervalMs: 100 });
  const running = journal.run(ending.signal);
  const storedAll = (after: bigint) =>
    eventually(cluster.runtime, 'the journal has all', async () => {
      const { stored, state } = journal.status();
      return state === 'running' && stored !== undefined && stored.lsn >= after && stored;
    });
  const began = await storedAll(1n);
  const { rows } = await client.query('select application_name from pg_stat_replication');
  expect(rows).toEqual([]);

  // A location that hangs has a clean stop wait for nothing; what it does not have is fetched from the server that comes back.
  const { promise: hangs, resolve: goOn } = Promise.withResolvers<void>();
  const put = location.put.bind(location);
  const { promise: isPutting, resolve: putting } = Promise.withResolvers<void>();
  location.put = async (...args) => {
    putting();
    await hangs;
    await put(...args);
  };
  await client.query(`insert into held values (1, 'while it hangs')`);
  await isPutting;
  await client.query(`insert into held values (2, 'while it hangs')`);
  await client.end();
  expect(await a.engine.stop('clean', { timeoutMs: 60_000 })).toBeDefined();
  await a.engine.startPrimary({ acknowledge: null, signal });
  goOn();
  await storedAll((await wal.moment({ signal })).position.lsn);

  // Killed, it goes on where it was.
  process.kill(Number.parseInt(readFileSync(join(a.data, 'postmaster.pid'), 'utf8'), 10), 'SIGKILL');
  await a.engine.stop('immediate', { timeoutMs: 0 });
  await a.engine.startPrimary({ acknowledge: null, signal });
  const again = await a.connect();
  await again.query(`insert into held values (3, 'since')`);
  await again.end();
  const end = await storedAll((await wal.moment({ signal })).position.lsn);
  expect(journal.status()).toMatchObject({ gaps: [], stored: { timeline: began.timeline } });
  expect(end.lsn).toBeGreaterThan(began.lsn);
  ending.abort();
  await running;
});
