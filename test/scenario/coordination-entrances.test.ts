import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually, freshName } from '../../src/coordination/contract/harness.ts';
import { acquireLock } from '../../src/coordination/lock.ts';
import { exists } from '../../src/coordination/adapters/zookeeper/protocol.ts';
import { openStore } from '../../src/coordination/registry.ts';
import { storeConfigSchema, type StoreConfigInput } from '../../src/coordination/config.ts';
import type { CoordinationStore, Entrance, OwnTicket } from '../../src/coordination/store.ts';
import { silentLogger } from '../../src/core/logger.ts';
import { createClock, createRandom } from '../../src/runtime/index.ts';
import { CutProxy } from './servers/cut-proxy.ts';
import { EtcdCluster, hasEtcd } from './servers/etcd.ts';
import { type Dialect, grpc, Wire, zooKeeper } from './servers/wire.ts';
import { connectBare } from './servers/zookeeper-clients.ts';
import { hasZooKeeper, ZooKeeperEnsemble } from './servers/zookeeper.ts';

const clock = createClock();
const runtime = { clock, random: createRandom(), logger: silentLogger };
const ttlMs = 8_000;

/** What a store without fewer round trips has no use for: a session and a place in one call. */
type Entering = CoordinationStore & Required<Pick<CoordinationStore, 'enter'>>;

interface Place {
  readonly start: () => Promise<AsyncDisposable & { readonly port: number }>;
  readonly configure: (port: number) => StoreConfigInput;
  readonly dialect: Dialect;
}

function describeEntrances({ start, configure, dialect }: Place): void {
  let server: AsyncDisposable & { readonly port: number };
  beforeAll(async () => {
    server = await start();
  });
  afterAll(() => server[Symbol.asyncDispose]());

  const open = async (port = server.port): Promise<Entering> =>
    (await openStore(storeConfigSchema.parse(configure(port)), runtime)) as Entering;
  const openThrough = async (stack: AsyncDisposableStack, port = server.port): Promise<{ relay: CutProxy; store: Entering }> => {
    const relay = stack.use(await CutProxy.open({ port }, clock));
    return { relay, store: stack.use(await open(relay.port)) };
  };
  const enter = (store: Entering, queue: string, signal?: AbortSignal): Promise<Entrance> =>
    store.enter(queue, 'write', { ttlMs, name: 'one who enters', ...(signal && { signal }) });
  const shown = ({ token: _, ...rest }: OwnTicket): Omit<OwnTicket, 'token'> => rest;

  it('gives a session and a place, and tells who is ahead', async () => {
    await using store = await open();
    const queue = freshName();
    const entrances = [await enter(store, queue), await enter(store, queue), await enter(store, queue)];
    const places = entrances.map(({ ticket }) => shown(ticket));
    expect(await store.queue(queue)).toEqual(places);
    // The very first may have met a queue that was not there yet.
    for (const [n, { ahead, session, ticket }] of entrances.entries()) {
      if (n > 0) expect(ahead).toEqual(places.slice(0, n));
      expect(ticket.sessionId).toBe(session.id);
      expect(await store.isSessionAlive(session.id)).toBe(true);
    }
    expect(entrances[2]!.ticket.token).toBeGreaterThan(entrances[1]!.ticket.token);
    await entrances[1]!.session.close();
    expect(await store.queue(queue)).toEqual([places[0], places[2]]);
    const bound = freshName();
    await store.swap(bound, 'x', 'absent', { session: entrances[0]!.session });
    const again = await store.enqueue(queue, 'write', entrances[0]!.session);
    expect((await store.queue(queue)).at(-1)).toEqual(shown(again));
    await entrances[0]!.session.close();
    expect(await store.get(bound)).toBeUndefined();
    expect(await store.queue(queue)).toEqual([places[2]]);
  });

  it('tells all that are ahead, or that it does not know, of a long line', { timeout: 60_000 }, async () => {
    await using store = await open();
    const queue = freshName();
    const session = await store.openSession({ ttlMs: 30_000, name: 'many' });
    const places = await Promise.all(Array.from({ length: 120 }, () => store.enqueue(queue, 'write', session)));
    const { ahead } = await enter(store, queue);
    if (ahead !== undefined) expect(ahead.length).toBe(places.length);
    const short = freshName();
    await store.enqueue(short, 'write', session);
    expect((await enter(store, short)).ahead?.length).toBe(1);
  });

  it('whose answer was lost finds its own place again, and takes no second one', { timeout: 60_000 }, async () => {
    await using stack = new AsyncDisposableStack();
    const witness = stack.use(await open());
    const wire = stack.use(await Wire.open(server, dialect));
    const { relay, store } = await openThrough(stack, wire.port);
    const queue = freshName();
    await (await enter(store, queue)).session.close();
    for (let tries = 0; tries < 3; tries += 1) {
      wire.take();
      // The first opens the session, the next takes the place: it gets there, but its answer never comes.
      wire.onRequests = (requests) => requests >= 2 && relay.hang('to-client');
      const entering = enter(store, queue);
      await eventually(clock, 20_000, 'the place is there', async () => (await witness.queue(queue)).length === 1);
      wire.onRequests = () => {};
      relay.reset();
      await relay.restore();
      const { session, ticket } = await entering;
      expect(await witness.queue(queue)).toEqual([shown(ticket)]);
      session.assertValid();
      await session.close();
      expect(await witness.queue(queue)).toEqual([]);
    }
  });

  it('that nobody waits for any more leaves nothing, though what was sent arrives late', { timeout: 60_000 }, async () => {
    await using stack = new AsyncDisposableStack();
    const witness = stack.use(await open());
    const wire = stack.use(await Wire.open(server, dialect));
    const { relay, store } = await openThrough(stack, wire.port);
    const queue = freshName();
    await (await enter(store, queue)).session.close();
    // Before it opens its session, and when its place is taken.
    for (const sent of [1, 2]) {
      wire.take();
      const underWay = new Promise<void>((resolve) => {
        wire.onRequests = (requests) => {
          if (requests < sent) return;
          relay.hang('both');
          resolve();
        };
      });
      const abort = new AbortController();
      const entering = enter(store, queue, abort.signal);
      await underWay;
      wire.onRequests = () => {};
      abort.abort(new Error('not wanted any more'));
      await expect(entering).rejects.toThrow('not wanted any more');
      await relay.restore();
      await eventually(clock, ttlMs * 2, 'the place is gone', async () => (await witness.queue(queue)).length === 0);
      await clock.sleep(300);
      expect(await witness.queue(queue)).toEqual([]);
    }
  });

  it('costs a lock three round trips in all: a session, a place, the end', async () => {
    await using wire = await Wire.open(server, dialect);
    await using store = await open(wire.port);
    const name = freshName();
    await using _first = await acquireLock(store, freshName(), runtime, { ttlMs: 60_000 });
    for (let warm = 0; warm < 3; warm += 1) await (await acquireLock(store, name, runtime, { ttlMs: 60_000 })).release();
    await clock.sleep(200);
    wire.take();
    await (await acquireLock(store, name, runtime, { ttlMs: 60_000 })).release();
    expect(wire.take().roundTrips).toBe(3);
  });
}

