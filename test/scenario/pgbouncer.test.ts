import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import pg from 'pg';
import type { ServiceStatus } from '../../src/api/schema.ts';
import { Agents, query } from './agents.ts';
import { processesOf, temporaryDirectory, expectNothingLeft } from './demo-process.ts';
import { psqlProgram, reachedByLibpq } from './libpq-hosts.ts';
import { PooledLoad } from './pooled-load.ts';
import { documentedHaproxy, Haproxy, haproxyProgram } from './servers/haproxy.ts';
import { Pgbouncer, pgbouncerProgram } from './servers/pgbouncer.ts';
import { freePorts } from './servers/server-process.ts';

const lacks = [pgbouncerProgram, haproxyProgram, psqlProgram].includes(undefined);

describe.skipIf(lacks)('three nodes, their PgBouncer and HAProxy driven by agents, and libpq (needs pgbouncer, haproxy, psql)', () => {
  const resources = new AsyncDisposableStack();
  let agents: Agents;
  let pgbouncer: Pgbouncer;
  let haproxyPort: number;
  let directory: string;

  beforeAll(async () => {
    directory = resources.use(await temporaryDirectory()).path;
    const [port, writePort, readPort] = (await freePorts(3)) as [number, number, number];
    haproxyPort = writePort;
    const socket = join(directory, 'haproxy.sock');
    const configuration = await documentedHaproxy({ socket, write: writePort, read: readPort });
    resources.use(await Haproxy.start(join(directory, 'haproxy.cfg'), configuration, writePort));
    // The cluster takes the password that it finds.
    const password = randomBytes(12).toString('hex');
    await writeFile(join(directory, 'password'), password, { mode: 0o600 });
    pgbouncer = await Pgbouncer.prepare(join(directory, 'pgbouncer'), port, password);
    agents = resources.use(
      await Agents.start({
        directory,
        configure: (config, node) => {
          const service = config.services['orders']!;
          if (node.name === 'node1') service['router'] = { haproxy: { socket, write: 'orders_write', read: 'orders_read' } };
          if (node.databasePort !== undefined) return;
          const place = join(directory, 'pgbouncer');
          const settings = {
            console: `127.0.0.1:${port}`,
            password: `file:${join(place, 'console.secret')}`,
            file: join(place, 'databases.ini'),
            write: 'orders',
            read: 'orders-ro.1',
            database: 'postgres',
            parameters: { pool_size: '8' },
            drain: '1500ms',
            stale: '500ms',
          };
          service['router'] = { pgbouncer: settings };
        },
      }),
    );
    await agents.whole();
    resources.use(pgbouncer);
    // Its file was made by the agent: it would not start without.
    await pgbouncer.start();
    await agents.until('the router does as told', (service) => isObeyed(service));
    await query(pgbouncer.connection('orders'), 'create table held (id int primary key)');
    await query(pgbouncer.connection('orders'), 'create table tally (client int primary key, n int)');
  }, 120_000);

  afterAll(async () => {
    await resources.disposeAsync();
    await expectNothingLeft(directory);
  }, 60_000);

  const isObeyed = (service: ServiceStatus): boolean =>
    service.leader !== null &&
    service.routers.length === 2 &&
    service.routers.every((router) => router.term === service.term && router.problem === undefined && !router.holding);
  const problemOf = (service: ServiceStatus): string => service.routers.find(({ kind }) => kind === 'pgbouncer')?.problem ?? '';
  const whole = async (): Promise<ServiceStatus> => {
    await agents.whole();
    return agents.until('the router does as told', isObeyed);
  };
  const portAt = async (connection: string): Promise<number> =>
    (await query<{ port: number }>(connection, 'select inet_server_port() as port'))[0]!.port;
  const portOf = (database: string): Promise<number> => portAt(pgbouncer.connection(database));
  /** All ways lead to the leader. */
  const expectLeader = async (leader: string): Promise<void> => {
    const { databasePort } = agents.node(leader);
    expect(await portOf('orders')).toBe(databasePort);
    expect(await portAt(agents.write.replace(String(agents.layout.writePort), String(haproxyPort)))).toBe(databasePort);
    for (const attributes of ['read-write', 'primary']) expect(await reachedByLibpq(agents, attributes)).toBe(leader);
    for (const attributes of ['prefer-standby', 'standby']) expect(await reachedByLibpq(agents, attributes)).not.toBe(leader);
  };
  const expectNothingLost = async (load: PooledLoad): Promise<void> => {
    const rows = await query<{ id: number }>(pgbouncer.connection('orders'), 'select id from held');
    const found = new Set(rows.map((row) => row.id));
    expect(load.acked.filter((id) => !found.has(id))).toEqual([]);
    // The next load counts from one again.
    await query(pgbouncer.connection('orders'), 'truncate held');
  };

  test('three switchovers under load: no client sees an error, nothing is lost', async () => {
    const load = new PooledLoad(pgbouncer.connection('orders'), 8);
    const leaders = new Set<string>();
    try {
      for (let round = 0; round < 3; round++) {
        const before = await whole();
        leaders.add(before.leader!);
        await load.more(50);
        await agents.client('router').switchover('orders', {});
        const after = await whole();
        expect(after.leader).not.toBe(before.leader);
        await load.more(50);
        await expectLeader(after.leader!);
        expect(load.errors).toEqual([]);
      }
    } finally {
      await load[Symbol.asyncDispose]();
    }
    await expectNothingLost(load);
    expect(leaders.size).toBeGreaterThan(1);
  });

  test('a transaction that does not end holds a switchover up for its time, and alone sees an error', async () => {
    await whole();
    const load = new PooledLoad(pgbouncer.connection('orders'), 4);
    const stubborn = new pg.Client({ connectionString: pgbouncer.connection('orders') });
    const endings: string[] = [];
    stubborn.on('error', (error) => endings.push(error.message));
    try {
      await stubborn.connect();
      await stubborn.query('begin');
      await load.more(20);
      await agents.client('router').switchover('orders', {});
      await whole();
      await load.more(20);
      await expect(stubborn.query('select 1')).rejects.toThrow();
      expect(load.errors).toEqual([]);
    } finally {
      void stubborn.end().catch(() => {});
      await load[Symbol.asyncDispose]();
    }
    await expectNothingLost(load);
  });

  test('the leader killed: clients reach the next one, nothing acknowledged is lost; readers reach replicas', async () => {
    const before = await whole();
    const load = new PooledLoad(pgbouncer.connection('orders'), 8);
    try {
      await load.more(50);
      const { pids } = agents.member(before, before.leader!);
      for (const pid of [pids.agent, pids.guard, pids.database]) process.kill(pid!, 'SIGKILL');
      const after = await agents.until('another leads', (service) => service.leader !== null && service.leader !== before.leader);
      await load.more(50);
      expect(await portOf('orders')).toBe(agents.node(after.leader!).databasePort);
      expect(await reachedByLibpq(agents, 'read-write')).toBe(after.leader);
    } finally {
      await load[Symbol.asyncDispose]();
    }
    await expectNothingLost(load);
    agents.startAgent(before.leader!);
    const { leader } = await whole();
    await expectLeader(leader!);
    const replicas = agents.members.filter(({ name }) => name !== leader).map(({ databasePort }) => databasePort);
    await expect.poll(() => portOf('orders-ro.1'), { timeout: 30_000 }).toBeOneOf(replicas);
  });

  test('the leader frozen, as a machine that is gone: its clients do not hang with it', async () => {
    const before = await whole();
    const load = new PooledLoad(pgbouncer.connection('orders'), 4);
    const place = join(directory, before.leader!);
    try {
      await load.more(20);
      // Every process there: none is left to end the others' connections.
      const frozen = (await processesOf(place)).map((line) => Number.parseInt(line, 10));
      const { pids } = agents.member(before, before.leader!);
      for (const pid of new Set([pids.guard!, pids.agent!, ...frozen])) process.kill(pid, 'SIGSTOP');
      await agents.until('another leads', (service) => service.leader !== null && service.leader !== before.leader);
      await load.more(20, 15_000);
      const { routers } = (await agents.status())!;
      expect(routers.find(({ kind }) => kind === 'pgbouncer')!.cutTotal).toBeGreaterThan(0);
      for (const pid of new Set([pids.guard!, pids.agent!, ...frozen])) process.kill(pid, 'SIGKILL');
    } finally {
      await load[Symbol.asyncDispose]();
    }
    await expectNothingLost(load);
    agents.startAgent(before.leader!);
    await whole();
  });

  test('a PgBouncer that starts again, one that an agent left paused, and an agent that starts again', async () => {
    const { leader } = await whole();
    await pgbouncer.stop();
    await agents.until('it is missed', (service) => /does not answer/.test(problemOf(service)));
    expect((await agents.status())!.warnings.join(' ')).toMatch(/router on router \(pgbouncer\): PgBouncer does not answer/);
    await pgbouncer.start();
    expect(await portOf('orders')).toBe(agents.node(leader!).databasePort);
    await agents.until('it is found', isObeyed);

    // One that stands still holds a switchover up for as long as it may take, and no longer.
    pgbouncer.signal('SIGSTOP');
    await agents.client('router').switchover('orders', {});
    await agents.until('it is missed', (service) => service.leader !== leader && /did not answer/.test(problemOf(service)));
    pgbouncer.signal('SIGCONT');
    const moved = await whole();
    await expectLeader(moved.leader!);

    await agents.signal('router', 'SIGKILL');
    await pgbouncer.ask('PAUSE "orders"');
    expect(await pgbouncer.isPaused('orders')).toBe(true);
    agents.startAgent('router');
    await expect.poll(() => pgbouncer.isPaused('orders'), { timeout: 40_000 }).toBe(false);
    expect(await readFile(pgbouncer.file, 'utf8')).toContain(`; term ${moved.term}\n`);
    expect(await portOf('orders')).toBe(agents.node(moved.leader!).databasePort);
  });
});
