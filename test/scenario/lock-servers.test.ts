import { describe, expect, it } from 'vitest';
import { clock, HeldCommands } from './held-command.ts';
import { EtcdCluster, hasEtcd } from './servers/etcd.ts';
import { hasZooKeeper, ZooKeeperEnsemble } from './servers/zookeeper.ts';

const lock = ['lock', 'demo', '--ttl', '4s'];
const acting = 'while :; do echo "$HOLDFAST_TOKEN" >> acts; sleep 0.02; done';

interface Server extends AsyncDisposable {
  readonly coordination: string;
  kill(): Promise<void>;
  start(): Promise<void>;
}

async function startEtcd(): Promise<Server> {
  const cluster = await EtcdCluster.start(clock);
  const [member] = cluster.members;
  return {
    coordination: `etcd:${member!.url}`,
    kill: () => member!.kill(),
    start: async () => {
      member!.start();
      await cluster.ready();
    },
    [Symbol.asyncDispose]: () => cluster[Symbol.asyncDispose](),
  };
}

async function startZooKeeper(): Promise<Server> {
  const ensemble = await ZooKeeperEnsemble.start(clock);
  const [server] = ensemble.servers;
  return {
    coordination: `zookeeper:127.0.0.1:${server!.port}`,
    kill: () => server!.process.kill(),
    start: async () => {
      server!.process.start();
      await ensemble.ready();
    },
    [Symbol.asyncDispose]: () => ensemble[Symbol.asyncDispose](),
  };
}

describe.each([
  { name: 'etcd (needs etcd and etcdctl)', there: hasEtcd(), start: startEtcd },
  { name: 'ZooKeeper (needs java and the package zookeeper)', there: hasZooKeeper(), start: startZooKeeper },
])('holdfast lock over $name', ({ there, start }) => {
  it.runIf(there)('hands over in order, never to two, through the death of a holder and of the store', async () => {
    await using server = await start();
    await using commands = await HeldCommands.open(server.coordination);
    const tokens = async (): Promise<bigint[]> => (await commands.lines('acts')).map(BigInt);
    const holders = async (): Promise<number> => new Set(await tokens()).size;
    const until = async (count: number): Promise<void> => {
      while ((await holders()) < count) await clock.sleep(50);
      await clock.sleep(200);
    };
    const first = commands.start(lock, acting);
    await until(1);
    const second = commands.start(lock, acting);
    await clock.sleep(1_500);
    const third = commands.start(lock, acting);
    expect(await commands.start([...lock, '--wait', '500ms'], acting).finished).toMatchObject({ code: 1 });
    process.kill(first.process.pid!, 'SIGKILL');
    await until(2);

    await server.kill();
    const { code, stderr } = await second.finished;
    expect({ code, stderr }).toEqual({ code: 75, stderr: expect.stringContaining('could not be kept') });
    const late = commands.start(lock, acting);
    await clock.sleep(1_500);
    expect(await holders(), 'nobody holds while the store is away').toBe(2);
    await server.start();
    await until(3);
    process.kill(third.process.pid!, 'SIGTERM');
    process.kill(late.process.pid!, 'SIGTERM');
    await Promise.all([third.finished, late.finished]);
    const all = await tokens();
    expect(all).toEqual(all.toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0)));
  });
});
