import { beforeEach, describe, expect, test } from 'vitest';
import { HoldfastError } from '../../src/core/errors.ts';
import { forceFailover, reinit, restart, switchover } from '../../src/failover/operate.ts';
import { leadershipSchema, type LeadershipRecord } from '../../src/failover/records.ts';
import type { SimulatedNode } from './node.ts';
import { service } from './node.ts';
import { Clients } from './clients.ts';
import { describe as describeWorld, isWell } from './run.ts';
import type { Engine } from '../../src/engine/engine.ts';
import { recordBytes } from './postgres/wal.ts';
import { engineWith, faithful } from './variation.ts';
import { World, type WorldOptions } from './world.ts';

/* Situations that once went wrong, or easily could: each is led up to step by step, in simulated time, with the real members. */

interface Stage {
  readonly world: World;
  readonly clients: Clients;
  readonly record: () => LeadershipRecord;
  readonly leader: () => SimulatedNode;
  readonly replicas: () => SimulatedNode[];
  /** Lets time pass until something is so. */
  readonly until: (what: string, condition: () => boolean, limitMs?: number) => Promise<void>;
  readonly pass: (ms: number) => Promise<void>;
  readonly well: () => Promise<void>;
}

async function stage(options: Partial<WorldOptions> = {}): Promise<Stage> {
  const world = new World({ seed: 1, members: 3, policy: {}, ...options });
  const clients = new Clients(world);
  const record = (): LeadershipRecord => leadershipSchema.parse(JSON.parse(world.store.get(`services/${service}/leadership`)!.value));
  const check = (): void => {
    if (world.observer.violation !== undefined) throw world.observer.violation;
  };
  const until = async (what: string, condition: () => boolean, limitMs = 20_000): Promise<void> => {
    const endMs = world.time.nowMs + limitMs;
    while (!condition()) {
      if (world.time.nowMs > endMs) expect.fail(`${what}: not within ${limitMs} ms; ${describeWorld(world)}\n${world.trace.text(120)}`);
      await world.time.advance(5);
      check();
    }
  };
  const pass = async (ms: number): Promise<void> => {
    await world.time.advance(ms);
    check();
  };
  const well = (): Promise<void> => until('all is well', () => isWell(world), 60_000);
  world.start();
  clients.start();
  await well();
  const leader = (): SimulatedNode => world.node(record().leader);
  const replicas = (): SimulatedNode[] => world.nodes.filter((node) => node.name !== record().leader);
  return { world, clients, record, leader, replicas, until, pass, well };
}

function cut(world: World, ...ways: readonly [from: string, to: string][]): () => void {
  for (const [from, to] of ways) world.network.way(from, to).open = false;
  return () => {
    for (const [from, to] of ways) world.network.way(from, to).open = true;
  };
}

function both(a: string, b: string): [string, string][] {
  return [
    [a, b],
    [b, a],
  ];
}

const minority = { policy: { acknowledge: 0, ttlMs: 2_000 } };

