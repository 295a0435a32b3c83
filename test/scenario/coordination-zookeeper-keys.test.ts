import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Connection } from '../../src/coordination/adapters/zookeeper/connection.ts';
import { Keys } from '../../src/coordination/adapters/zookeeper/keys.ts';
import { Layout } from '../../src/coordination/adapters/zookeeper/layout.ts';
import { create, exists, opcode, type Request } from '../../src/coordination/adapters/zookeeper/protocol.ts';
import { eventually, freshName } from '../../src/coordination/contract/harness.ts';
import type { CoordinationStore } from '../../src/coordination/store.ts';
import { clock, connect, connectBare } from './servers/zookeeper-clients.ts';
import { hasZooKeeper, ZooKeeperEnsemble } from './servers/zookeeper.ts';

const everybody = { scheme: 'world', id: 'anyone' };

describe.runIf(hasZooKeeper())('keys and queues on ZooKeeper (needs java and the package zookeeper)', () => {
  let ensemble: ZooKeeperEnsemble;
  let server: string;
  let store: CoordinationStore;
  beforeAll(async () => {
    ensemble = await ZooKeeperEnsemble.start(clock, { containerCheckMs: 200 });
    server = ensemble.addresses[0]!;
    store = await connect([server]);
  });
  afterAll(async () => {
    await store[Symbol.asyncDispose]();
    await ensemble[Symbol.asyncDispose]();
  });

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
      await using connection = await connectBare(server);
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
    await using connection = await connectBare(server);
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
    await using connection = await connectBare(server);
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
    await eventually(clock, 20_000, 'the first is read', () => reads === 3);
    await clock.sleep(50);
    await script(change);
    pass();
    expect((await listing).map(({ key, value }) => `${key.at(-1)} ${value}`)).toEqual(after);
  });

  it('says so when a node below its prefix is not its own', async () => {
    await using connection = await connectBare(server);
    const key = freshName();
    await connection.submit(create(`/holdfast/keys/${key}`, Buffer.from('not ours'), everybody, 'persistent'));
    await connection.submit(create('/holdfast/keys/ü', Buffer.from('not ours'), everybody, 'persistent'));
    await expect(store.get(key)).rejects.toMatchObject({ code: 'COORD_UNSUITABLE', hint: expect.stringContaining('prefix of its own') });
    // What is no key is nobody's business.
    expect(await store.list(freshName())).toEqual([]);
  });

  it(
    'numbers the places of a queue anew when ZooKeeper has removed the empty queue, and never the tokens',
    { timeout: 30_000 },
    async () => {
      await using connection = await connectBare(server);
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
});
