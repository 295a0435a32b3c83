import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { amcheck, fingerprint, pageProblems } from './postgres/compare.ts';
import { eventually, replicate, TestCluster, type TestMember } from './postgres/harness.ts';

const { signal } = new AbortController();
const others = join(import.meta.dirname, '..', '..', 'tools', 'postgres-versions', 'node_modules');

/** Every supported major version: those of the packages in tools/postgres-versions, Debian's, and the embedded one. */
const majors = [14, 15, 16, 17, 18].map((major) => {
  const candidates = [join(others, `postgres-${major}-${process.arch}`, 'native', 'bin'), `/usr/lib/postgresql/${major}/bin`];
  const bin = candidates.find((candidate) => existsSync(candidate));
  const present = major === 17 || bin !== undefined;
  const why = present
    ? ''
    : ` SKIPPED: neither tools/postgres-versions is installed (npm ci --prefix tools/postgres-versions --ignore-scripts) nor /usr/lib/postgresql/${major}`;
  return { major, present, name: `${major}${why}`, ...(bin === undefined ? {} : { bin }) };
});

describe.each(majors)('PostgreSQL $name', ({ major, bin, present }) => {
  let cluster: TestCluster | undefined;
  afterEach(() => cluster?.[Symbol.asyncDispose]());

  const caughtUp = (primary: TestMember, replica: TestMember) =>
    eventually(
      cluster!.runtime,
      'the replica has it all',
      async () => (await replica.engine.inspect({ signal })).replayLsn === (await primary.engine.inspect({ signal })).position!.lsn,
    );

  test.skipIf(!present && process.env['HOLDFAST_REQUIRE'] !== 'all')(
    'bootstrap, copy, quorum, loss of the primary, rejoin, switchover',
    async () => {
      expect(present, 'HOLDFAST_REQUIRE=all').toBe(true);
      cluster = await TestCluster.open(bin, { initdb: 'run' });
      const [a, b, c] = [await cluster.member('a'), await cluster.member('b'), await cluster.member('c')];
      await replicate(a, [b, c], signal);
      await a.engine.retain([{ node: 'b' }, { node: 'c' }], { signal });
      await a.engine.acknowledge({ k: 1, voters: ['b', 'c'] }, { signal });
      expect((await a.engine.inspect({ signal })).version).toMatch(new RegExp(`^${major}\\.`));
      const client = await a.connect();
      await client.query('create extension amcheck');
      await client.query('create table t (id int primary key); insert into t select generate_series(1, 5000)');
      await client.query('create sequence s; select nextval($$s$$)');
      await caughtUp(a, b);

      // A tail that only the primary has.
      const positions = await Promise.all([b.engine.freeze({ signal }), c.engine.freeze({ signal })]);
      const tail = client.query('insert into t select generate_series(10000, 10100)').catch(() => {});
      await cluster.runtime.clock.sleep(100);
      await a.engine.stop('immediate', { timeoutMs: 0 });
      await tail;
      const [first, second] = positions[0].lsn >= positions[1].lsn ? [b, c] : [c, b];
      const begins = await first.engine.promote({ acknowledge: { k: 1, voters: [second.address.node] }, signal });
      expect(begins).toEqual({ timeline: 2, lsn: expect.any(BigInt) });
      await second.engine.follow(first.address, { signal });
      const writer = await first.connect();
      await writer.query('insert into t values (-1)');
      await expect(a.engine.follow(first.address, { signal })).rejects.toMatchObject({ code: 'ENGINE_DIVERGED' });
      await a.engine.rejoin(first.address, { signal });
      await caughtUp(first, a);
      expect(await fingerprint((options) => a.connect(options))).toEqual(await fingerprint((options) => first.connect(options)));
      const reader = await a.connect();
      expect(await amcheck(reader)).toEqual([]);
      await reader.end();
      await writer.end();

      // Back again, planned: the clean end is on the other side, and the old primary follows without a rejoin.
      await first.engine.checkpoint({ signal });
      const end = await first.engine.stop('clean', { timeoutMs: 10_000 });
      expect(end).toBeDefined();
      expect(await a.engine.freeze({ signal })).toEqual(end);
      expect((await a.engine.promote({ acknowledge: null, signal })).timeline).toBe(3);
      await first.engine.follow(a.address, { signal });
      await second.engine.follow(a.address, { signal });
      await caughtUp(a, first);
      await caughtUp(a, second);
      await first.engine.stop('clean', { timeoutMs: 10_000 });
      expect((await pageProblems(first.data)).problems).toEqual([]);
    },
  );
});