describe('promises', () => {
  test('that are asked for by two candidates at once leave a member free again', async () => {
    const { world, record, replicas, well } = await stage();
    const [one, other] = replicas() as [SimulatedNode, SimulatedNode];
    const ask = (term: number) =>
      other.agent!.network.request(
        one.name,
        'fence',
        { service, mode: 'promise', term, leader: record().leader, leaderTerm: record().term, forced: true },
        { timeoutMs: 1_000 },
      );
    const asked = Promise.allSettled([ask(20), ask(21), ask(22)]);
    await world.time.advance(2_000);
    await asked;
    expect(one.agent!.member.occupiedBy).toBeUndefined();
    await well();
    expect(record().term).toBeGreaterThan(22);
  });

  test('asked for the same term by two candidates are given to one of them', async () => {
    const { world, record, replicas } = await stage();
    const [one, other] = replicas() as [SimulatedNode, SimulatedNode];
    one.disk.writeMsMax = 50;
    const request = { service, mode: 'promise', term: 20, leader: record().leader, leaderTerm: record().term, forced: true };
    const answers = Promise.all([
      other.agent!.network.request(one.name, 'fence', request, { timeoutMs: 3_000 }),
      world.node(record().leader).agent!.network.request(one.name, 'fence', request, { timeoutMs: 3_000 }),
    ]);
    await world.time.advance(3_000);
    expect((await answers).map((answer) => (answer as { granted: boolean }).granted).filter(Boolean)).toHaveLength(1);
  });

  test('that can not be written are not given, and a full disk stops nothing else', async () => {
    const { world, record, replicas, leader, until, well } = await stage();
    for (const node of replicas()) node.disk.full = true;
    leader().crash('on');
    await world.time.advance(5_000);
    expect(record().term).toBe(1);
    for (const node of replicas()) node.disk.full = false;
    await until('another leads', () => record().term > 1);
    world.nodes.forEach((node) => node.restart());
    await well();
  });

  test('that could not be written bind nobody: replicas whose disks were full for a moment follow again', async () => {
    const { world, leader, replicas, until, well } = await stage();
    for (const node of replicas()) {
      node.disk.full = true;
      cut(world, [leader().name, node.name]);
    }
    const [one] = replicas() as [SimulatedNode];
    await until('it tried to promise', () => one.agent!.member.fault.includes('no space left'));
    world.network.heal();
    for (const node of replicas()) node.disk.full = false;
    await well();
  });

  test('are known before anybody is answered and anything is written: also to an agent that starts on a slow disk', async () => {
    const { record, replicas, pass, well } = await stage();
    const [one, other] = replicas() as [SimulatedNode, SimulatedNode];
    const ask = (term: number): Promise<unknown> => {
      const request = { service, mode: 'promise', term, leader: record().leader, leaderTerm: record().term, forced: true };
      return other.agent!.network.request(one.name, 'fence', request, { timeoutMs: 2_000 }).catch(String);
    };
    const promised = ask(9);
    await pass(50);
    expect(await promised).toMatchObject({ granted: true });
    one.killAgent();
    one.disk.writeMsMax = 2_000;
    one.startAgent();
    await pass(200);
    const again = ask(9);
    await pass(1_000);
    expect(await again).toMatchObject({ granted: false, promised: 9 });
    one.disk.writeMsMax = 4;
    await pass(3_000);
    expect(one.disk.peek('promise')).toMatchObject({ promised: expect.toSatisfy((term: number) => term >= 9) });
    await well();
  });

  test('are no reason to leave a database running that has lost its leadership: its disk may be full', async () => {
    const { world, leader, replicas, until, pass, well } = await stage();
    const first = leader();
    first.disk.full = true;
    const mend = cut(world, ...replicas().flatMap((node) => both(first.name, node.name)));
    await until('another leads', () => leader() !== first);
    await pass(200);
    expect(first.database.server).toBeUndefined();
    first.disk.full = false;
    mend();
    await well();
  });

  test('to a later term end an order to take over at an earlier one', async () => {
    const { world, record, replicas, well } = await stage();
    const [one, other] = replicas() as [SimulatedNode, SimulatedNode];
    const request = { service, mode: 'promise', term: 20, leader: record().leader, leaderTerm: record().term, forced: true };
    const promised = other.agent!.network.request(one.name, 'fence', request, { timeoutMs: 1_000 });
    await world.time.advance(20);
    await promised;
    const revision = world.store.get(`services/${service}/leadership`)!.revision.toString();
    const order = { service, term: 19, revision, why: 'operator', granted: [one.name, other.name], startedMsAgo: 0 };
    const ordered = other.agent!.network.request(one.name, 'take-over', order, { timeoutMs: 1_000 }).catch(String);
    await world.time.advance(50);
    expect(await ordered).toMatch(/Term 20 was promised meanwhile/);
    await well();
  });

  test('are not asked for by a member that nobody agrees with: cut off from the leader alone, it disturbs nobody', async () => {
    const { world, record, leader, replicas, pass, well } = await stage();
    const mend = cut(world, [leader().name, replicas()[0]!.name]);
    await pass(20_000);
    expect(record().term).toBe(1);
    mend();
    await well();
    expect(record().term).toBe(1);
  });
});

