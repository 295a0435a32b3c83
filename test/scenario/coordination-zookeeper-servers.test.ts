import { type AddressInfo, connect as connectTcp, createServer, type Server, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { inspectStore } from '../../src/coordination/adapters/zookeeper/index.ts';
import { eventually, freshName, untilReachable, within } from '../../src/coordination/contract/harness.ts';
import { CutProxy } from './servers/cut-proxy.ts';
import { clock, configOf, connect, never, runtime } from './servers/zookeeper-clients.ts';
import { hasZooKeeper, ZooKeeperEnsemble, type ZooKeeperServer } from './servers/zookeeper.ts';

describe.runIf(hasZooKeeper())('faults of ZooKeeper servers (needs java and the package zookeeper)', () => {
  describe('three servers', () => {
    let ensemble: ZooKeeperEnsemble;
    beforeAll(async () => {
      ensemble = await ZooKeeperEnsemble.start(clock, { servers: 3 });
    });
    afterAll(() => ensemble[Symbol.asyncDispose]());

    /** A session holds a place and a key, and writes, while `fault` happens to a server. */
    async function holdThrough(
      server: ZooKeeperServer,
      fault: (server: ZooKeeperServer) => Promise<void>,
      heal: (server: ZooKeeperServer) => Promise<void>,
    ): Promise<void> {
      await using stack = new AsyncDisposableStack();
      // Clients go to the leader when they know all servers.
      const store = stack.use(await connect(ensemble.addresses));
      const session = stack.use(await store.openSession({ ttlMs: 10_000, name: 'holder' }));
      const key = freshName();
      const ticket = await store.enqueue(key, 'write', session);
      const created = await store.swap(key, '0', 'absent', { session });
      if (!created.swapped) throw new Error('lost');
      await fault(server);
      try {
        const written = await untilReachable(clock, 12_000, () => store.swap(key, '1', created.revision, { session }));
        expect(written.swapped ? '1' : written.current?.value).toBe('1');
        await eventually(clock, 10_000, 'live again', () => session.state === 'live');
        session.assertValid();
        expect((await untilReachable(clock, 12_000, () => store.queue(key))).map((other) => other.key)).toEqual([ticket.key]);
        const next = await untilReachable(clock, 12_000, () => store.enqueue(key, 'write', session));
        expect(next.token).toBeGreaterThan(ticket.token);
      } finally {
        await heal(server);
        await ensemble.ready();
      }
      expect(await store.queue(key)).toHaveLength(2);
      expect(await store.isSessionAlive(session.id)).toBe(true);
    }

    const kill = (server: ZooKeeperServer): Promise<void> => server.process.kill();
    const start = async (server: ZooKeeperServer): Promise<void> => server.process.start();
    const pause = (server: ZooKeeperServer): Promise<void> => server.process.pause();
    const proceed = async (server: ZooKeeperServer): Promise<void> => server.process.continue();

    it('a session lives on when the leader, which its client is connected to, is killed', { timeout: 90_000 }, async () =>
      holdThrough(await ensemble.leader(), kill, start),
    );
    it('a session lives on when the leader is frozen', { timeout: 90_000 }, async () =>
      holdThrough(await ensemble.leader(), pause, proceed),
    );
    it('a session lives on when a follower is killed', { timeout: 90_000 }, async () =>
      holdThrough((await ensemble.followers())[0]!, kill, start),
    );
    it('a session lives on when a follower is frozen', { timeout: 90_000 }, async () =>
      holdThrough((await ensemble.followers())[0]!, pause, proceed),
    );

    it('leaves a frozen server that is not the leader for another, and takes one place only', { timeout: 90_000 }, async () => {
      await using stack = new AsyncDisposableStack();
      const [first, second] = (await ensemble.followers()) as [ZooKeeperServer, ZooKeeperServer];
      const direct = stack.use(await connect([`127.0.0.1:${(await ensemble.leader()).port}`]));
      // Only one of the two is reachable at first: that is where the session begins.
      const links = [
        stack.use(await CutProxy.open({ port: first.port }, clock)),
        stack.use(await CutProxy.open({ port: second.port }, clock)),
      ] as const;
      await links[1].cut();
      const store = stack.use(await connect(links.map(({ port }) => `127.0.0.1:${port}`)));
      const session = stack.use(await store.openSession({ ttlMs: 6_000, name: 'moves' }));
      const queue = freshName();
      await store.leave(await store.enqueue(queue, 'write', session));
      await first.process.pause();
      try {
        await links[1].restore();
        // The request lies in the frozen server's socket; when it goes on, the session belongs to another.
        const ticket = await within(clock, 6_000, 'the place', store.enqueue(queue, 'write', session));
        expect((await direct.queue(queue)).map(({ key }) => key)).toEqual([ticket.key]);
      } finally {
        first.process.continue();
      }
      await ensemble.ready();
      await clock.sleep(1_000);
      expect(await direct.queue(queue)).toHaveLength(1);
      expect(session.state).toBe('live');
    });

    it('shows nothing from the past when a former leader wakes up', { timeout: 90_000 }, async () => {
      await using stack = new AsyncDisposableStack();
      const former = await ensemble.leader();
      const key = freshName();
      const link = stack.use(await CutProxy.open({ port: former.port }, clock));
      const reader = stack.use(await connect([`127.0.0.1:${link.port}`]));
      const writer = stack.use(await connect(ensemble.addresses.filter((address) => !address.endsWith(`:${former.port}`))));
      const old = await writer.swap(key, 'old', 'absent');
      if (!old.swapped) throw new Error('lost');
      expect((await reader.get(key))?.value).toBe('old');
      await former.process.pause();
      let reading: Promise<unknown>;
      try {
        await ensemble.leader();
        await untilReachable(clock, 20_000, async () => {
          const now = await writer.get(key);
          if (now?.value === 'old') await writer.swap(key, 'new', now.revision);
          expect((await writer.get(key))?.value).toBe('new');
        });
        reading = reader.get(key).then(
          (entry) => entry?.value,
          (error: { code: string }) => error.code,
        );
        await clock.sleep(100);
      } finally {
        former.process.continue();
      }
      expect(['new', 'COORD_UNREACHABLE']).toContain(await reading);
      await ensemble.ready();
      expect((await untilReachable(clock, 20_000, () => reader.get(key)))?.value).toBe('new');
    });
  });

  describe('behind one address', () => {
    let ensemble: ZooKeeperEnsemble;
    beforeAll(async () => {
      ensemble = await ZooKeeperEnsemble.start(clock, { servers: 3 });
    });
    afterAll(() => ensemble[Symbol.asyncDispose]());

    /** The largest share of its TTL for which a session was ever valid ahead, in a while after its first renewals. */
    async function validityShare(servers: readonly string[]): Promise<number> {
      await using store = await connect(servers);
      await using session = await store.openSession({ ttlMs: 2_000, name: 'share' });
      await clock.sleep(1_300);
      let aheadMs = 0;
      for (const untilMs = clock.monotonicMs() + 1_500; clock.monotonicMs() < untilMs; await clock.sleep(2)) {
        aheadMs = Math.max(aheadMs, session.validUntilMs - clock.monotonicMs());
      }
      expect(session.state).toBe('live');
      return aheadMs / session.ttlMs;
    }

    it('a renewal counts from itself at the leader, and from the one before where another may answer', { timeout: 60_000 }, async () => {
      const { port } = await ensemble.leader();
      const [follower] = await ensemble.followers();
      await using first = await Balancer.start(ensemble.servers.map((server) => server.port));
      await using second = await Balancer.start(ensemble.servers.map((server) => server.port));
      expect(await validityShare(ensemble.addresses)).toBeGreaterThan(0.75);
      expect(await validityShare([`127.0.0.1:${port}`])).toBeLessThan(0.65);
      expect(await validityShare([`127.0.0.1:${follower!.port}`])).toBeLessThan(0.65);
      expect(await validityShare([first.address, second.address])).toBeLessThan(0.65);
      const { findings } = await inspectStore(configOf([first.address]), runtime, { ttlMs: 10_000, signal: never });
      expect(findings).toContainEqual({
        level: 'problem',
        message: expect.stringContaining('several servers'),
        hint: expect.stringContaining('load balancer'),
      });
    });
  });

  it('gives up in time on a server that was cut off from the leader and does not know it yet', { timeout: 120_000 }, async () => {
    // It believes to follow for 40 ticks, and answers pings all the time; the leader ends the session after 20.
    await using ensemble = await ZooKeeperEnsemble.start(clock, { servers: 3, thirdApart: true, syncLimit: 40 });
    const third = ensemble.servers[2]!;
    expect(await third.mode()).toBe('follower');
    await using rival = await connect(ensemble.addresses.slice(0, 2));
    for (let round = 0; round < 2; round++) {
      const holder = await connect([`127.0.0.1:${third.port}`]);
      const session = await holder.openSession({ ttlMs: 10_000, name: 'cut off with its server' });
      const ticket = await holder.enqueue(freshName(), 'write', session);
      let stillHeld: boolean | undefined;
      const waiting = rival.untilGone(ticket, { signal: never }).then(() => (stillHeld = !session.signal.aborted));
      // The worst moment: a renewal was just confirmed, and the server has not told the leader yet that it heard of the session.
      await clock.sleep(1_200);
      const untilMs = session.validUntilMs;
      while (session.validUntilMs < untilMs + 500) await clock.sleep(1);
      expect(session.signal.aborted).toBe(false);
      for (const link of ensemble.thirdLinks) link.hang();
      await within(clock, 16_000, 'the place is gone', waiting);
      expect(stillHeld, 'someone else holds while the holder believes to').toBe(false);
      expect(await third.mode(), 'the server does not know of the cut').toBe('follower');
      for (const link of ensemble.thirdLinks) await link.restore();
      await holder[Symbol.asyncDispose]();
      await ensemble.ready();
    }
  });
});

/** Sends each connection to the next of several ports. */
class Balancer implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(ports: readonly number[]) {
    let next = 0;
    this.#server = createServer((client) => {
      const server = connectTcp(ports[next++ % ports.length]!, '127.0.0.1');
      for (const [from, to] of [
        [client, server],
        [server, client],
      ] as const) {
        this.#sockets.add(from);
        from.on('error', () => to.destroy()).on('close', () => to.destroy());
        from.pipe(to);
      }
    });
  }

  static async start(ports: readonly number[]): Promise<Balancer> {
    const balancer = new Balancer(ports);
    await new Promise<void>((resolve) => balancer.#server.listen(0, '127.0.0.1', resolve));
    return balancer;
  }

  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
