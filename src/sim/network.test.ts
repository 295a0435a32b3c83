import { describe, expect, test } from 'vitest';
import { SimulatedTime } from './clock.ts';
import { SimulatedNetwork, type SimulatedPeers } from './network.ts';
import { seededRandom } from './random.ts';

const names = ['a', 'b', 'c'];

async function connected(): Promise<{
  time: SimulatedTime;
  network: SimulatedNetwork;
  peers: Record<string, SimulatedPeers>;
  join: (name: string) => SimulatedPeers;
}> {
  const time = new SimulatedTime();
  const network = new SimulatedNetwork(seededRandom('network'));
  const join = (name: string): SimulatedPeers =>
    network.join(
      name,
      names.filter((other) => other !== name),
      time.clock(),
    );
  const peers = Object.fromEntries(names.map((name) => [name, join(name)]));
  await time.advance(500);
  return { time, network, peers, join };
}

function status(peers: SimulatedPeers, node: string): string {
  return peers.links().find((link) => link.node === node)!.status;
}

describe('the simulated network', () => {
  test('connects everybody, and carries messages in order whatever they take', async () => {
    const { time, network, peers } = await connected();
    for (const name of names) expect(peers[name]!.links().map((link) => link.status)).toEqual(['connected', 'connected']);
    Object.assign(network.way('a', 'b'), { delayMsMin: 0, delayMsMax: 200 });
    const heard: unknown[] = [];
    peers['b']!.handle('count', async (from, body) => heard.push([from, body]));
    for (let i = 0; i < 50; i++) peers['a']!.broadcast('count', { i });
    await time.advance(1_000);
    expect(heard).toEqual(Array.from({ length: 50 }, (_, i) => ['a', { i }]));
  });

  test('answers requests, carries refusals, and gives up in time', async () => {
    const { time, peers } = await connected();
    peers['b']!.handle('double', async (_, body) => (body as number) * 2);
    peers['b']!.handle('never', () => new Promise(() => {}));
    peers['b']!.handle('no', () => Promise.reject(new Error('not today')));
    const ask = (kind: string, body: unknown = null): Promise<unknown> =>
      peers['a']!.request('b', kind, body, { timeoutMs: 300 }).catch((error: unknown) => error);
    const asked = Promise.all([ask('double', 21), ask('never'), ask('no'), ask('unknown')]);
    await time.advance(400);
    expect(await asked).toMatchObject([
      42,
      { code: 'PEER_TIMEOUT' },
      { code: 'PEER_REFUSED', message: expect.stringContaining('not today') },
      { code: 'PEER_REFUSED' },
    ]);
    await expect(peers['a']!.request('z', 'double', 1, { timeoutMs: 1 })).rejects.toMatchObject({ code: 'PEER_UNREACHABLE' });
  });

  test('a killed process is reset, then refused; waiting requests fail at once; started again it is connected', async () => {
    const { time, peers, join } = await connected();
    peers['b']!.handle('never', () => new Promise(() => {}));
    const waiting = peers['a']!.request('b', 'never', null, { timeoutMs: 10_000 }).catch((error: unknown) => error);
    const seen: string[] = [];
    peers['a']!.onLinkChange((link) => seen.push(`${link.node} ${link.status}`));
    await time.advance(5);
    peers['b']!.kill();
    await time.advance(20);
    expect(seen).toEqual(['b reset', 'b refused']);
    expect(await waiting).toMatchObject({ code: 'PEER_UNREACHABLE' });
    join('b');
    await time.advance(300);
    expect(status(peers['a']!, 'b')).toBe('connected');
  });

  test('a machine without power is silent: nobody is told, until it has been silent for too long', async () => {
    const { time, network, peers } = await connected();
    network.power('b', false);
    peers['b']!.kill();
    await time.advance(2_000);
    expect(status(peers['a']!, 'b')).toBe('connected');
    await time.advance(4_000);
    expect(status(peers['a']!, 'b')).toBe('unreachable');
  });

  test('a way that is cut carries nothing; the other direction does', async () => {
    const { time, network, peers } = await connected();
    const heard: string[] = [];
    for (const name of ['a', 'b']) peers[name]!.handle('hello', async (from) => heard.push(`${from} to ${name}`));
    network.way('a', 'b').open = false;
    peers['a']!.broadcast('hello', null);
    peers['b']!.broadcast('hello', null);
    await time.advance(100);
    expect(heard).toEqual(['b to a']);
    expect([network.isOpen('a', 'b'), network.isOpen('b', 'c')]).toEqual([false, true]);
    network.heal();
    expect(network.isOpen('a', 'b')).toBe(true);
  });

  test('a stalled process hears late, a killed one never', async () => {
    const { time, peers } = await connected();
    const heard: string[] = [];
    peers['b']!.handle('hello', async () => heard.push('b'));
    peers['c']!.handle('hello', async () => heard.push('c'));
    peers['b']!.clock.stall();
    peers['a']!.broadcast('hello', null);
    peers['c']!.kill();
    await time.advance(100);
    expect(heard).toEqual([]);
    peers['b']!.clock.resume();
    await time.advance(1);
    expect(heard).toEqual(['b']);
  });
});
