import { EtcdClient } from '../../src/coordination/adapters/etcd/client.ts';
import { configSchema } from '../../src/coordination/adapters/etcd/config.ts';
import { requestPut, rpc } from '../../src/coordination/adapters/etcd/messages.ts';
import { openStore } from '../../src/coordination/registry.ts';
import { storeConfigSchema, type StoreConfigInput } from '../../src/coordination/config.ts';
import type { CoordinationStore } from '../../src/coordination/store.ts';
import { transact } from '../../src/coordination/adapters/zookeeper/answers.ts';
import { ANY_VERSION, closeSession, create, setData } from '../../src/coordination/adapters/zookeeper/protocol.ts';
import type { Runtime } from '../../src/core/runtime.ts';
import { EtcdCluster } from '../../test/scenario/servers/etcd.ts';
import { ZooKeeperEnsemble } from '../../test/scenario/servers/zookeeper.ts';
import { connectBare } from '../../test/scenario/servers/zookeeper-clients.ts';
import { type Dialect, grpc, Wire, zooKeeper } from '../../test/scenario/servers/wire.ts';

const ttlS = 60;
const openToAll = { scheme: 'world', id: 'anyone' };

/** A store under measurement, with its own servers. */
export interface Subject extends AsyncDisposable {
  readonly name: 'etcd' | 'zookeeper';
  /**
   * Round trips that any recipe needs which holds a lock by a session of its own, each of them a write that a majority confirms: what makes the
   * session, what takes the place (and tells who is ahead), what ends the session and with it the place.
   */
  readonly roundTripsNeeded: number;
  /** A client; with `wire`, through a relay that counts. */
  readonly open: (options?: { readonly wire?: Wire }) => Promise<CoordinationStore>;
  readonly openWire: () => Promise<Wire>;
  readonly openRaw: () => Promise<RawConnection>;
}

/** The store spoken to by hand, with nothing of a recipe. */
export interface RawConnection extends AsyncDisposable {
  /** One write on a connection that is open. */
  readonly write: () => Promise<void>;
  /** The round trips that are needed, one after the other: a session, a key that lives with it, the end of the session. */
  readonly roundTrips: () => Promise<void>;
}

export async function startEtcd(runtime: Runtime, members: 1 | 3): Promise<Subject> {
  const cluster = await EtcdCluster.start(runtime.clock, { members });
  // All clients at the leader, so that no figure depends on where chance sends them.
  const { port } = await cluster.leader();
  const configure = (at: number): StoreConfigInput => ({ etcd: { endpoints: [`http://127.0.0.1:${at}`] } });
  return {
    name: 'etcd',
    roundTripsNeeded: 3,
    ...clients(runtime, port, grpc, configure),
    openRaw: async () => {
      const client = new EtcdClient(configSchema.parse({ endpoints: [`http://127.0.0.1:${port}`] }), runtime);
      return {
        write: async () => {
          await client.once(rpc.txn, { compare: [], success: [requestPut('/raw', 'value', 0n)] });
        },
        roundTrips: async () => {
          const { id } = await client.once(rpc.leaseGrant, { ttlS: BigInt(ttlS) });
          await client.once(rpc.txn, { compare: [], success: [requestPut('/raw/place', 'value', id)] });
          await client.once(rpc.leaseRevoke, { id });
        },
        [Symbol.asyncDispose]: () => client[Symbol.asyncDispose](),
      };
    },
    [Symbol.asyncDispose]: () => cluster[Symbol.asyncDispose](),
  };
}

export async function startZooKeeper(runtime: Runtime, servers: 1 | 3): Promise<Subject> {
  const ensemble = await ZooKeeperEnsemble.start(runtime.clock, { servers });
  const { port } = await ensemble.leader();
  const configure = (at: number): StoreConfigInput => ({ zookeeper: { servers: [`127.0.0.1:${at}`] } });
  return {
    name: 'zookeeper',
    roundTripsNeeded: 3,
    ...clients(runtime, port, zooKeeper, configure),
    openRaw: async () => {
      const connection = await connectBare(`127.0.0.1:${port}`);
      await connection.submit(create('/raw', Buffer.from('value'), openToAll, 'persistent'));
      return {
        write: async () => {
          await transact(connection, [setData('/raw', Buffer.from('value'), ANY_VERSION)], 'a raw write');
        },
        // A session of ZooKeeper is a connection.
        roundTrips: async () => {
          await using session = await connectBare(`127.0.0.1:${port}`);
          await transact(session, [create('/raw/place-', Buffer.from('value'), openToAll, 'ephemeral-sequential')], 'a raw place');
          await session.submit(closeSession);
        },
        [Symbol.asyncDispose]: () => connection[Symbol.asyncDispose](),
      };
    },
    [Symbol.asyncDispose]: () => ensemble[Symbol.asyncDispose](),
  };
}

function clients(
  runtime: Runtime,
  port: number,
  dialect: Dialect,
  configure: (port: number) => StoreConfigInput,
): Pick<Subject, 'open' | 'openWire'> {
  return {
    open: ({ wire } = {}) => openStore(storeConfigSchema.parse(configure(wire?.port ?? port)), runtime),
    openWire: () => Wire.open({ port }, dialect),
  };
}