describe.runIf(hasEtcd())('an entrance on etcd (needs the programs etcd and etcdctl)', () => {
  describeEntrances({
    start: async () => {
      const cluster = await EtcdCluster.start(clock);
      return { port: cluster.members[0]!.port, [Symbol.asyncDispose]: () => cluster[Symbol.asyncDispose]() };
    },
    configure: (port) => ({ etcd: { endpoints: [`http://127.0.0.1:${port}`] } }),
    dialect: grpc,
  });
});

describe.runIf(hasZooKeeper())('an entrance on ZooKeeper (needs java and the package zookeeper)', () => {
  let port = 0;
  describeEntrances({
    start: async () => {
      const ensemble = await ZooKeeperEnsemble.start(clock);
      port = ensemble.servers[0]!.port;
      return { port, [Symbol.asyncDispose]: () => ensemble[Symbol.asyncDispose]() };
    },
    configure: (at) => ({ zookeeper: { servers: [`127.0.0.1:${at}`] } }),
    dialect: zooKeeper,
  });

  it('has the number of the transaction that made its place as its token', async () => {
    await using store = (await openStore(storeConfigSchema.parse({ zookeeper: { servers: [`127.0.0.1:${port}`] } }), runtime)) as Entering;
    await using bare = await connectBare(`127.0.0.1:${port}`);
    const queue = freshName();
    for (let n = 0; n < 3; n += 1) {
      const { ticket } = await store.enter(queue, 'write', { ttlMs, name: 'one who enters' });
      const found = await bare.submit(exists(`/holdfast/queues/${ticket.key}`));
      expect(found.ok && found.value.czxid).toBe(ticket.token);
    }
  });
});