describe('what was acknowledged', () => {
  test('is not believed to be known from a member without data', async () => {
    const { world, record, leader, replicas, until, pass, well } = await stage();
    const [ahead, behind] = replicas() as [SimulatedNode, SimulatedNode];
    const first = leader();
    // Commits are acknowledged by one replica alone; then it loses its data, and the leader dies.
    const mend = cut(world, [first.name, behind.name]);
    await pass(700);
    const rows = world.observer.acknowledgedCommits.length;
    await pass(300);
    expect(world.observer.acknowledgedCommits.length).toBeGreaterThan(rows);
    first.crash('on');
    ahead.killDatabase();
    ahead.database.data = undefined;
    mend();
    await pass(10_000);
    expect(record().leader).toBe(first.name);
    first.restart();
    await until('the first leads again', () => leader() === first && first.database.server?.accepting === true);
    await well();
  });

  test('is found on a replica that had given up a leadership before', async () => {
    const { world, leader, replicas, until, pass, well } = await stage();
    const first = leader();
    first.killDatabase();
    await until('another leads', () => leader() !== first);
    await well();
    const second = leader();
    const third = replicas().find((node) => node !== first)!;
    const mend = cut(world, [second.name, third.name]);
    await pass(700);
    second.crash('on');
    mend();
    await until('a third leader', () => leader() !== second);
    expect(leader()).toBe(first);
    second.restart();
    await well();
  });

  test('is safe with a member that was claimed for and not promoted, when a second candidate comes', async () => {
    const { world, record, leader, replicas, until, well } = await stage();
    leader().crash('off');
    await until('a claim', () => record().term > 1);
    const claimant = leader();
    expect(claimant.database.server?.role).toBe('replica');
    const other = replicas().find((node) => node.agent !== undefined)!;
    const forced = forceFailover(other.agent!.member, other.name).catch(() => {});
    await world.time.advance(3_000);
    await forced;
    world.nodes.forEach((node) => node.restart());
    await well();
  });
});

describe('two promotions from the same place', () => {
  /**
   * n2 leads without a quorum, followed by n3 alone; both die; n4 leads, and acknowledges; it dies, and n3 comes back with more than anybody has.
   * The others vote and are not promoted.
   */
  async function led(options: Partial<WorldOptions>): Promise<void> {
    const { world, record, leader, until, pass, well } = await stage({
      members: 6,
      policy: { acknowledge: 3 },
      nofailover: ['n5', 'n6'],
      ...options,
    });
    leader().crash('off');
    await until('a claim', () => record().term > 1);
    expect(leader().name).toBe('n2');
    const mend = cut(world, ...['n4', 'n5', 'n6'].flatMap((other) => [...both('n2', other), ...both('n3', other)]));
    await until('n3 follows it', () => {
      const { server } = world.database('n2');
      return server?.role === 'primary' && server.accepting && server.senders.has('n3');
    });
    const { end } = world.database('n2').data!;
    for (let row = 1; row <= 500; row++) world.database('n2').server!.write(1_000_000 + row, () => expect.unreachable());
    await until('n3 has what nobody else has', () => world.database('n3').data!.end >= end + 500 * recordBytes);
    world.node('n2').crash('off');
    world.node('n3').crash('off');
    mend();
    await until('another leads', () => leader().name === 'n4' && leader().database.server?.role === 'primary');
    const rows = world.observer.acknowledgedCommits.length;
    await until('it acknowledges', () => world.observer.acknowledgedCommits.length > rows + 5);
    world.node('n4').crash('off');
    world.node('n3').restart();
    await pass(8_000);
    expect(record().leader).toBe('n4');
    for (const node of world.nodes) node.restart();
    await well();
  }

  test('have numbers of their own, so that the later one counts for more', async () => {
    await led({});
  });

  test('would lose what was acknowledged if both took the next free number', async () => {
    const naive = (engine: Engine): Engine =>
      engineWith(engine, { promote: ({ acknowledge, signal }) => engine.promote({ acknowledge, signal }) });
    await expect(led({ variation: { ...faithful, name: 'timelines as they come', engine: naive } })).rejects.toThrow(/without row/);
  });
});

