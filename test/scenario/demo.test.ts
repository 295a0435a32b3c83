import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { describe, expect, test } from 'vitest';
import type { ClusterStatus, ServiceStatus } from '../../src/api/schema.ts';
import { DemoProcess, holdfast, temporaryDirectory, type DemoFacts, expectNothingLeft } from './demo-process.ts';

async function query<T extends pg.QueryResultRow>(connection: string, sql: string, values: unknown[] = []): Promise<T[]> {
  const client = new pg.Client({ connectionString: connection, connectionTimeoutMillis: 10_000, query_timeout: 10_000 });
  client.on('error', () => {});
  await client.connect();
  try {
    return (await client.query<T>(sql, values)).rows;
  } finally {
    await client.end().catch(() => {});
  }
}

async function status(directory: string): Promise<ServiceStatus> {
  const { stdout } = await holdfast(['status', '--json', '--demo', directory]);
  return (JSON.parse(stdout) as ClusterStatus).services[0]!;
}

async function until<T>(what: string, ask: () => Promise<T | undefined>, timeoutMs = 90_000): Promise<T> {
  let failure: unknown;
  for (const end = performance.now() + timeoutMs; performance.now() < end; await sleep(200)) {
    const answer = await ask().catch((error: unknown) => void (failure = error));
    if (answer !== undefined) return answer;
  }
  throw new Error(`not reached in time: ${what}`, { cause: failure });
}

function leaderOf(facts: DemoFacts, service: ServiceStatus): DemoFacts['members'][number] {
  return facts.members.find((member) => member.name === service.leader)!;
}

