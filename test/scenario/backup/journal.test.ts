import { existsSync } from 'node:fs';
import { chmod, chown, mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { expect, test } from 'vitest';
import { randomSealingKey } from '../../../src/backup/crypto/seal.ts';
import { Journal } from '../../../src/backup/journal/journal.ts';
import { WalFiles } from '../../../src/backup/journal/wal-files.ts';
import { parseSegmentName } from '../../../src/core/lsn.ts';
import { openBinaries } from '../../../src/engine/adapters/postgres/binaries.ts';
import { MemoryLocation } from '../../../src/storage/adapters/memory/index.ts';
import { account } from '../postgres/account.ts';
import { eventually, replicate, TestCluster, type TestMember } from '../postgres/harness.ts';

const { signal } = new AbortController();
const service = 'orders';
const segmentBytes = 16 * 1024 * 1024;

/** A journal that runs until it is disposed of. */
function startJournal(member: TestMember, location: MemoryLocation, key: ReturnType<typeof randomSealingKey>, cluster: TestCluster) {
  const journal = new Journal(member.engine.wal!, location, key, cluster.runtime, { service, intervalMs: 100 });
  const stop = new AbortController();
  const running = journal.run(stop.signal);
  return Object.assign(journal, {
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await running;
    },
  });
}

async function storedAll(journal: Journal, member: TestMember, cluster: TestCluster): Promise<void> {
  const end = (await member.engine.inspect({ signal })).position!;
  await eventually(cluster.runtime, 'the journal has all', async () => {
    const { stored } = journal.status();
    return stored !== undefined && stored.timeline === end.timeline && stored.lsn >= end.lsn;
  });
}

async function note(member: TestMember, text: string): Promise<Date> {
  const client = await member.connect();
  await client.query('create table if not exists note (text text primary key, at timestamptz default clock_timestamp())');
  const { rows } = await client.query<{ at: Date }>('insert into note (text) values ($1) returning at', [text]);
  await client.end();
  return rows[0]!.at;
}

test('WAL is stored without a hole over a change of leaders, is what the servers have, and brings a copy to a second between two rows', async () => {
  await using cluster = await TestCluster.open();
  const [a, b, copy] = [await cluster.member('a'), await cluster.member('b'), await cluster.member('copy')];
  const key = randomSealingKey();
  const location = new MemoryLocation('memory', cluster.runtime);
  await replicate(a, [b], signal);
  {
    await using journal = startJournal(a, location, key, cluster);
    await eventually(cluster.runtime, 'the journal runs', async () => journal.status().state === 'running');
    await copy.engine.acceptCredentials((await a.engine.credentials())!);
    await copy.engine.provision(a.address, { signal });
    await note(a, 'first');
    const client = await a.connect();
    await client.query('create table bulk as select generate_series(1, 200000) as id, repeat(md5(random()::text), 4) as text');
    await client.end();
    await storedAll(journal, a, cluster);
    // It ends before the leader does: what follows is had from the next one.
  }
  await note(a, 'second');
  await eventually(cluster.runtime, 'the replica has all', async () => {
    const [end, there] = [(await a.engine.inspect({ signal })).position!, (await b.engine.inspect({ signal })).position!];
    return there.lsn >= end.lsn;
  });
  await a.engine.stop('immediate', { timeoutMs: 0 });
  await b.engine.promote({ acknowledge: null, timeline: 5, signal });
  await using journal = startJournal(b, location, key, cluster);
  const third = await note(b, 'third');
  await sleep(1_100);
  await note(b, 'fourth');
  await storedAll(journal, b, cluster);
  expect(journal.status().gaps).toEqual([]);

  const { systemId } = (await b.engine.inspect({ signal })) as { systemId: string };
  const files = await WalFiles.open({ location, key, service, systemId, segmentBytes }, { signal });
  expect(files.newestTimeline).toBe(5);
  await expectSameAs(join(b.data, 'pg_wal'), files, journal.status().stored!.lsn);

  await using restored = await recover(copy, files, cluster, new Date(third.getTime() + 500));
  const { rows } = await restored.client.query<{ text: string }>('select text from note order by at');
  expect(rows.map(({ text }) => text)).toEqual(['first', 'second', 'third']);
  expect((await restored.client.query<{ n: string }>('select count(*) as n from bulk')).rows[0]!.n).toBe('200000');
});

