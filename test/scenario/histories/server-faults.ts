import type { Clock } from '../../../src/core/clock.ts';
import type { SeededRandom } from '../../../src/sim/index.ts';
import type { EtcdCluster } from '../servers/etcd.ts';
import type { ServerProcess } from '../servers/server-process.ts';
import type { ZooKeeperEnsemble } from '../servers/zookeeper.ts';
import type { Fault } from './faults.ts';

/** How long a server is away. */
const awayMsMin = 600;
const awayMsMax = 2_600;
/** How long a server of ZooKeeper may take to join the others again. */
const joinMsMax = 20_000;
const joinPollMs = 100;
const reasonLengthMax = 300;

/** A store of three servers, as faults see it. */
export interface Servers {
  readonly processes: readonly ServerProcess[];
  readonly leader: () => Promise<ServerProcess>;
  /** Makes another lead while all go on; undefined where that can not be asked for. */
  readonly depose: (() => Promise<void>) | undefined;
  readonly ready: () => Promise<void>;
}

export function etcdServers(cluster: EtcdCluster): Servers {
  return {
    processes: cluster.members,
    leader: () => cluster.leader(),
    depose: async () => void (await cluster.moveLeader()),
    ready: () => cluster.ready(),
  };
}

export function zooKeeperServers(ensemble: ZooKeeperEnsemble, clock: Clock): Servers {
  return {
    processes: ensemble.servers.map(({ process }) => process),
    leader: async () => (await ensemble.leader()).process,
    depose: undefined,
    ready: () => zooKeeperReady(ensemble, clock),
  };
}

/** A server that loses its leader in the moment it joins may wait for ever to be told that it is up to date; an operator starts it anew. */
async function zooKeeperReady(ensemble: ZooKeeperEnsemble, clock: Clock): Promise<void> {
  const deadlineMs = clock.monotonicMs() + joinMsMax;
  const silent = async (): Promise<readonly ServerProcess[]> => {
    const modes = await Promise.all(ensemble.servers.map((server) => server.mode()));
    return ensemble.servers.filter((_, n) => modes[n] === undefined).map(({ process }) => process);
  };
  for (let left = await silent(); left.length > 0; left = await silent()) {
    if (clock.monotonicMs() > deadlineMs) {
      for (const server of left) {
        await server.kill();
        server.start();
      }
      return ensemble.ready();
    }
    await clock.sleep(joinPollMs);
  }
}

/** What happens to the servers: all of it is mended, and the store serves again, before the next. */
export function serverFaults(clock: Clock, random: SeededRandom, servers: Servers): Fault[] {
  const away = (): Promise<void> => clock.sleep(awayMsMin + random.next() * (awayMsMax - awayMsMin));
  const other = async (): Promise<ServerProcess> => {
    const leader = await servers.leader();
    return random.pick(servers.processes.filter((server) => server !== leader));
  };
  // On a machine that is short of time servers may not be back yet: that is one more fault, and the next one finds them where they are.
  const fault = (name: string, inject: () => Promise<void>): Fault => ({
    name,
    inject: () =>
      inject()
        .then(() => servers.ready())
        .catch((error: unknown) => void process.stderr.write(`${name}: ${String(error).slice(0, reasonLengthMax)}\n`)),
  });
  const killed = (which: () => Promise<ServerProcess>) => async (): Promise<void> => {
    const server = await which();
    await server.kill();
    await away();
    server.start();
  };
  const paused = (which: () => Promise<ServerProcess>) => async (): Promise<void> => {
    const server = await which();
    await server.pause();
    await away();
    server.continue();
  };
  return [
    fault('leader killed', killed(servers.leader)),
    fault('follower killed', killed(other)),
    fault('leader paused', paused(servers.leader)),
    fault('follower paused', paused(other)),
    fault('all servers restarted', async () => {
      await Promise.all(servers.processes.map((server) => server.kill()));
      await clock.sleep(awayMsMin);
      for (const server of servers.processes) server.start();
    }),
    ...(servers.depose === undefined ? [] : [fault('leader deposed', servers.depose)]),
  ];
}
