import type { Clock } from '../../../src/core/clock.ts';
import { EtcdCluster, type EtcdMember } from '../servers/etcd.ts';
import type { ServerPlace, ServerProcess } from '../servers/server-process.ts';
import { ZooKeeperEnsemble } from '../servers/zookeeper.ts';

/** An election takes a second or two, and more while others stand too. */
const LEADER_ASKS_MAX = 100;
const LEADER_ASK_AGAIN_MS = 100;

/** A coordination store with a server on each host. */
export interface Store extends AsyncDisposable {
  /** As `coordination` of `layOut` wants it. */
  readonly coordination: string;
  /** In the order of the hosts. */
  readonly servers: readonly StoreServer[];
  /** Which server leads; waits until one does. */
  leader(): Promise<number>;
  /** Resolves when all that run serve. */
  ready(): Promise<void>;
}

export interface StoreServer {
  readonly process: ServerProcess;
  /** Where clients reach it. */
  readonly clientPorts: readonly number[];
  /** Where the other servers reach it. */
  readonly peerPorts: readonly number[];
}

export type StoreKind = 'etcd' | 'zookeeper';

export async function startStore(kind: StoreKind, places: readonly ServerPlace[], clock: Clock): Promise<Store> {
  return await (kind === 'etcd' ? startEtcd(places, clock) : startZooKeeper(places, clock));
}

async function startEtcd(places: readonly ServerPlace[], clock: Clock): Promise<Store> {
  const etcd = await EtcdCluster.start(clock, { members: 3, places });
  return {
    coordination: `etcd:${etcd.endpoints.join(',')}`,
    servers: etcd.members.map((member) => ({ process: member, clientPorts: [member.port], peerPorts: [member.peerPort] })),
    leader: async () => etcd.members.indexOf(await leaderOf(etcd, clock)),
    ready: () => etcd.ready(),
    [Symbol.asyncDispose]: () => etcd[Symbol.asyncDispose](),
  };
}

async function leaderOf(etcd: EtcdCluster, clock: Clock): Promise<EtcdMember> {
  for (let asks = 1; ; asks++) {
    try {
      return await etcd.leader();
    } catch (error) {
      if (asks === LEADER_ASKS_MAX) throw error;
    }
    await clock.sleep(LEADER_ASK_AGAIN_MS);
  }
}

async function startZooKeeper(places: readonly ServerPlace[], clock: Clock): Promise<Store> {
  const ensemble = await ZooKeeperEnsemble.start(clock, { servers: 3, places });
  return {
    coordination: `zookeeper:${ensemble.addresses.join(',')}`,
    servers: ensemble.servers.map(({ process, ports: [client, ...peers] }) => ({ process, clientPorts: [client!], peerPorts: peers })),
    leader: async () => ensemble.servers.indexOf(await ensemble.leader()),
    ready: () => ensemble.ready(),
    [Symbol.asyncDispose]: () => ensemble[Symbol.asyncDispose](),
  };
}
