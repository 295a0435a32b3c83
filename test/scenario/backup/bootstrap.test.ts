import { randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import type { ServiceStatus } from '../../../src/api/schema.ts';
import { parseLsn } from '../../../src/core/lsn.ts';
import { Agents, query, type Configuration } from '../agents.ts';
import { killProcessesOf, temporaryDirectory } from '../demo-process.ts';

const journalMs = 250;
/** A moment that is to be told from what was before and after it. */
const betweenMs = 200;

async function until(what: string, reached: () => Promise<boolean>, timeoutMs = 60_000): Promise<void> {
  for (const end = performance.now() + timeoutMs; performance.now() < end; await sleep(100)) if (await reached()) return;
  throw new Error(`not in time: ${what}`);
}

/** Changes what all members have configured; read when their agents start. */
async function configure(agents: Agents, change: (service: Record<string, unknown>) => void): Promise<void> {
  for (const { configFile } of agents.members) {
    const config = parse(await readFile(configFile, 'utf8')) as Configuration;
    change(config.services['orders']!);
    await writeFile(configFile, stringify(config));
  }
}

/** What every member has and knows, and with `store` what they agreed on. */
async function lose(agents: Agents, what: { store: boolean }): Promise<void> {
  for (const { configFile } of agents.members) {
    await rm(join(dirname(configFile), 'data'), { recursive: true, force: true });
    if (what.store) await rm(join(dirname(configFile), 'state'), { recursive: true, force: true });
  }
  if (!what.store) return;
  const { directory } = agents.layout;
  for (const name of await readdir(directory)) if (name.startsWith('coordination.sqlite')) await rm(join(directory, name));
}

async function timeline(agents: Agents): Promise<number> {
  const [now] = await query<{ file: string }>(agents.write, 'select pg_walfile_name(pg_current_wal_lsn()) as file');
  return Number.parseInt(now!.file.slice(0, 8), 16);
}

/** Until a member's account of changed blocks has come to the present timeline: it passes the forks of all that it was restored along. */
async function summarized(agents: Agents, node: string): Promise<void> {
  const wanted = await timeline(agents);
  let found: unknown;
  const look = async (): Promise<boolean> => {
    const asked = query<{ timeline: number }>(
      agents.connection(node),
      'select summarized_tli::int as timeline from pg_get_wal_summarizer_state()',
    );
    found = await asked.then(([state]) => state!.timeline, String);
    return found === wanted;
  };
  await until(`an account of the WAL of timeline ${wanted} by ${node}`, look).catch(async (error: unknown) => {
    throw new Error(`${String(error)}: ${String(found)}\n${await agents.logs()}`);
  });
}

/** Until the copies have all that was written before. */
async function stored(agents: Agents, disk: string): Promise<void> {
  const [now] = await query<{ lsn: string; file: string }>(
    agents.write,
    'select lsn::text, pg_walfile_name(lsn) as file from pg_current_wal_flush_lsn() as lsn',
  );
  const parts = new RegExp(`/${now!.file.slice(0, 8)}/[0-9a-f]{16}-([0-9a-f]{16})$`, 'i');
  await until(`the WAL up to ${now!.lsn} in the copies`, async () => {
    const ends = (await readdir(join(disk, 'journal'), { recursive: true })).map((name) => parts.exec(name)?.[1]);
    return ends.some((end) => end !== undefined && BigInt(`0x${end}`) >= parseLsn(now!.lsn));
  });
}

async function notes(agents: Agents): Promise<string[]> {
  return (await query<{ text: string }>(agents.write, 'select text from note order by text')).map(({ text }) => text);
}

test('three nodes that were lost come back from copies, at a time, on a timeline of their own', { timeout: 300_000 }, async () => {
  await using directory = await temporaryDirectory();
  const disk = join(directory.path, 'disk');
  await mkdir(disk);
  const password = join(directory.path, 'copies.password');
  await writeFile(password, randomBytes(24).toString('base64'), { mode: 0o600 });
  await using everything = { [Symbol.asyncDispose]: () => killProcessesOf(directory.path) };
  const agents = await Agents.start({
    directory: join(directory.path, 'cluster'),
    configure: (config) => {
      const orders = config.services['orders']!;
      if (orders['postgres'] === undefined) return;
      Object.assign(orders['postgres'] as object, { createReplica: ['copies', 'leader'] });
      orders['backup'] = { to: 'disk', schedule: '0 3 * * *', journal: `${journalMs}ms` };
      config['locations'] = { disk: { path: disk, password: `file:${password}` } };
    },
  });
  const restart = (): void => agents.members.forEach(({ name }) => agents.startAgent(name));
  const end = async (): Promise<void> => {
    for (const name of [...agents.members.map((member) => member.name), 'router']) await agents.signal(name, 'SIGKILL');
    await killProcessesOf(directory.path);
    agents.startAgent('router');
  };
  const note = (text: string) => query(agents.write, 'insert into note values ($1)', [text]);

  await agents.whole();
  await query(agents.write, 'create table note (text text primary key)');
  await until('a base backup', async () => (await readdir(join(disk, 'snapshots')).catch(() => [])).length > 0);
  await note('one');
  await sleep(betweenMs);
  const to = new Date().toISOString();
  await sleep(betweenMs);
  await note('two');
  await stored(agents, disk);

  // Everything is gone but the copies.
  await end();
  await lose(agents, { store: true });
  await configure(agents, (orders) => (orders['bootstrap'] = { restore: { to } }));
  restart();
  const first = await agents.whole();
  expect(await notes(agents)).toEqual(['one']);
  const [begun] = await agents.client(first.leader!).history('orders');
  expect(await timeline(agents)).toBe(2);
  // The latter where a slow machine had the leadership renewed between the restore and the first start.
  expect(['restore', 'reclaim']).toContain(begun!.why);
  await note('three');
  await stored(agents, disk);

  // The data are gone again; the store remembers, and what was restored once is not restored again.
  await end();
  await lose(agents, { store: false });
  restart();
  const waiting = ({ members }: ServiceStatus): boolean => members.filter(({ state }) => state === 'waiting').length >= 2;
  await agents.until('members without data', waiting);
  await sleep(2_000);
  expect((await agents.until('still without data', waiting)).leader).toBeNull();
  await end();
  await configure(agents, (orders) => (orders['bootstrap'] = { restore: { to: 'latest' } }));
  restart();
  const second = await agents.whole();
  expect(await notes(agents)).toEqual(['one', 'three']);

  const node = second.members.find(({ role }) => role === 'replica')!.node;
  const client = agents.client(node);
  const data = join(dirname(agents.node(node).configFile), 'data');
  await rename(disk, `${disk}.away`);
  await mkdir(disk);
  await expect(client.reinit('orders', { node, from: 'copies' })).rejects.toMatchObject({ code: 'BACKUP_NO_REPOSITORY' });
  await rm(disk, { recursive: true });
  await rename(`${disk}.away`, disk);
  expect(await readdir(dirname(data))).not.toContainEqual(expect.stringMatching(/^data\.aside/));
  await client.reinit('orders', { node, from: 'copies' });
  await agents.whole();
  expect(await readdir(dirname(data))).toContainEqual(expect.stringMatching(/^data\.aside-.*-reinit$/));
  expect(await everEvent(agents, node, 'member.provision.failed')).toEqual([]);
  expect(await everEvent(agents, node, 'member.provisioned')).toContainEqual(expect.objectContaining({ from: 'copies' }));
  for (const { name } of agents.members) await summarized(agents, name);

  // A new leader that finds no base backup has one made by a replica.
  const snapshots = join(disk, 'snapshots');
  for (const name of await readdir(snapshots)) await rm(join(snapshots, name));
  const { leader: old } = await agents.whole();
  await agents.client(old!).switchover('orders', {});
  const third = await agents.whole();
  await until('a base backup of a replica', async () => (await readdir(snapshots)).length > 0);
  expect(third.leader).not.toBe(old);
  expect(await everEvent(agents, third.leader!, 'backup.base.made')).toEqual([]);
  const others = third.members.filter(({ role }) => role === 'replica');
  const made = await Promise.all(others.map((one) => everEvent(agents, one.node, 'backup.base.made')));
  expect(made.flat()).toHaveLength(1);
  await everything[Symbol.asyncDispose]();
  await agents.abandon();
});

/** What a node has told of something so far. */
async function everEvent(agents: Agents, node: string, kind: string): Promise<unknown[]> {
  const stop = AbortSignal.timeout(1_000);
  const found: unknown[] = [];
  for await (const event of agents.client(node).events({ afterId: 0, signal: stop })) if (event.kind === kind) found.push(event.data);
  return found;
}
