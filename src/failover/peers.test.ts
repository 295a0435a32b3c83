import { describe, expect, test } from 'vitest';
import { silentLogger } from '../core/logger.ts';
import { SimulatedNetwork, SimulatedTime, seededRandom, type SimulatedPeers } from '../sim/index.ts';
import type { Heartbeat } from './messages.ts';
import { Peers } from './peers.ts';

const heartbeat: Heartbeat = { wallMs: 1, agentAddress: 'b:7400', members: [], routers: [], copies: [] };

interface Room {
  readonly time: SimulatedTime;
  readonly network: SimulatedNetwork;
  readonly peers: Peers;
  readonly b: SimulatedPeers;
  /** `b` speaks every 100 ms for a while. */
  readonly beat: (forMs: number) => Promise<void>;
}

async function room(): Promise<Room> {
  const time = new SimulatedTime();
  const network = new SimulatedNetwork(seededRandom('peers'));
  const clock = time.clock();
  const a = network.join('a', ['b'], clock);
  const b = network.join('b', ['a'], time.clock());
  const peers = new Peers(a, { clock, random: seededRandom(1), logger: silentLogger }, { heartbeatMs: 100 });
  await time.advance(300);
  const beat = async (forMs: number): Promise<void> => {
    for (let ms = 0; ms < forMs; ms += 100) {
      b.broadcast('heartbeat', heartbeat);
      await time.advance(100);
    }
  };
  return { time, network, peers, b, beat };
}

describe('what is heard of peers', () => {
  test('is nothing before they spoke, then their last words and a low suspicion', async () => {
    const { peers, beat } = await room();
    expect(peers.reports()).toEqual([]);
    await beat(3_000);
    expect(peers.report('b')).toMatchObject({ node: 'b', status: 'connected', refused: false, heartbeat });
    expect(peers.report('b')!.phi).toBeLessThan(1);
    expect(peers.report('z')).toBeUndefined();
  });

  test('is suspicious silence when they fall silent, and forgotten when they speak again', async () => {
    const { time, peers, beat } = await room();
    await beat(3_000);
    await time.advance(600);
    expect(peers.report('b')).toMatchObject({ status: 'connected', refused: false });
    expect(peers.report('b')!.phi).toBeGreaterThan(8);
    expect(peers.report('b')!.silentMs).toBeGreaterThan(600);
    await beat(200);
    expect(peers.report('b')!.phi).toBeLessThan(2);
  });

  test('is not held against them when this observer had stalled', async () => {
    const { time, peers, beat } = await room();
    await beat(3_000);
    await time.advance(5_000);
    peers.observerStalled();
    expect(peers.report('b')!.phi).toBeLessThan(1);
  });

  test('is a refusal when their process is gone, which listeners are told of at once', async () => {
    const { time, peers, b, beat } = await room();
    await beat(500);
    const told: string[] = [];
    using _listening = peers.onChange((node) => told.push(`${node} ${peers.report(node)!.status}`));
    b.kill();
    await time.advance(10);
    expect(told).toEqual(['b reset', 'b refused']);
    expect(peers.report('b')!.refused).toBe(true);
  });

  test('is told of when it is new, not when it is said again', async () => {
    const { time, peers, b, beat } = await room();
    await beat(500);
    let told = 0;
    using _listening = peers.onChange(() => void (told += 1));
    await beat(500);
    expect([told, peers.report('b')!.silentMs < 200]).toEqual([0, true]);
    b.broadcast('heartbeat', { ...heartbeat, wallMs: 2 });
    await time.advance(50);
    expect([told, peers.report('b')!.heartbeat.wallMs]).toEqual([1, 2]);
  });

  test('is dropped when it is nonsense', async () => {
    const { time, peers, b, beat } = await room();
    await beat(300);
    for (const nonsense of [null, 7, 'x', {}, { ...heartbeat, members: [{ service: 'orders' }] }, { ...heartbeat, wallMs: 'now' }])
      b.broadcast('heartbeat', nonsense);
    await time.advance(50);
    expect(peers.report('b')!.heartbeat).toEqual(heartbeat);
  });
});
