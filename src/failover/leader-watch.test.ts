import { expect, test } from 'vitest';
import { silentLogger } from '../core/logger.ts';
import { SimulatedNetwork, SimulatedTime, seededRandom } from '../sim/index.ts';
import { LeaderWatch } from './leader-watch.ts';
import type { Member } from './member.ts';
import { Peers } from './peers.ts';
import { memberState } from './testing/member-state.ts';

const policy = { heartbeatMs: 200, phi: 8, agentGraceMs: 3_000 };

test('a leader is judged in between where the next beat would come too late, and only then', async () => {
  const time = new SimulatedTime();
  const network = new SimulatedNetwork(seededRandom('leader watch'));
  const clock = time.clock();
  const runtime = { clock, random: seededRandom(1), logger: silentLogger };
  const peers = new Peers(network.join('b', ['a'], clock), runtime, { heartbeatMs: policy.heartbeatMs });
  const leader = network.join('a', ['b'], time.clock());
  await time.advance(300);
  const member = {
    node: 'b',
    service: 'orders',
    startedMs: 0,
    now: () => clock.monotonicMs(),
    addressOf: () => undefined,
    options: { policy },
    deps: { peers, runtime, store: { leadership: { value: { leader: 'a', term: 1, roster: [] } } } },
  };
  const watch = new LeaderWatch(member as unknown as Member);
  const members = [memberState({ role: 'primary', serving: 1 })];
  for (let n = 0; n < 20; n += 1) {
    leader.broadcast('heartbeat', { wallMs: n, nextMs: policy.heartbeatMs, agentAddress: 'a:7400', members, routers: [], copies: [] });
    await time.advance(policy.heartbeatMs);
    watch.judge();
    expect(watch.judgeInMs).toBeUndefined();
  }
  // Silent from now on: φ reaches 8 within the 200 ms after one of these looks, which has to be the one that says so.
  const looks: { readonly phi: number; readonly inMs: number | undefined }[] = [];
  for (let silentMs = 0; silentMs < 600; silentMs += policy.heartbeatMs / 4) {
    watch.judge();
    looks.push({ phi: peers.report('a')!.phi, inMs: watch.judgeInMs });
    await time.advance(policy.heartbeatMs / 4);
  }
  const crossed = looks.findIndex(({ phi }) => phi >= policy.phi);
  expect(crossed).toBeGreaterThan(4);
  looks.forEach(({ inMs }, n) => {
    if (n >= crossed - 4 && n < crossed) expect(inMs).toBeLessThanOrEqual(policy.heartbeatMs / 4);
    else expect(inMs).toBeUndefined();
  });
});
