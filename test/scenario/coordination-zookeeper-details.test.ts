import { writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Connection } from '../../src/coordination/adapters/zookeeper/connection.ts';
import { configSchema, inspectStore, open } from '../../src/coordination/adapters/zookeeper/index.ts';
import { Keys } from '../../src/coordination/adapters/zookeeper/keys.ts';
import { Layout } from '../../src/coordination/adapters/zookeeper/layout.ts';
import {
  create,
  exists,
  getChildren,
  getData,
  opcode,
  remove,
  type Request,
  setData,
  multi,
} from '../../src/coordination/adapters/zookeeper/protocol.ts';
import { eventually, freshName, untilReachable } from '../../src/coordination/contract/harness.ts';
import type { CoordinationStore } from '../../src/coordination/store.ts';
import { parseAddress } from '../../src/core/config-fields.ts';
import { HoldfastError } from '../../src/core/errors.ts';
import { silentLogger } from '../../src/core/logger.ts';
import { createClock, createRandom } from '../../src/runtime/index.ts';
import { CutProxy } from './servers/cut-proxy.ts';
import { hasZooKeeper, ZooKeeperEnsemble } from './servers/zookeeper.ts';

const clock = createClock();
const runtime = { clock, random: createRandom(), logger: silentLogger };
const never = new AbortController().signal;
const everybody = { scheme: 'world', id: 'anyone' };

/** As from a file: secrets do not stand in it. */
function configOf(settings: { servers: readonly string[]; user?: string; password?: string; prefix?: string; tls?: object }) {
  const { servers, user, password, ...rest } = settings;
  const config = configSchema.parse({ servers, ...rest, ...(user !== undefined && { auth: { user, password: '${ZOOKEEPER_PASSWORD}' } }) });
  config.auth?.password.resolve(password ?? '');
  return config;
}

function connect(servers: readonly string[], rest: Omit<Parameters<typeof configOf>[0], 'servers'> = {}): Promise<CoordinationStore> {
  return open(configOf({ servers, ...rest }), runtime, {});
}

/** A bare connection, to look at what is really there. */
async function raw(server: string, digest?: string): Promise<Connection & AsyncDisposable> {
  const connection = await Connection.open(parseAddress(server)!, {
    clock,
    tls: undefined,
    digest,
    limitMs: 5_000,
    replyLimitMs: 30_000,
    signal: never,
    ttlMs: 30_000,
    session: undefined,
    lastZxid: 0n,
    seen: { zxid: 0n },
    onEvent: () => {},
  });
  return Object.assign(connection, { [Symbol.asyncDispose]: async () => connection.destroy(new Error('test over') as never) });
}