describe('demo', () => {
  test('demo --once plays its story: nothing lost, every gap short, whole again, nothing left behind', async () => {
    await using directory = await temporaryDirectory();
    const { code, stdout, stderr } = await holdfast(['demo', '--once', '--json', '--dir', directory.path]);
    expect(stderr).toBe('');
    const result = JSON.parse(stdout) as {
      held: boolean;
      lost: number;
      restore: Record<string, unknown>;
      events: Record<
        string,
        { gapMs: number; acked: number; lost: number; clientErrors: number; leaderBefore: string; leaderAfter: string }
      >;
    };
    expect(result, stdout).toHaveProperty('events');
    expect(Object.keys(result.events)).toEqual(['nodeLost', 'databaseKilled', 'agentStalled', 'switchover']);
    for (const event of Object.values(result.events)) {
      expect(event.lost).toBe(0);
      expect(event.gapMs).toBeLessThan(5_000);
      expect(event.acked).toBeGreaterThan(0);
    }
    expect(result.events['nodeLost']!.leaderAfter).not.toBe(result.events['nodeLost']!.leaderBefore);
    expect(result.events['switchover']!.leaderAfter).not.toBe(result.events['switchover']!.leaderBefore);
    // Every node and one of three locations were lost; back to a moment between two rows.
    expect(result.restore).toMatchObject({ verified: true, location_lost: true });
    expect(result.restore['rtaMs']).toBeGreaterThan(0);
    expect(result.restore['rpaMs']).toBeLessThan(10_000);
    expect(result.restore['rowsAfter']).toBeGreaterThan(0);
    expect(result.held).toBe(true);
    expect(code).toBe(0);
    await expectNothingLeft(directory.path);
  });

  test('a demo that was stopped goes on with its data; its commands work; nothing is left behind', async () => {
    await using directory = await temporaryDirectory();
    {
      await using demo = await DemoProcess.start(directory.path);
      const facts = await demo.facts();
      await query(facts.write, 'create table kept (id int primary key)');
      await query(facts.write, 'insert into kept values (1)');
      expect(await demo.stop('SIGINT')).toBe(0);
      await expectNothingLeft(directory.path);
    }
    await using demo = await DemoProcess.start(directory.path);
    const facts = await demo.facts();
    expect(await query(facts.write, 'select id from kept')).toEqual([{ id: 1 }]);

    // Reads go to a replica, writes to the leader.
    expect(await query(facts.read, 'select pg_is_in_recovery() as replica')).toEqual([{ replica: true }]);
    expect(await query(facts.write, 'select pg_is_in_recovery() as replica')).toEqual([{ replica: false }]);

    // A switchover to a named member.
    const before = await status(directory.path);
    const successor = before.members.find((member) => member.node !== before.leader)!.node;
    const moved = await holdfast(['switchover', 'orders', '--to', successor, '--json', '--demo', directory.path]);
    expect(moved.code, moved.stderr + moved.stdout).toBe(0);
    const after = await until('the successor leads and everybody follows', async () => {
      const now = await status(directory.path);
      return now.leader === successor && now.members.filter((member) => member.state === 'streaming').length === 2 ? now : undefined;
    });
    expect(after.term).toBeGreaterThan(before.term);

    // An agent that is killed and comes back adopts its database: same process, same term. Where it comes back too late another leads, and is tried next.
    const adopted = await until('an adopted database', async () => {
      const whole = await status(directory.path);
      const leader = whole.members.find((member) => member.node === whole.leader);
      if (leader?.pids.agent === undefined || whole.members.filter((member) => member.state === 'streaming').length < 2) return undefined;
      process.kill(leader.pids.agent, 'SIGKILL');
      const now = await until('a new agent', async () => {
        const service = await status(directory.path);
        const member = service.members.find((one) => one.node === leader.node);
        return service.leader !== null && member?.pids.agent !== undefined && member.pids.agent !== leader.pids.agent ? service : undefined;
      });
      const { pids } = now.members.find((member) => member.node === leader.node)!;
      return now.term === whole.term && now.leader === whole.leader ? { before: leader.pids.database, after: pids.database } : undefined;
    });
    expect(adopted.after).toBe(adopted.before);

    // A replica that is made anew; its old data are set aside, not deleted.
    const { leader } = await status(directory.path);
    const replica = after.members.find((member) => member.node !== leader)!.node;
    const anew = await holdfast(['reinit', 'orders', '--node', replica, '--yes', '--json', '--demo', directory.path]);
    expect(anew.code, anew.stderr + anew.stdout).toBe(0);
    await until('the replica streams again', async () =>
      (await status(directory.path)).members.find((member) => member.node === replica)?.state === 'streaming' ? true : undefined,
    );

    // While paused nobody takes over; after that somebody does.
    expect((await holdfast(['pause', 'orders', '--demo', directory.path])).code).toBe(0);
    const paused = await until('paused everywhere', async () =>
      (await status(directory.path)).paused ? status(directory.path) : undefined,
    );
    process.kill(leaderOf(await demo.facts(), paused).pids.postmaster!, 'SIGKILL');
    await sleep(3_000);
    const still = await status(directory.path);
    expect(still.leader).toBeNull();
    expect(still.term).toBe(paused.term);
    expect((await holdfast(['resume', 'orders', '--demo', directory.path])).code).toBe(0);
    await until('a leader', async () => ((await status(directory.path)).leader !== null ? true : undefined));
    expect(await query(facts.write, 'select id from kept')).toEqual([{ id: 1 }]);

    const history = JSON.parse((await holdfast(['history', 'orders', '--json', '--demo', directory.path])).stdout) as { term: number }[];
    expect(history.length).toBeGreaterThanOrEqual(3);
    expect(history.map((entry) => entry.term)).toEqual(history.map((entry) => entry.term).toSorted((a, b) => a - b));

    // Also of an agent that has just died, and of one that is just starting.
    for (const { pids } of (await status(directory.path)).members.slice(0, 2))
      if (pids.agent !== undefined) process.kill(pids.agent, 'SIGKILL');
    expect(await demo.stop('SIGTERM')).toBe(0);
    await expectNothingLeft(directory.path);
  });
});
