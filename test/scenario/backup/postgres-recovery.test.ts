import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readFile, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { restoreFiles } from '../../../src/backup/files/restore/restore.ts';
import { foldJournal } from '../../../src/backup/journal/fold.ts';
import { Journal } from '../../../src/backup/journal/journal.ts';
import { WalFiles } from '../../../src/backup/journal/wal-files.ts';
import { parseSegmentName } from '../../../src/core/lsn.ts';
import { recover } from '../../../src/engine/adapters/postgres/recover.ts';
import type { WalPosition } from '../../../src/backup/journal/coverage.ts';
import { initRepository, openRepository } from '../../../src/backup/open/open-repository.ts';
import type { OpenedRepository } from '../../../src/backup/open/opened-repository.ts';
import { backupBase, type BaseOptions, type BaseResult } from '../../../src/backup/postgres/base.ts';
import { findBases, planRecovery } from '../../../src/backup/postgres/plan.ts';
import type { RecoveryTarget } from '../../../src/core/recovery-target.ts';
import { LocalLocation } from '../../../src/storage/adapters/local/local-location.ts';
import { account } from '../postgres/account.ts';
import { startRestored } from './restored.ts';
import { Restic } from './restic.ts';
import { eventually, replicate, TestCluster, type TestMember } from '../postgres/harness.ts';

const { signal } = new AbortController();
const service = 'orders';
const password = 'correct horse';
const segmentBytes = 16 * 1024 * 1024;

/** What docs/backup.md needs to get at the journal without Holdfast. */
const strangersTools =
  process.env['HOLDFAST_REQUIRE'] === 'all' ||
  [
    ['python3', '--version'],
    ['openssl', 'version'],
    ['zstd', '--version'],
  ].every(([name, word]) => spawnSync(name!, [word!]).status === 0);

