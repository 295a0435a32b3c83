import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { formatLsn, parseLsn } from '../../../src/core/lsn.ts';
import { createRuntime } from '../../../src/runtime/index.ts';
import { Agents, query } from '../agents.ts';
import { killProcessesOf, temporaryDirectory } from '../demo-process.ts';
import { hasRestic, Restic } from './restic.ts';
import { startRestored } from './restored.ts';

const program = new URL('../../../bin/holdfast.mjs', import.meta.url).pathname;

/** Runs `holdfast restore`; what it prints as JSON. */
function restore(configFile: string, ...args: string[]): { status: number | null; document: Record<string, unknown> } {
  const { status, stdout } = spawnSync(process.execPath, [program, 'restore', 'orders', '--config', configFile, '--json', ...args], {
    encoding: 'utf8',
    timeout: 120_000,
  });
  return { status, document: JSON.parse(stdout === '' ? '{}' : stdout) as Record<string, unknown> };
}

/** On a busy machine agents fence each other meanwhile, and begin anew. */
const segmentMsMax = 120_000;

interface SmallPart {
  readonly path: string;
  readonly timeline: number;
  readonly start: bigint;
  readonly end: bigint;
}

function smallPartOf(path: string): SmallPart | undefined {
  const [, timeline, start, end] = /([\da-f]{8})\/([\da-f]{16})-([\da-f]{16})$/.exec(path) ?? [];
  if (timeline === undefined) return undefined;
  return { path, timeline: Number.parseInt(timeline, 16), start: BigInt(`0x${start}`), end: BigInt(`0x${end}`) };
}

/**
 * Ends a segment of WAL, and waits until it is stored and the small objects that lay within are gone. @returns of which timeline it is, and where
 * it ends
 */
async function endSegment(agents: Agents, disk: string): Promise<{ timeline: number; end: bigint }> {
  const [row] = await query<{ file: string; size: string; end: string }>(
    agents.write,
    `select pg_walfile_name(lsn - 1) as file, size, (div(lsn - 1 - '0/0', size) + 1) * size as end
       from (select pg_switch_wal() as lsn, pg_size_bytes(current_setting('wal_segment_size')) as size) as s`,
  );
  const end = BigInt(row!.end);
  const begin = end - BigInt(row!.size);
  const timeline = Number.parseInt(row!.file.slice(0, 8), 16);
  let parts: SmallPart[] = [];
  for (const until = performance.now() + segmentMsMax; performance.now() < until; await sleep(200)) {
    // What comes after: so that its part is another one.
    await query(agents.write, `select pg_logical_emit_message(true, 'test', 'more')`).catch(() => {});
    parts = (await readdir(join(disk, 'journal'), { recursive: true })).flatMap((path) => smallPartOf(path) ?? []);
    // Also by a leader that began meanwhile.
    const isStored = parts.some((part) => part.timeline >= timeline && part.start >= end);
    if (isStored && !parts.some((part) => part.timeline === timeline && part.start >= begin && part.end <= end)) return { timeline, end };
  }
  const left = parts.map(({ path }) => path).join(' ');
  throw new Error(`the segment that ends at ${formatLsn(end)} was not folded; there are ${left}\n${await agents.logs()}`);
}

/** Replicas hear how far the journal is, and keep WAL for it from there on. */
async function untilReplicaKeepsNoMoreThan(agents: Agents, replica: string, end: bigint): Promise<void> {
  let kept: { lsn: string }[] = [];
  for (const until = performance.now() + segmentMsMax; performance.now() < until; await sleep(200)) {
    kept = await query<{ lsn: string }>(
      agents.connection(replica),
      `select restart_lsn::text as lsn from pg_replication_slots where slot_name like 'holdfast__journal__%'`,
    ).catch(() => []);
    if (kept.length === 1 && parseLsn(kept[0]!.lsn) >= end) return;
  }
  throw new Error(`${replica} keeps for the journal ${JSON.stringify(kept)}, not from ${formatLsn(end)} on\n${await agents.logs()}`);
}