describe('a disk that does not let a database write', () => {
  const impaired = new Map<string, 'full' | 'stalled'>();
  /** What real engines tell of their disks; and from one that stands still no process can be ended. */
  const engine = (plain: Engine, { name }: SimulatedNode): Engine =>
    engineWith(plain, {
      inspect: async (options) => {
        const impairment = impaired.get(name);
        return { ...(await plain.inspect(options)), ...(impairment === undefined ? {} : { impairment }) };
      },
      stop: async (mode, options) => {
        const position = await plain.stop(mode, options);
        if (impaired.get(name) === 'stalled') throw new HoldfastError('ENGINE_NOT_STOPPED', 'stuck', { retryable: true });
        return position;
      },
    });
  const variation = { ...faithful, name: 'disks', engine };
  beforeEach(() => impaired.clear());

  test('of the leader makes it hand over, to a member that can write', async () => {
    for (const impairment of ['full', 'stalled'] as const) {
      impaired.clear();
      const { leader, replicas, until, well } = await stage({ variation });
      const first = leader();
      const [other, last] = replicas() as [SimulatedNode, SimulatedNode];
      impaired.set(first.name, impairment);
      // By its name it would come first.
      impaired.set(other.name, 'full');
      await until('another leads', () => leader() !== first);
      expect(leader()).toBe(last);
      impaired.clear();
      await well();
    }
  });

  test('changes nothing where no other can write either', async () => {
    const { world, record, pass } = await stage({ variation });
    for (const node of world.nodes) impaired.set(node.name, 'full');
    await pass(20_000);
    expect(record().term).toBe(1);
  });

  test('does not keep the last that is left from taking over', async () => {
    const { world, leader, replicas, until, well } = await stage({ variation });
    const first = leader();
    for (const node of replicas()) impaired.set(node.name, 'full');
    first.crash('on');
    await until('another leads', () => leader() !== first);
    impaired.clear();
    world.nodes.forEach((node) => node.restart());
    await well();
  });

  test('makes a leader in asynchronous mode hand over only when its commits hang: else some could be lost', async () => {
    const { leader, until, pass, well } = await stage({ variation, ...minority });
    const first = leader();
    impaired.set(first.name, 'full');
    await pass(20_000);
    expect(leader()).toBe(first);
    impaired.set(first.name, 'stalled');
    await until('another leads', () => leader() !== first);
    impaired.clear();
    await well();
  });
});

describe('a cluster comes back by itself', () => {
  test('when its first leader dies right after its first claim', async () => {
    for (const deathMs of [110, 150, 300, 420, 480]) {
      const world = new World({ seed: 1, members: 3, policy: {} });
      world.start();
      await world.time.advance(deathMs);
      world.node('n1').crash('on');
      await world.time.advance(2_000);
      world.node('n1').restart();
      await world.time.runUntil(() => isWell(world), { limitMs: 60_000, stepsMax: 5_000_000 });
    }
  });

  test('when the database of a claimant dies before it is promoted', async () => {
    const { world, record, leader, until, well } = await stage();
    leader().crash('off');
    await until('a claim', () => record().term > 1);
    leader().killDatabase();
    await until('it serves', () => leader().database.server?.role === 'primary');
    world.nodes.forEach((node) => node.restart());
    await well();
  });

  test('when everything was off and its leader stays so: from replicas that do not run', async () => {
    const { world, record, leader, until, well } = await stage();
    const first = leader();
    for (const node of world.nodes) node.crash('off');
    await world.time.advance(3_000);
    for (const node of world.nodes) if (node !== first) node.restart();
    await until('another leads', () => record().leader !== first.name);
    first.restart();
    await well();
  });

  test('when the leader’s agent is started anew in the midst of a change of the quorum', async () => {
    const { world, record, leader, replicas, until, pass, well } = await stage({ policy: { acknowledge: 2 } });
    const slow = replicas()[0]!;
    slow.crash('on');
    await until('the quorum shrinks', () => record().roster.length === 1 && record().roster[0]!.voters.length === 1);
    // The new voter is connected and can not catch up yet: the change stays half way, the database running the new rule already.
    slow.database.flushMsMax = 3_000;
    slow.restart();
    await until('the new rule', () => record().roster.length > 1 && leader().database.server?.rule?.k === 2);
    leader().killAgent();
    await pass(100);
    expect(record().roster).toHaveLength(2);
    slow.database.flushMsMax = 2;
    world.nodes.forEach((node) => node.restart());
    await well();
  });

  test('with the data it has, when its leader’s database did not answer while it was to follow', async () => {
    const { world, leader, replicas, pass, well } = await stage();
    const stuck = leader().database.server!;
    stuck.clock.stall();
    replicas()[0]!.killDatabase();
    await pass(6_000);
    stuck.clock.resume();
    await well();
    expect(world.trace.text()).not.toMatch(/member\.(rejoined|data\.set-aside)/);
  });

  test('with the data it has, after half a minute without its leader', async () => {
    const { world, leader, replicas, pass, well } = await stage({ members: 2, policy: { acknowledge: 1, minimum: 1 }, nofailover: ['n2'] });
    const mend = cut(world, ...both(leader().name, replicas()[0]!.name));
    await pass(45_000);
    mend();
    await well();
    expect(replicas()[0]!.database.setAsideCount).toBe(0);
  });
});