/** A journal that runs until it is disposed of. */
function startJournal(member: TestMember, repository: OpenedRepository, cluster: TestCluster) {
  const journal = new Journal(member.engine.wal!, repository, cluster.runtime, { service, intervalMs: 100 });
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

test(`a base of a replica and the journal bring a database to a second between two rows, over a change of leaders${strangersTools ? '' : ' (skipped: what the script of docs/backup.md does, as python3, openssl or zstd is not installed)'}`, async () => {
  await using cluster = await TestCluster.open();
  const [a, b] = [await cluster.member('a'), await cluster.member('b')];
  const path = join(cluster.directory, 'repository');
  await mkdir(path);
  const location = new LocalLocation('disk', path, cluster.runtime);
  await initRepository(location, { password, kdfCost: { N: 1024, r: 8, p: 1 } }, cluster.runtime, { signal });
  await using repository = await openRepository(location, { password }, cluster.runtime, { signal });
  await replicate(a, [b], signal);
  const before = new Date();
  {
    await using journal = startJournal(a, repository, cluster);
    const began = await eventually(cluster.runtime, 'the journal runs', async () => journal.status().stored);
    await note(a, 'first');
    const client = await a.connect();
    await client.query('create table bulk as select generate_series(1, 100000) as id, repeat(md5(random()::text), 4) as text');
    const tooEarly = backup(repository, b, cluster, ({ lsn }) => lsn >= journal.status().stored!.lsn);
    await expect(tooEarly).rejects.toMatchObject({ code: 'BACKUP_BASE_TOO_EARLY' });
    await a.engine.checkpoint({ signal });
    // Written while its file is read.
    const writing = client.query('update bulk set text = text || id');
    // As soon as the replica has replayed that checkpoint.
    const isJournalled = ({ lsn }: WalPosition): boolean => lsn >= began.lsn;
    const { facts, isComplete } = await eventually(cluster.runtime, 'a base', () => backup(repository, b, cluster, isJournalled));
    await writing;
    await client.end();
    expect(isComplete).toBe(true);
    expect(facts.start.timeline).toBe(1);
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
  await using journal = startJournal(b, repository, cluster);
  const third = await note(b, 'third');
  await sleep(1_100);
  await note(b, 'fourth');
  await makeRestorePoint(b, 'before the second base');
  await storedAll(journal, b, cluster);
  expect(journal.status().gaps).toEqual([]);

  const systemId = (await b.engine.inspect({ signal })).systemId!;
  // The server goes on: what is stored after it was looked for is not compared.
  const { lsn: storedLsn } = journal.status().stored!;
  const wal = await WalFiles.open({ repository, service, systemId, segmentBytes }, { signal });
  expect(wal.newestTimeline).toBe(5);
  await expectSameAs(join(b.data, 'pg_wal'), wal, storedLsn);

  // Folded, every segment is a file that restic restores; who reads meanwhile finds it there.
  const fold = () => foldJournal(repository, cluster.runtime, { service, systemId, segmentBytes, host: 'test', signal });
  expect((await fold()).segments).toBeGreaterThan(1);
  expect((await fold()).removed).toBeGreaterThan(1);
  await expectSameAs(join(b.data, 'pg_wal'), wal, storedLsn);
  const files = join(cluster.directory, 'wal-by-restic');
  const { folded } = (await WalFiles.open({ repository, service, systemId, segmentBytes }, { signal })).stored;
  for (const one of folded) new Restic(path, password).run('restore', one.snapshot.id, '--target', files);
  let compared = 0;
  for (const name of (await readdir(files)).filter((one) => existsSync(join(b.data, 'pg_wal', one)))) {
    expect((await readFile(join(files, name))).equals(await readFile(join(b.data, 'pg_wal', name)))).toBe(true);
    compared += 1;
  }
  expect(compared).toBeGreaterThan(0);

  if (strangersTools) await expectSameByHand(path, files, wal, { timeline: 5, lsn: storedLsn });

  const bases = await findBases(repository, { service, signal });
  const plan = (target: RecoveryTarget) => planRecovery(bases, wal, { service, target, signal });
  const refused = expect.objectContaining({ code: 'BACKUP_TARGET_UNREACHABLE', hint: expect.stringContaining('Within reach') });
  await expect(plan({ kind: 'time', timeMs: before.getTime() })).rejects.toEqual(refused);
  await expect(plan({ kind: 'time', timeMs: Date.now() + 3_600_000 })).rejects.toEqual(refused);
  await expect(plan({ kind: 'lsn', lsn: wal.reach(bases[0]!.facts.start, 5).reached.lsn + 1n })).rejects.toEqual(refused);
  const to = new Date(third.getTime() + 500);
  const { base, timeline } = await plan({ kind: 'time', timeMs: to.getTime() });
  expect(timeline).toBe(5);

  const order = {
    account,
    target: { kind: 'time', timeMs: to.getTime() },
    timeline,
    fetch: (name: string) => wal.file(name, { signal }),
    signal,
  } as const;

  // By restic and psql alone, but for the WAL; and by Holdfast: the same files.
  const restic = join(cluster.directory, 'by-restic');
  new Restic(path, password).run('restore', base.snapshotId, '--target', restic);
  const target = join(cluster.directory, 'by-holdfast');
  const snapshot = await repository.snapshot(base.snapshotId, { signal });
  expect(await restoreFiles(repository, snapshot, { target, verify: true, signal })).toMatchObject({ issueCount: 0 });
  expect(spawnSync('diff', ['-r', restic, target]).status).toBe(0);
  // Whoever asks for WAL that can not be read is not to take it for the end.
  const broken = recover(target, cluster.runtime, { ...order, fetch: () => Promise.reject(new Error('the location is away')) });
  await expect(broken).rejects.toThrow('the location is away');
  const never = recover(target, cluster.runtime, { ...order, target: { kind: 'name', name: 'never made' } });
  await expect(never).rejects.toMatchObject({ code: 'ENGINE_TARGET_NOT_REACHED' });
  await rm(target, { recursive: true });
  await restoreFiles(repository, snapshot, { target, signal });
  const recovered = await recover(target, cluster.runtime, order);
  expect(recovered.lastTransactionMs).toBeGreaterThanOrEqual(third.getTime());
  expect(recovered.lastTransactionMs).toBeLessThan(to.getTime());
  expect(recovered.timeline).toBe(6);
  {
    await using restored = await startRestored(target, (await b.engine.credentials())!['superuser']!, cluster.runtime);
    const { rows } = await restored.client.query<{ text: string }>('select text from note order by at');
    expect(rows.map(({ text }) => text)).toEqual(['first', 'second', 'third']);
    const [sum] = (await restored.client.query(`select count(*) as n, count(*) filter (where text like '%' || id) as right from bulk`))
      .rows;
    expect(sum).toEqual({ n: '100000', right: '100000' });
  }

  // A second one reads what was touched, and stores what is new.
  const again = await backup(repository, b, cluster);
  expect(again.facts.start.timeline).toBe(5);
  expect(again.summary.filesUnmodified).toBeGreaterThan(again.summary.filesChanged + again.summary.filesNew);

  // A name leads to the base before its restore point, however many came since.
  await makeRestorePoint(b, 'after it');
  await storedAll(journal, b, cluster);
  await wal.refresh({ signal });
  const byName = async (name: string) =>
    (await planRecovery(await findBases(repository, { service, signal }), wal, { service, target: { kind: 'name', name }, signal })).base
      .snapshotId;
  expect([await byName('before the second base'), await byName('after it')]).toEqual([base.snapshotId, again.snapshot.id]);
  await expect(byName('never made')).rejects.toEqual(refused);
  await makeRestorePoint(b, 'after it');
  await storedAll(journal, b, cluster);
  await wal.refresh({ signal });
  await expect(byName('after it')).rejects.toMatchObject({ code: 'BACKUP_TARGET_AMBIGUOUS', hint: expect.stringMatching(/: \S+, \S+\.$/) });
});

async function makeRestorePoint(member: TestMember, name: string): Promise<void> {
  const client = await member.connect();
  await client.query('select pg_create_restore_point($1)', [name]);
  // It is flushed with the next commit, not by itself.
  await client.query(`select pg_logical_emit_message(true, 'test', '')`);
  await client.end();
}

async function backup(
  repository: OpenedRepository,
  member: TestMember,
  cluster: TestCluster,
  isJournalled: NonNullable<BaseOptions['isJournalled']> = () => true,
): Promise<BaseResult> {
  return await backupBase(repository, member.engine.base!, cluster.runtime, { service, host: 'b', isJournalled, signal });
}

/**
 * The script of docs/backup.md adds to the folded WAL in `files` what is not folded: the same files as Holdfast itself would give recovery.
 * @param until what was stored when the server was last looked at
 */
async function expectSameByHand(repository: string, files: string, wal: WalFiles, until: WalPosition): Promise<void> {
  const page = await readFile(new URL('../../../docs/backup.md', import.meta.url), 'utf8');
  const [, script = ''] = /```python\n(import base64[\s\S]*?)```/.exec(page) ?? [];
  const masterKey = new Restic(repository, password).run('cat', 'masterkey');
  const journal = join(repository, 'journal', service);
  const [systemId] = await readdir(journal);
  const args = ['-c', script, join(journal, systemId!), files, String(segmentBytes)];
  const { status, stdout, stderr } = spawnSync('python3', args, { input: masterKey, encoding: 'utf8', timeout: 60_000 });
  expect([status, stderr, stdout]).toEqual([0, '', expect.stringMatching(/^from \S+\ntimeline 5 up to \S+\n$/)]);
  const names = (await readdir(files)).toSorted();
  expect(names).toContain('00000005.history');
  expect(new Set(names.filter((name) => name.length === 24).map((name) => name.slice(0, 8)))).toEqual(new Set(['00000001', '00000005']));
  let comparedBytes = 0;
  for (const name of names) {
    const mine = Buffer.from((await wal.file(name, { signal }))!);
    const segment = parseSegmentName(name, BigInt(segmentBytes));
    const isLast = segment?.timeline === until.timeline && segment.lsn + BigInt(segmentBytes) > until.lsn;
    const size = isLast ? Number(until.lsn - segment.lsn) : mine.byteLength;
    expect((await readFile(join(files, name))).subarray(0, size).equals(mine.subarray(0, size)), name).toBe(true);
    comparedBytes += size;
  }
  expect(comparedBytes).toBeGreaterThan(segmentBytes);
}

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