describe.runIf(hasZooKeeper())('details of the ZooKeeper store (needs java and the package zookeeper)', () => {
  let ensemble: ZooKeeperEnsemble;
  let server: string;
  let store: CoordinationStore;
  beforeAll(async () => {
    ensemble = await ZooKeeperEnsemble.start(clock, { tls: true, containerCheckMs: 200 });
    server = ensemble.addresses[0]!;
    store = await connect([server]);
  });
  afterAll(async () => {
    await store[Symbol.asyncDispose]();
    await ensemble[Symbol.asyncDispose]();
  });

  describe('comparing revisions', () => {
    /** Keys on a real connection, on which the requests that match wait until they may go. */
    function gated(
      connection: Connection,
      waits: (request: Request<unknown>) => boolean,
    ): { keys: Keys; slow: Connection; pass: () => void } {
      const gate = Promise.withResolvers<void>();
      const slow = {
        session: connection.session,
        closed: connection.closed,
        get turn() {
          return connection.turn;
        },
        submit: async <T>(request: Request<T>) => {
          if (waits(request)) await gate.promise;
          return connection.submit(request);
        },
      };
      return { keys: new Keys(new Layout('/holdfast'), everybody), slow: slow as unknown as Connection, pass: gate.resolve };
    }
    const transactions = ({ type }: Request<unknown>): boolean => type === opcode.multi;

    it.each(['swap', 'remove'] as const)(
      'a %s meant for a key does not hit another of the same name that came between reading and writing',
      async (change) => {
        await using connection = await raw(server);
        const key = freshName();
        const first = await store.swap(key, 'first', 'absent');
        if (!first.swapped) throw new Error('lost');
        const { keys, slow, pass } = gated(connection, transactions);
        const late = change === 'swap' ? keys.swap(slow, key, 'late', first.revision, undefined) : keys.remove(slow, key, first.revision);
        // What was read is version 0 of the node; so is this.
        await clock.sleep(100);
        await store.remove(key, first.revision);
        const second = await store.swap(key, 'second', 'absent');
        if (!second.swapped) throw new Error('lost');
        const layout = new Layout('/holdfast');
        expect(await connection.submit(exists(layout.key(key)))).toMatchObject({ value: { version: 0 } });
        pass();
        const outcome = await late;
        expect(outcome).toEqual(change === 'swap' ? { swapped: false, current: await store.get(key) } : false);
        expect(await store.get(key)).toMatchObject({ value: 'second', revision: second.revision });
      },
    );

    it('a change is not disturbed by the creation of other keys', async () => {
      await using connection = await raw(server);
      const key = freshName();
      const first = await store.swap(key, 'first', 'absent');
      if (!first.swapped) throw new Error('lost');
      const { keys, slow, pass } = gated(connection, transactions);
      const changing = keys.swap(slow, key, 'changed', first.revision, undefined);
      await clock.sleep(50);
      // More than there are guards, so that some share that of the key.
      await Promise.all(Array.from({ length: 200 }, () => store.swap(freshName(), 'x', 'absent')));
      pass();
      expect(await changing).toMatchObject({ swapped: true });
    });

    it.each<[string, (change: (name: string, value: string | undefined) => Promise<unknown>) => Promise<void>, string[]]>([
      [
        'changed',
        // Nobody ever could see an old `a` beside a new `b`.
        async (change) => {
          await change('a', 'new');
          await change('b', 'new');
        },
        ['a new', 'b new', 'c old'],
      ],
      [
        'created',
        async (change) => {
          await change('a', 'new');
          await change('d', 'new');
        },
        ['a new', 'b old', 'c old', 'd new'],
      ],
      [
        'removed',
        async (change) => {
          await change('c', undefined);
        },
        ['a old', 'b old'],
      ],
    ])('a listing is the state of one moment when keys are %s while it is read', async (_, script, after) => {
      await using connection = await raw(server);
      const root = freshName();
      const revisions = new Map<string, bigint>();
      const change = async (name: string, value: string | undefined): Promise<void> => {
        const key = `${root}/${name}`;
        if (value === undefined) return void (await store.remove(key, revisions.get(key)!));
        const result = await store.swap(key, value, revisions.get(key) ?? 'absent');
        if (result.swapped) revisions.set(key, result.revision);
      };
      for (const name of ['a', 'b', 'c']) await change(name, 'old');
      let reads = 0;
      const { keys, slow, pass } = gated(connection, ({ type }) => type === opcode.getData && ++reads === 2);
      const listing = keys.list(slow, (key) => key.startsWith(`${root}/`));
      await eventually(clock, 5_000, 'the first is read', () => reads === 3);
      await clock.sleep(50);
      await script(change);
      pass();
      expect((await listing).map(({ key, value }) => `${key.at(-1)} ${value}`)).toEqual(after);
    });

    it('says so when a node below its prefix is not its own', async () => {
      await using connection = await raw(server);
      const key = freshName();
      await connection.submit(create(`/holdfast/keys/${key}`, Buffer.from('not ours'), everybody, 'persistent'));
      await connection.submit(create('/holdfast/keys/ü', Buffer.from('not ours'), everybody, 'persistent'));
      await expect(store.get(key)).rejects.toMatchObject({ code: 'COORD_UNSUITABLE', hint: expect.stringContaining('prefix of its own') });
      // What is no key is nobody's business.
      expect(await store.list(freshName())).toEqual([]);
    });
  });

  describe('sessions', () => {
    it('are kept as long as ZooKeeper grants, which is said', async () => {
      await using short = await store.openSession({ ttlMs: 300, name: 'short', allowShortTtl: true });
      expect(short.ttlMs).toBe(1_000);
      await using long = await store.openSession({ ttlMs: 3_600_000, name: 'long' });
      expect(long.ttlMs).toBe(60_000);
      await using exact = await store.openSession({ ttlMs: 2_500, name: 'exact' });
      expect(exact.ttlMs).toBe(2_500);
    });

    it('are marked for people', async () => {
      await using connection = await raw(server);
      await using session = await store.openSession({ ttlMs: 2_000, name: 'nightly "backup"' });
      const node = await connection.submit(getData(`/holdfast/sessions/${session.id}`));
      if (!node.ok) throw new Error('no mark');
      expect(JSON.parse(node.value.data.toString())).toEqual({ name: 'nightly "backup"', host: expect.any(String), pid: process.pid });
    });

    it('are over when an operator removes their mark', { timeout: 30_000 }, async () => {
      await using connection = await raw(server);
      const session = await store.openSession({ ttlMs: 2_000, name: 'removed' });
      await store.swap(freshName(), 'x', 'absent', { session });
      await connection.submit(remove(`/holdfast/sessions/${session.id}`, -1));
      await eventually(clock, 2_000, 'the session is over', () => session.signal.aborted);
      expect(session.signal.reason).toMatchObject({ code: 'COORD_SESSION_LOST', message: expect.stringContaining('removed') });
      await session.close();
    });

    it('of another client are refused', async () => {
      await using other = await connect([server]);
      await using session = await other.openSession({ ttlMs: 2_000, name: 'foreign' });
      await expect(store.enqueue(freshName(), 'write', session)).rejects.toThrow(TypeError);
      await expect(store.swap(freshName(), 'x', 'absent', { session })).rejects.toThrow(TypeError);
    });

    it('leave nothing behind when opening is given up', { timeout: 30_000 }, async () => {
      await using connection = await raw(server);
      await using link = await CutProxy.open({ port: ensemble.servers[0]!.port }, clock);
      await using client = await connect([`127.0.0.1:${link.port}`]);
      const marks = async (): Promise<number> => {
        const reply = await connection.submit(getChildren('/holdfast/sessions'));
        return reply.ok ? reply.value.length : -1;
      };
      const before = await marks();
      link.hang('to-client');
      const abort = new AbortController();
      const opening = client.openSession({ ttlMs: 2_000, name: 'given up', signal: abort.signal });
      await clock.sleep(100);
      abort.abort(new Error('given up'));
      await expect(opening).rejects.toThrow('given up');
      await link.restore();
      await eventually(clock, 10_000, 'no mark of it is left', async () => (await marks()) === before);
      expect(await client.get('any')).toBeUndefined();
    });
  });

  it(
    'numbers the places of a queue anew when ZooKeeper has removed the empty queue, and never the tokens',
    { timeout: 30_000 },
    async () => {
      await using connection = await raw(server);
      await using session = await store.openSession({ ttlMs: 4_000, name: 'queue' });
      const queue = freshName();
      let token = 0n;
      for (let round = 0; round < 3; round++) {
        for (let place = 0n; place < 3n; place++) {
          const ticket = await store.enqueue(queue, 'write', session);
          expect(ticket.order).toBe(place);
          expect(ticket.token).toBeGreaterThan(token);
          token = ticket.token;
        }
        for (const ticket of await store.queue(queue)) await store.leave(ticket);
        await eventually(
          clock,
          10_000,
          'the queue is removed',
          async () => !(await connection.submit(exists(`/holdfast/queues/${queue}`))).ok,
        );
        expect(await store.queue(queue)).toEqual([]);
      }
    },
  );

  describe('access', () => {
    it('creates a deep prefix, and keeps stores under different prefixes apart', async () => {
      await using deep = await connect([server], { prefix: '/teams/db.1/ha/holdfast' });
      await using beside = await connect([server], { prefix: '/teams/db.1/ha/other' });
      const key = freshName();
      await deep.swap(key, 'deep', 'absent');
      expect(await beside.get(key)).toBeUndefined();
      expect(await store.get(key)).toBeUndefined();
      await using again = await connect([server], { prefix: '/teams/db.1/ha/holdfast' });
      expect((await again.get(key))?.value).toBe('deep');
    });

    it('keeps what it creates to its user, and says who may not', { timeout: 30_000 }, async () => {
      const prefix = '/private/holdfast';
      const owner = { prefix, user: 'holdfast', password: 'right' };
      const key = freshName();
      {
        await using mine = await connect([server], owner);
        await mine.swap(key, 'mine', 'absent');
        await using session = await mine.openSession({ ttlMs: 2_000, name: 'owner' });
        await mine.enqueue(key, 'write', session);
        await using again = await connect([server], owner);
        expect((await again.get(key))?.value).toBe('mine');
        expect(await again.queue(key)).toHaveLength(1);
      }
      for (const other of [{ prefix, user: 'holdfast', password: 'wrong' }, { prefix, user: 'somebody', password: 'right' }, { prefix }]) {
        await expect(connect([server], other)).rejects.toMatchObject({
          code: 'COORD_DENIED',
          retryable: false,
          hint: expect.stringContaining('auth'),
        });
      }
      await expect(connect([server], { prefix: `${prefix}/below` })).rejects.toMatchObject({ code: 'COORD_DENIED' });
      await using stranger = await raw(server, 'holdfast:wrong');
      const node = `${prefix}/keys/${key}`;
      expect(await stranger.submit(getData(node))).toMatchObject({ ok: false, code: -102 });
      expect(await stranger.submit(multi([setData(node, Buffer.from('x'), -1)]))).toMatchObject({ value: { done: false, code: -102 } });
      const { findings } = await inspectStore(configOf({ servers: [server], prefix }), runtime, { ttlMs: 10_000, signal: never });
      expect(findings).toContainEqual({
        level: 'problem',
        message: `${prefix} belongs to somebody else`,
        hint: expect.stringContaining('auth'),
      });
    });

    it('speaks TLS, each side proving who it is', { timeout: 60_000 }, async () => {
      const { ca, client, stranger } = ensemble.certificates!;
      const secure = [`127.0.0.1:${ensemble.servers[0]!.securePort}`];
      const key = freshName();
      {
        await using trusted = await connect(secure, { tls: { ca, ...client } });
        await using session = await trusted.openSession({ ttlMs: 2_000, name: 'by TLS' });
        expect(await trusted.swap(key, 'by TLS', 'absent', { session })).toMatchObject({ swapped: true });
        expect(await store.get(key)).toMatchObject({ value: 'by TLS', sessionId: session.id });
      }
      const denied = { code: 'COORD_DENIED', retryable: false };
      await expect(
        connect(secure, { tls: { ca: stranger.ca, ...client } }),
        'their certificate is not signed by our CA',
      ).rejects.toMatchObject(denied);
      await expect(connect(secure, { tls: { ca } }), 'we show no certificate').rejects.toMatchObject({
        ...denied,
        message: expect.stringMatching(/TLS alert: [a-z ]+$/),
      });
      await expect(connect(secure, { tls: { ca, cert: stranger.cert, key: stranger.key } }), 'ours is of a stranger').rejects.toMatchObject(
        {
          code: expect.stringMatching(/^COORD_(DENIED|UNREACHABLE)$/),
        },
      );
      await expect(connect(secure), 'no TLS to a TLS port').rejects.toMatchObject({ code: 'COORD_UNREACHABLE' });
      await expect(connect([server], { tls: { ca, ...client } }), 'TLS to a port without').rejects.toMatchObject({
        code: 'COORD_UNREACHABLE',
      });
      await expect(connect(secure, { tls: { ca: '/nowhere/ca.pem' } })).rejects.toMatchObject({
        ...denied,
        message: expect.stringContaining('tls.ca, /nowhere/ca.pem'),
      });
    });

    it('refuses TLS files that are none', async () => {
      const path = ensemble.certificates!.ca.replace(/[^/]+$/, 'nonsense.pem');
      await writeFile(path, 'nonsense');
      const secure = [`127.0.0.1:${ensemble.servers[0]!.securePort}`];
      await expect(connect(secure, { tls: { ca: ensemble.certificates!.ca, cert: path, key: path } })).rejects.toMatchObject({
        code: 'COORD_DENIED',
        hint: expect.stringContaining('PEM'),
      });
    });

    it('never shows the password', async () => {
      const config = configOf({ servers: [server], user: 'holdfast', password: 'very-secret', prefix: '/private/holdfast' });
      const failure = await open(config, runtime, {}).then(
        () => undefined,
        (error: HoldfastError) => error,
      );
      expect(failure).toBeInstanceOf(HoldfastError);
      for (let error: unknown = failure; error instanceof Error; error = error.cause)
        expect(`${error.stack} ${JSON.stringify(error)}`).not.toContain('very-secret');
    });
  });

  it('is looked over: one server, its limits, a TTL that is not kept', async () => {
    const { servers, sessionTimeoutMs, findings } = await inspectStore(configOf({ servers: [server, '127.0.0.1:1'] }), runtime, {
      ttlMs: 500,
      signal: never,
    });
    expect(servers).toEqual([
      { server, role: 'standalone', version: '3.8.0', detail: '' },
      { server: '127.0.0.1:1', role: 'unreachable', version: '', detail: expect.stringContaining('Nothing listens there') },
    ]);
    expect(sessionTimeoutMs).toEqual({ min: 1_000, max: 60_000 });
    expect(findings.map(({ level }) => level)).toEqual(['ok', 'problem', 'warning', 'problem', 'warning', 'ok']);
    expect(findings.find(({ message }) => message.includes('500 ms'))).toMatchObject({
      message: expect.stringContaining('becomes 1000 ms'),
    });
    expect(
      (await inspectStore(configOf({ servers: [server] }), runtime, { ttlMs: 10_000, signal: never })).findings.map(({ level }) => level),
    ).toEqual(['ok', 'warning', 'ok', 'ok']);
    await expect(
      inspectStore(configOf({ servers: [server] }), runtime, { ttlMs: 1, signal: AbortSignal.abort(new Error('no')) }),
    ).rejects.toThrow('no');
  });
});