describe('where only the lease is the fence', () => {
  test('a machine that was suspended serves no more, and does not start its database by the old lease', async () => {
    const { world, leader, pass, well } = await stage(minority);
    const first = leader();
    const clocks = [first.machine, first.agent!.clock, first.database.server!.clock];
    for (const clock of clocks) clock.suspend();
    world.store.pause();
    await pass(2_400);
    world.store.start();
    for (const clock of clocks) clock.resume();
    first.guard.check();
    await pass(3_000);
    await well();
  });

  test('a leader without store goes on by everybody’s word, and is not forced out while that holds', async () => {
    const { world, record, leader, replicas, until, pass, well } = await stage(minority);
    const first = leader();
    const mends = [cut(world, ...both(first.name, 'store'))];
    await pass(4_000);
    expect(first.database.server?.accepting).toBe(true);
    // Now it is cut off from the others, too: nobody can ask it, and it goes on for as long as they gave their word.
    mends.push(cut(world, ...replicas().flatMap((node) => both(first.name, node.name))));
    const forced = forceFailover(replicas()[0]!.agent!.member, undefined).then(
      () => 'done',
      (error: unknown) => String(error),
    );
    await pass(2_000);
    expect(await forced).toMatch(/the lease of n1 has not ended/);
    expect(record().leader).toBe(first.name);
    await until('another leads', () => leader() !== first && leader().database.server?.role === 'primary');
    expect(first.database.server).toBeUndefined();
    for (const mend of mends) mend();
    await well();
  });

  test('the candidates come one after the other when it ends', async () => {
    const { world, leader, until, well } = await stage({ members: 5, ...minority });
    const first = leader();
    first.crash('off');
    await until('another leads', () => leader() !== first);
    expect(world.trace.text().match(/election\.began/g)).toHaveLength(1);
    first.restart();
    await well();
  });

  test('a replica that never followed the last leader is promoted only by an operator who names it', async () => {
    const { world, record, leader, replicas, until, pass, well } = await stage({ policy: { acknowledge: 0, ttlMs: 2_000 } });
    const [first, stale] = [leader(), replicas()[1]!];
    stale.crash('off');
    first.crash('off');
    await until('the second leads', () => leader() !== first && leader().database.server?.role === 'primary');
    const second = leader();
    await pass(500);
    second.crash('off');
    stale.restart();
    await pass(15_000);
    expect(record().leader).toBe(second.name);
    expect(stale.agent!.member.fault).toMatch(/lacks much of what was written/);
    const forced = forceFailover(stale.agent!.member, stale.name);
    await pass(1_000);
    expect(await forced).toMatchObject({ leader: stale.name });
    world.nodes.forEach((node) => node.restart());
    await well();
  });
});

describe('operators', () => {
  test('switch over without an error of the members, and back', async () => {
    const { record, leader, world, well } = await stage();
    for (const to of ['n2', 'n1', 'n3']) {
      const moved = switchover(leader().agent!.member, to);
      await world.time.advance(1_000);
      expect(await moved).toMatchObject({ leader: to });
      expect(record().leader).toBe(to);
      await well();
    }
  });

  test('restart a leader that leads on', async () => {
    const { record, leader, world, well } = await stage();
    const first = leader();
    const restarted = restart(first.agent!.member);
    await world.time.advance(2_000);
    await restarted;
    await well();
    expect(record()).toMatchObject({ leader: first.name, term: 1 });
  });

  test('are not allowed to throw away data while nobody serves', async () => {
    const { leader, replicas, pass } = await stage();
    const one = replicas()[0]!;
    for (const node of replicas()) if (node !== one) node.crash('on');
    leader().crash('on');
    await pass(2_000);
    await expect(reinit(one.agent!.member)).rejects.toMatchObject({ code: 'REINIT_REFUSED' });
    expect(one.database.data).toBeDefined();
  });
});
