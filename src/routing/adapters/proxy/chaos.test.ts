import type { Socket } from 'node:net';
import { expect, it } from 'vitest';
import { silentLogger } from '../../../core/logger.ts';
import { createClock } from '../../../runtime/clock.ts';
import { createRandom } from '../../../runtime/random.ts';
import { seededRandom } from '../../../sim/random.ts';
import { eventually, TestClient, TestMember } from '../../contract/tcp.ts';
import { configSchema } from './config.ts';
import { proxy } from './index.ts';

const clock = createClock();
const nodes = ['a', 'b', 'c'] as const;
const stepsTotal = 400;

// Safety: a client that connected after a term was published is never served by a leader of a lower one, and after a term was published
// nothing more comes from a server of a lower one; whatever clients and servers do, no connection is left behind.
// Method: seeded random acts of clients, servers and leaderships on real connections; servers say who they are.
it.each([1, 2, 3])('serves from the leader of the highest term through whatever happens (seed %i)', async (seed) => {
  const random = seededRandom(seed);
  const below = (count: number): number => Math.floor(random.next() * count);
  const members = new Map<string, TestMember>();
  for (const node of nodes) {
    const serve = (socket: Socket): void => {
      socket.on('error', () => {});
      // Some servers hang up at once, some say nothing for a while, some talk all the time.
      const mood = below(8);
      if (mood === 0) return void socket.destroy();
      if (mood === 1) return void socket.resume().on('end', () => socket.end());
      socket.write(`${node}\n`);
      socket.on('data', () => socket.write(`${node}\n`)).on('end', () => socket.end());
    };
    members.set(node, await TestMember.start(node, serve));
  }
  const config = {
    ...configSchema.parse({ write: '127.0.0.1:1', protocol: 'tcp', hold: { connections: 20, for: '400ms' } }),
    write: { host: '127.0.0.1', port: 0 },
  };
  const router = await proxy.open('orders', config, { clock, random: createRandom(), logger: silentLogger });

  let term = 0;
  let leader: string | undefined;
  const leaderOf = new Map<number, string>();
  const clients: { client: TestClient; since: number }[] = [];
  const publish = (isNew: boolean, named: boolean): void => {
    if (isNew) {
      term++;
      leader = nodes[below(nodes.length)]!;
      leaderOf.set(term, leader);
    }
    const member = members.get(leader ?? 'a')!;
    router.publish({
      term,
      leader: named && leader !== undefined ? { node: leader, host: member.host, port: member.port } : undefined,
      replicas: [],
    });
  };
  const acts: readonly (() => unknown)[] = [
    async () => void clients.push({ since: term, client: await TestClient.connect(router.status().write!) }),
    async () => void clients.push({ since: term, client: await TestClient.connect(router.status().write!) }),
    () => clients[below(clients.length || 1)]?.client.say('x'.repeat(1 + below(5_000))),
    () => void clients[below(clients.length || 1)]?.client.socket.end(),
    () => void clients[below(clients.length || 1)]?.client.socket.resetAndDestroy(),
    () => publish(below(4) === 0, below(3) > 0),
    () => {
      const member = members.get(nodes[below(nodes.length)]!)!;
      router.publish({ term: term - 1, leader: { node: member.node, host: member.host, port: member.port }, replicas: [] });
    },
    () => (below(3) === 0 ? void router.hold(term - below(2)) : router.resume(term)),
    async () => {
      const member = members.get(nodes[below(nodes.length)]!)!;
      await member[Symbol.asyncDispose]();
      await member.listen();
    },
    () => clock.sleep(below(20)),
  ];
  for (let step = 0; step < stepsTotal; step++) await acts[below(acts.length)]!();

  for (const { client, since } of clients) {
    const speakers = new Set(client.text.split('\n').filter((name) => nodes.includes(name as 'a')));
    // One connection is one server; and it led at some term not lower than the one known when the client came.
    expect(speakers.size).toBeLessThanOrEqual(1);
    const [speaker] = speakers;
    if (speaker !== undefined)
      expect(
        [...leaderOf].some(([at, node]) => at >= since && node === speaker),
        `${speaker} since term ${since}`,
      ).toBe(true);
  }
  // The last term: whoever was served is cut, and nothing comes any more but from its leader.
  const served = clients.filter(({ client }) => client.heard.length > 0 && client.ending === undefined);
  publish(true, true);
  router.resume(Infinity);
  await eventually(clock, () => served.every(({ client }) => client.ending !== undefined), 'all that were served are cut');
  const counts = clients.map(({ client }) => client.heard.length);
  await eventually(
    clock,
    () => router.status().connections.held === 0 || clients.every(({ client }) => client.socket.destroyed),
    'nobody is held for ever',
  );
  for (const [index, { client }] of clients.entries())
    if (client.heard.length > counts[index]!) expect(client.text.slice(counts[index])).toMatch(new RegExp(`^(${leader}\n)*$`));
  for (const { client } of clients) client.socket.destroy();
  await eventually(clock, () => router.status().connections.write === 0 && router.status().connections.held === 0, 'no client is left');
  await eventually(clock, () => [...members.values()].every((member) => member.sockets.size === 0), 'no server connection is left');
  await router[Symbol.asyncDispose]();
  for (const member of members.values()) await member[Symbol.asyncDispose]();
});
