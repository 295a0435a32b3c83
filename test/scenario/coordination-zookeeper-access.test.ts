import { writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { inspectStore, open } from '../../src/coordination/adapters/zookeeper/index.ts';
import { getChildren, getData, multi, remove, setData } from '../../src/coordination/adapters/zookeeper/protocol.ts';
import { eventually, freshName, untilReachable } from '../../src/coordination/contract/harness.ts';
import type { CoordinationStore } from '../../src/coordination/store.ts';
import { HoldfastError } from '../../src/core/errors.ts';
import { CutProxy } from './servers/cut-proxy.ts';
import { clock, configOf, connect, connectBare, never, runtime } from './servers/zookeeper-clients.ts';
import { hasZooKeeper, ZooKeeperEnsemble } from './servers/zookeeper.ts';

describe.runIf(hasZooKeeper())('sessions on ZooKeeper, and who may use it (needs java and the package zookeeper)', () => {
  let ensemble: ZooKeeperEnsemble;
  let server: string;
  let store: CoordinationStore;
  beforeAll(async () => {
    ensemble = await ZooKeeperEnsemble.start(clock, { tls: true });
    server = ensemble.addresses[0]!;
    store = await connect([server]);
  });
  afterAll(async () => {
    await store[Symbol.asyncDispose]();
    await ensemble[Symbol.asyncDispose]();
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
      await using connection = await connectBare(server);
      await using session = await store.openSession({ ttlMs: 2_000, name: 'nightly "backup"' });
      const node = await connection.submit(getData(`/holdfast/sessions/${session.id}`));
      if (!node.ok) throw new Error('no mark');
      expect(JSON.parse(node.value.data.toString())).toEqual({ name: 'nightly "backup"', host: expect.any(String), pid: process.pid });
    });

    it('are over when an operator removes their mark', { timeout: 30_000 }, async () => {
      await using connection = await connectBare(server);
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
      await using connection = await connectBare(server);
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
      await using stranger = await connectBare(server, 'holdfast:wrong');
      const node = `${prefix}/keys/${key}`;
      expect(await stranger.submit(getData(node))).toMatchObject({ ok: false, code: -102 });
      expect(await stranger.submit(multi([setData(node, Buffer.from('x'), -1)]))).toMatchObject({ value: { done: false, code: -102 } });
      const { findings } = await inspectStore(configOf([server], { prefix }), runtime, { ttlMs: 10_000, signal: never });
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
      const config = configOf([server], { user: 'holdfast', password: 'very-secret', prefix: '/private/holdfast' });
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
    const { servers, sessionTimeoutMs, findings } = await inspectStore(configOf([server, '127.0.0.1:1']), runtime, {
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
    expect((await inspectStore(configOf([server]), runtime, { ttlMs: 10_000, signal: never })).findings.map(({ level }) => level)).toEqual([
      'ok',
      'warning',
      'ok',
      'ok',
    ]);
    await expect(inspectStore(configOf([server]), runtime, { ttlMs: 1, signal: AbortSignal.abort(new Error('no')) })).rejects.toThrow('no');
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
    const { findings } = await inspectStore(configOf(ensemble.addresses), runtime, { ttlMs: 4_000, signal: never });
    expect(findings).toContainEqual({
      level: 'warning',
      message: 'the leader is not among the servers that answered',
      hint: expect.stringMatching(/./),
    });
  });

  it('is looked over: three servers, one of them down, then two', { timeout: 120_000 }, async () => {
    await using ensemble = await ZooKeeperEnsemble.start(clock, { servers: 3 });
    const inspect = () => inspectStore(configOf(ensemble.addresses), runtime, { ttlMs: 4_000, signal: never });
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
      (await inspectStore(configOf(ensemble.addresses.slice(0, 1)), runtime, { ttlMs: 4_000, signal: never })).findings.every(
        ({ level }) => level === 'problem',
      ),
    ).toBe(true);
  });
});