describe.runIf(hasZooKeeper())('a guarded ensemble of ZooKeeper (needs java and the package zookeeper)', () => {
  it('keeps sessions where the leader serves no clients, and that is found when it is looked over', { timeout: 120_000 }, async () => {
    await using ensemble = await ZooKeeperEnsemble.start(clock, { servers: 3, leaderServes: false });
    await using client = await connect(ensemble.addresses);
    await using session = await client.openSession({ ttlMs: 4_000, name: 'by followers' });
    const key = freshName();
    const created = await untilReachable(clock, 10_000, () => client.swap(key, 'x', 'absent', { session }));
    expect(created.swapped).toBe(true);
    await clock.sleep(6_000);
    session.assertValid();
    expect(await client.get(key)).toMatchObject({ value: 'x', sessionId: session.id });
    const { findings } = await inspectStore(configOf({ servers: ensemble.addresses }), runtime, { ttlMs: 4_000, signal: never });
    expect(findings).toContainEqual({
      level: 'warning',
      message: 'the leader is not among the servers that answered',
      hint: expect.stringMatching(/./),
    });
  });

  it('is looked over: three servers, one of them down, then two', { timeout: 120_000 }, async () => {
    await using ensemble = await ZooKeeperEnsemble.start(clock, { servers: 3 });
    const inspect = () => inspectStore(configOf({ servers: ensemble.addresses }), runtime, { ttlMs: 4_000, signal: never });
    expect((await inspect()).servers.map(({ role }) => role).toSorted()).toEqual(['follower', 'follower', 'leader']);
    expect((await inspect()).findings.every(({ level }) => level === 'ok')).toBe(true);
    const followers = await ensemble.followers();
    await followers[0]!.process.kill();
    expect((await inspect()).findings.filter(({ level }) => level !== 'ok')).toMatchObject([
      { level: 'problem', message: expect.stringContaining('can not be asked') },
    ]);
    await followers[1]!.process.kill();
    await eventually(clock, 20_000, 'the last one says that it has no quorum', async () =>
      (await inspect()).findings.some(({ message }) => message.includes('it has no quorum')),
    );
    expect(
      (await inspectStore(configOf({ servers: ensemble.addresses.slice(0, 1) }), runtime, { ttlMs: 4_000, signal: never })).findings.every(
        ({ level }) => level === 'problem',
      ),
    ).toBe(true);
  });
});