test(
  'every node and one of two locations are lost: the service comes back from the other one, to the second',
  { timeout: 480_000 },
  async () => {
    await using runtime = createRuntime({ log: { level: 'error' } });
    await using directory = await temporaryDirectory();
    const disks = ['disk1', 'disk2'].map((name) => join(directory.path, name));
    for (const disk of disks) await mkdir(disk);
    const password = join(directory.path, 'copies.password');
    await writeFile(password, randomBytes(24).toString('base64'), { mode: 0o600 });
    // Nothing of it is ended gently.
    await using everything = { [Symbol.asyncDispose]: () => killProcessesOf(directory.path) };
    const agents = await Agents.start({
      directory: join(directory.path, 'cluster'),
      configure: (config) => {
        if (config.services['orders']!['postgres'] === undefined) return;
        config.services['orders']!['backup'] = { to: 'offsite', schedule: '0 3 * * *', journal: '500ms', fold: '1s' };
        config['locations'] = {
          disk1: { path: disks[0] },
          disk2: { path: disks[1] },
          offsite: { mirror: ['disk1', 'disk2'], password: `file:${password}` },
        };
      },
    });
    const { leader } = await agents.whole();
    await query(agents.write, 'create table note (text text primary key)');
    const note = (text: string) => query(agents.write, 'insert into note values ($1)', [text]);
    await note('first');
    // By itself: the schedule is for later, but there is none yet.
    const { copies } = await agents.until('a base backup', (service) => service.copies?.last !== undefined);
    expect((await readdir(join(disks[0]!, 'snapshots'))).length).toBeGreaterThan(0);
    expect(copies).toMatchObject({ node: leader, location: 'offsite', journal: { state: 'running', gaps: 0 }, alarms: [] });
    expect(copies?.parts.map(({ name, state }) => `${name} ${state}`)).toEqual(['offsite ok', 'offsite/disk1 ok', 'offsite/disk2 ok']);
    expect(copies?.journal?.lagMs).toBeLessThan(30_000);
    await note('before the failover');
    const first = await endSegment(agents, disks[1]!);
    await agents.signal(leader!, 'SIGSTOP');
    const { leader: successor } = await agents.until('another leader', (service) => service.leader !== null && service.leader !== leader);
    await agents.until(
      'its care for the copies',
      (service) => service.copies?.node === service.leader && service.copies?.last !== undefined,
    );
    const replica = agents.members.find(({ name }) => name !== leader && name !== successor);
    await note('third');
    const second = await endSegment(agents, disks[1]!);
    await sleep(1_200);
    const to = new Date();
    await sleep(1_200);
    await note('fourth');
    await Promise.all([untilReplicaKeepsNoMoreThan(agents, replica!.name, first.end), sleep(2_000)]);

    await everything[Symbol.asyncDispose]();
    await agents.abandon();
    const { configFile } = agents.members[0]!;
    for (const node of agents.members) await rm(join(dirname(node.configFile), 'data'), { recursive: true, force: true });
    await rm(disks[0]!, { recursive: true });

    if (hasRestic()) {
      const restic = new Restic(disks[1]!, await readFile(password, 'utf8'));
      // Who was killed while it folded has left its lock.
      restic.run('unlock');
      restic.run('check', '--read-data');
      const folded = JSON.parse(restic.run('snapshots', '--tag', 'postgres-wal', '--json')) as { tags: string[] }[];
      for (const { timeline, end } of [first, second]) {
        const own = folded.filter(({ tags }) => tags.includes(`timeline=${timeline}`)).flatMap(({ tags }) => tags);
        const ends = own.filter((tag) => tag.startsWith('end=')).map((tag) => parseLsn(tag.slice('end='.length)));
        expect(Math.max(...ends.map(Number)), own.join(' ')).toBeGreaterThanOrEqual(Number(end));
      }
    }
    const target = join(directory.path, 'restored');
    const tooLate = restore(configFile, '--to', new Date(Date.now() + 3_600_000).toISOString(), '--target', target);
    const hint = expect.stringContaining('Within reach');
    expect(tooLate).toMatchObject({ status: 1, document: { error: { code: 'BACKUP_TARGET_UNREACHABLE', hint } } });
    const atSecond = restore(configFile, '--to', to.toISOString(), '--target', target);
    expect(atSecond).toMatchObject({ status: 0, document: { verified: true, directory: target } });
    expect(await notesIn(target)).toEqual(['before the failover', 'first', 'third']);
    expect(restore(configFile, '--target', target).status).toBe(1);
    const latest = restore(configFile, '--target', target, '--overwrite');
    expect(latest).toMatchObject({ status: 0, document: { verified: true } });
    expect(Number(latest.document['keptBytes'])).toBeGreaterThan(Number(latest.document['writtenBytes']));
    expect(await notesIn(target)).toEqual(['before the failover', 'first', 'fourth', 'third']);

    async function notesIn(data: string): Promise<string[]> {
      await using restored = await startRestored(data, agents.layout.password, runtime);
      const { rows } = await restored.client.query<{ text: string }>('select text from note order by text');
      return rows.map(({ text }) => text);
    }
  },
);
