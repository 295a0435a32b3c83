import { expect, test } from 'vitest';
import { silentLogger } from '../core/logger.ts';
import { SimulatedNetwork, SimulatedTime, seededRandom } from '../sim/index.ts';
import type { Member } from './member.ts';
import type { CopiesState } from './messages.ts';
import { Peers } from './peers.ts';
import { Retention } from './retention.ts';

const copies: CopiesState = { service: 'orders', location: 'disk', parts: [], alarms: [] };

test('WAL is kept for the journal up to where the present leader says that it is stored, and up to nowhere while none says so', async () => {
  const time = new SimulatedTime();
  const network = new SimulatedNetwork(seededRandom('retention'));
  const clock = time.clock();
  const runtime = { clock, random: seededRandom(1), logger: silentLogger };
  const peers = new Peers(network.join('b', ['a', 'c'], clock), runtime, { heartbeatMs: 200 });
  const [a, c] = [network.join('a', ['b'], time.clock()), network.join('c', ['b'], time.clock())];
  await time.advance(300);
  const asked: (bigint | undefined)[] = [];
  const leadership = { value: { leader: 'a', roster: [{ k: 1, voters: ['a', 'c'] }] } };
  const member = {
    node: 'b',
    service: 'orders',
    now: () => clock.monotonicMs(),
    peerViews: () => [],
    engineState: { accepting: true },
    deps: {
      peers,
      runtime,
      store: { leadership },
      engine: {
        capabilities: { replicated: true },
        retain: async (_members: unknown, { journal }: { journal?: bigint }) => void asked.push(journal),
      },
    },
  };
  const retention = new Retention(member as unknown as Member);
  const say = async (from: typeof a, node: string, journalled?: bigint): Promise<void> => {
    const own = { ...copies, ...(journalled !== undefined && { journalled: { timeline: 1, lsn: journalled.toString() } }) };
    const other = { ...copies, service: 'other', journalled: { timeline: 1, lsn: '7' } };
    from.broadcast('heartbeat', { wallMs: 1, agentAddress: `${node}:7400`, members: [], routers: [], copies: [other, own] });
    await time.advance(6_000);
    retention.renew();
  };

  await say(a, 'a');
  await say(a, 'a', 500n);
  await say(a, 'a', 700n);
  // Of what another one said that does not lead, nothing is known to be true any more.
  leadership.value.leader = 'c';
  await say(a, 'a', 900n);
  await say(c, 'c', 800n);
  expect(asked).toEqual([undefined, 500n, 700n, undefined, 800n]);
});
