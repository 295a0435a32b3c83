import { describe, expect, test } from 'vitest';
import { silentLogger } from '../core/logger.ts';
import type { Heartbeat, MemberState } from '../failover/messages.ts';
import { Peers } from '../failover/peers.ts';
import { memberState } from '../failover/testing/member-state.ts';
import { SimulatedNetwork, SimulatedTime, seededRandom } from '../sim/index.ts';
import { Heartbeats } from './heartbeats.ts';

const everyMs = 100;
/** Agents a and b with a member, and c without; each knows how often it heard whom, and what. */
async function agents() {
  const time = new SimulatedTime();
  const network = new SimulatedNetwork(seededRandom('heartbeats'));
  const names = ['a', 'b', 'c'] as const;
  const made = names.map((name) => {
    const clock = time.clock();
    const link = network.join(
      name,
      names.filter((other) => other !== name),
      clock,
    );
    const runtime = { clock, random: seededRandom(name), logger: silentLogger };
    const heard: Record<string, number> = {};
    const handle = link.handle.bind(link);
    // What is repeated is heard too, though it is no news.
    link.handle = (kind, handler) =>
      handle(kind, (from, body) => {
        heard[from] = (heard[from] ?? 0) + 1;
        return handler(from, body);
      });
    const peers = new Peers(link, runtime, { heartbeatMs: everyMs });
    const says: Partial<MemberState> & { term: number } = { term: 1 };
    const compose = (): Heartbeat => ({
      wallMs: clock.wallMs(),
      agentAddress: `${name}:7400`,
      members: name === 'c' ? [] : [memberState(says)],
      routers: [],
      copies: [],
    });
    const beats = new Heartbeats(peers, runtime, { everyMs, compose, onBeat: () => {}, stalled: () => {} });
    return { name, peers, says, heard, beats };
  });
  await time.advance(2_000);
  const [a, b, c] = made as [(typeof made)[0], (typeof made)[0], (typeof made)[0]];
  const during = async (ms: number): Promise<Record<string, Record<string, number>>> => {
    for (const agent of made) for (const node of Object.keys(agent.heard)) agent.heard[node] = 0;
    await time.advance(ms);
    return Object.fromEntries(made.map(({ name, heard }) => [name, { ...heard }]));
  };
  return { time, a, b, c, during, [Symbol.dispose]: () => made.forEach(({ beats }) => beats[Symbol.dispose]()) };
}

describe('heartbeats', () => {
  test('go to all members at every beat; to and from an agent without any at every third while nothing changes', async () => {
    using all = await agents();
    const heard = await all.during(6_000);
    for (const count of [heard['a']!['b']!, heard['b']!['a']!]) expect(count).toBeGreaterThanOrEqual(59);
    for (const count of [heard['c']!['a']!, heard['c']!['b']!, heard['a']!['c']!, heard['b']!['c']!]) {
      expect(count).toBeGreaterThanOrEqual(19);
      expect(count).toBeLessThanOrEqual(21);
    }
    // Which must not look like silence to anybody.
    expect(all.c.peers.report('a')!.phi).toBeLessThan(8);
    expect(all.a.peers.report('c')!.phi).toBeLessThan(8);
  });

  test('of those who all follow a leader come at every third beat, and at every one from when that is no longer so', async () => {
    using all = await agents();
    all.b.says.streamingFrom = 'a';
    await all.time.advance(1_000);
    const following = await all.during(6_000);
    expect(following['b']!['a']!).toBeGreaterThanOrEqual(59);
    for (const node of ['a', 'c']) {
      expect(following[node]!['b']!).toBeGreaterThanOrEqual(19);
      expect(following[node]!['b']!).toBeLessThanOrEqual(21);
    }
    // Neither looks like silence; the one that is watched would be missed as soon as ever.
    expect(all.a.peers.report('b')!.phi).toBeLessThan(1);
    expect(all.b.peers.report('a')!.phi).toBeLessThan(1);

    all.b.says.suspects = 1;
    expect((await all.during(1_000))['a']!['b']!).toBeGreaterThanOrEqual(9);
    all.b.says.suspects = 0;
    await all.time.advance(1_000);
    all.b.says.serving = 2;
    expect((await all.during(1_000))['a']!['b']!).toBeGreaterThanOrEqual(9);
    all.b.beats[Symbol.dispose]();
    await all.time.advance(500);
    expect(all.a.peers.report('b')!.phi).toBeGreaterThan(8);
  });

  test('tell everybody of a change at the next beat, and at once when it is announced', async () => {
    using all = await agents();
    for (let term = 2; term < 10; term += 1) {
      all.a.says.term = term;
      await all.time.advance(everyMs + 10);
      expect(all.c.peers.report('a')!.heartbeat.members[0]!.term).toBe(term);
    }
    all.a.says.term = 10;
    all.a.beats.announce();
    await all.time.advance(10);
    for (const { peers } of [all.b, all.c]) expect(peers.report('a')!.heartbeat.members[0]!.term).toBe(10);
  });

  test('say the time of day often enough to see clocks apart, and how old it is', async () => {
    using all = await agents();
    for (let n = 0; n < 200; n += 1) {
      await all.time.advance(130);
      const { heartbeat, stampAgeMs } = all.b.peers.report('a')!;
      expect(stampAgeMs).toBeLessThan(10_500);
      expect(Math.abs(all.time.clock().wallMs() - stampAgeMs - heartbeat.wallMs)).toBeLessThan(50);
    }
  });
});