/** Every byte that the server has of what was stored. */
async function expectSameAs(directory: string, files: WalFiles, storedLsn: bigint): Promise<void> {
  let compared = 0;
  for (const name of await readdir(directory)) {
    const segment = parseSegmentName(name, BigInt(segmentBytes));
    if (segment === undefined || segment.timeline !== 5 || segment.lsn >= storedLsn) continue;
    const mine = await files.file(name, { signal });
    const theirs = await readFile(join(directory, name));
    const size = Math.min(segmentBytes, Number(storedLsn - segment.lsn));
    expect(Buffer.compare(Buffer.from(mine!.subarray(0, size)), theirs.subarray(0, size))).toBe(0);
    compared++;
  }
  expect(compared).toBeGreaterThan(0);
}

/** What recovery asks for, as files; then PostgreSQL by itself, to a point in time. */
async function recover(copy: TestMember, files: WalFiles, cluster: TestCluster, to: Date): Promise<{ client: Client } & AsyncDisposable> {
  const archive = join(cluster.directory, 'archive');
  await mkdir(archive, { mode: 0o755 });
  for (const timeline of [1, 5]) {
    const { ancestors } = files.historyOf(timeline);
    for (const owner of [...ancestors.map((ancestor) => ancestor.timeline), timeline]) {
      for (let number = 0; number < 64; number++) {
        const name = [owner, 0, number].map((part) => part.toString(16).toUpperCase().padStart(8, '0')).join('');
        const bytes = await files.file(name, { signal });
        if (bytes !== undefined) await writeFile(join(archive, name), bytes);
      }
    }
    const history = await files.file(`${timeline.toString(16).toUpperCase().padStart(8, '0')}.history`, { signal });
    if (history !== undefined) await writeFile(join(archive, `${timeline.toString(16).toUpperCase().padStart(8, '0')}.history`), history);
  }
  await rm(join(copy.data, 'standby.signal'), { force: true });
  await writeFile(join(copy.data, 'recovery.signal'), '');
  if (account !== undefined) await chown(join(copy.data, 'recovery.signal'), account.uid, account.gid);
  const sockets = join(cluster.directory, 'sockets');
  await mkdir(sockets);
  await chmod(sockets, 0o777);
  const binaries = await openBinaries(undefined, account, cluster.runtime.processes);
  const settings = {
    listen_addresses: '',
    unix_socket_directories: sockets,
    synchronous_standby_names: '',
    primary_conninfo: '',
    primary_slot_name: '',
    restore_command: `cp ${archive}/%f %p`,
    recovery_target_time: to.toISOString().replace('Z', '+00'),
    recovery_target_timeline: '5',
    recovery_target_action: 'promote',
    port: '5999',
  };
  const server = await cluster.runtime.processes.startDetached(
    binaries.program('postgres'),
    ['-D', copy.data, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])],
    { ...(account && { account }), logFile: join(cluster.directory, 'recovery.log') },
  );
  const stop = async (): Promise<void> => {
    cluster.runtime.processes.kill(server.identity, 'SIGQUIT');
    await server.exited;
  };
  try {
    const password = (await copy.engine.credentials())!['superuser']!;
    const client = await eventually(cluster.runtime, 'the copy has recovered', async () => {
      const attempt = new Client({ host: sockets, port: 5999, user: 'postgres', password, database: 'postgres' });
      attempt.on('error', () => {});
      await attempt.connect();
      const { rows } = await attempt.query<{ recovering: boolean }>('select pg_is_in_recovery() as recovering');
      if (!rows[0]!.recovering) return attempt;
      await attempt.end();
      return undefined;
    });
    return {
      client,
      [Symbol.asyncDispose]: async () => {
        await client.end();
        await stop();
      },
    };
  } catch (error) {
    await stop();
    const log = join(cluster.directory, 'recovery.log');
    throw new Error(existsSync(log) ? await readFile(log, 'utf8') : 'no log', { cause: error });
  }
}
