import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { dropReservations, reserveTimelines } from '../../src/engine/adapters/postgres/reservations.ts';
import { eventually, replicate, TestCluster, versions, type TestMember } from './postgres/harness.ts';
import { account } from './postgres/account.ts';

/* Each promotion is given a timeline number of its own by its caller; here, that PostgreSQL takes it, and that everything goes on working around the gaps. */

const { signal } = new AbortController();

describe.each(versions)('timeline numbers that are given ($name)', ({ bin }) => {
  let cluster: TestCluster;
  afterEach(() => cluster[Symbol.asyncDispose]());

  async function three(): Promise<[TestMember, TestMember, TestMember]> {
    cluster = await TestCluster.open(bin);
    const members: [TestMember, TestMember, TestMember] = [await cluster.member('a'), await cluster.member('b'), await cluster.member('c')];
    await replicate(members[0], members.slice(1), signal);
    return members;
  }

  async function write(member: TestMember, table: string): Promise<void> {
    const client = await member.connect();
    await client.query(`create table ${table} as select generate_series(1, 1000) as id`);
    await client.end();
  }

  async function caughtUp(primary: TestMember, replica: TestMember): Promise<void> {
    const end = (await primary.engine.inspect({ signal })).position!;
    await eventually(cluster.runtime, 'the replica catches up', async () => {
      const { position } = await replica.engine.inspect({ signal });
      return position !== undefined && position.timeline === end.timeline && position.lsn >= end.lsn;
    });
  }

  test('are taken, are followed over the gaps, and are higher than those of a promotion elsewhere', async () => {
    const [a, b, c] = await three();
    await write(a, 'first');
    await caughtUp(a, b);
    await caughtUp(a, c);
    await a.engine.stop('immediate', { timeoutMs: 0 });
    expect((await b.engine.promote({ acknowledge: null, timeline: 5, signal })).timeline).toBe(5);
    await c.engine.follow(b.address, { signal });
    await write(b, 'second');
    await caughtUp(b, c);
    await b.engine.stop('immediate', { timeoutMs: 0 });
    expect((await c.engine.promote({ acknowledge: null, timeline: 6, signal })).timeline).toBe(6);
    await write(c, 'third');
    // The first one, from timeline 1, over all of them.
    await a.engine.follow(c.address, { signal }).catch(() => a.engine.rejoin(c.address, { signal }));
    await write(c, 'fourth');
    await caughtUp(c, a);
    // A member made anew, and what it can become.
    await b.engine.setAside('test');
    await b.engine.provision(c.address, { signal });
    await b.engine.follow(c.address, { signal });
    await caughtUp(c, b);
    await c.engine.stop('immediate', { timeoutMs: 0 });
    expect((await b.engine.promote({ acknowledge: null, timeline: 9, signal })).timeline).toBe(9);
    await a.engine.follow(b.address, { signal });
    await write(b, 'fifth');
    await caughtUp(b, a);
  });

  test('that are lower than the next free one do not matter, and none is taken without', async () => {
    const [a, b, c] = await three();
    await caughtUp(a, b);
    await caughtUp(a, c);
    await a.engine.stop('immediate', { timeoutMs: 0 });
    expect((await b.engine.promote({ acknowledge: null, timeline: 1, signal })).timeline).toBe(2);
    expect((await c.engine.promote({ acknowledge: null, signal })).timeline).toBe(2);
  });

  test('of a promotion that died half way do not keep the replica from starting, following or being promoted', async () => {
    const [a, b, c] = await three();
    await caughtUp(a, b);
    await caughtUp(a, c);
    // What is on the disk when the machine dies between the reservation and the promotion.
    await reserveTimelines(b.data, 7, account);
    await b.engine.stop('immediate', { timeoutMs: 0 });
    await b.engine.follow(a.address, { signal });
    await write(a, 'more');
    await caughtUp(a, b);
    await reserveTimelines(b.data, 7, account);
    await b.engine.stop('immediate', { timeoutMs: 0 });
    await a.engine.stop('immediate', { timeoutMs: 0 });
    expect((await b.engine.promote({ acknowledge: null, timeline: 7, signal })).timeline).toBe(7);
    await c.engine.follow(b.address, { signal });
    await write(b, 'again');
    await caughtUp(b, c);
  });

  test('that were reserved and not used are taken back up to the last real one', async () => {
    const [a, b, c] = await three();
    await caughtUp(a, b);
    await caughtUp(a, c);
    await a.engine.stop('immediate', { timeoutMs: 0 });
    await b.engine.promote({ acknowledge: null, timeline: 4, signal });
    await reserveTimelines(b.data, 8, account);
    await dropReservations(b.data);
    const left = (await readdir(join(b.data, 'pg_wal'))).filter((name) => name.endsWith('.history'));
    expect(left.toSorted((x, y) => (x < y ? -1 : 1))).toEqual(['00000002.history', '00000003.history', '00000004.history']);
    expect(existsSync(join(c.data, 'pg_wal', '00000002.history'))).toBe(false);
  });
});
