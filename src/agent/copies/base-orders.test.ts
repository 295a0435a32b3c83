import { expect, test } from 'vitest';
import type { WalPosition } from '../../backup/index.ts';
import type { Member } from '../../failover/member.ts';
import type { MemberState } from '../../failover/messages.ts';
import type { PeerView } from '../../failover/observation.ts';
import { memberState } from '../../failover/testing/member-state.ts';
import { SimulatedNetwork, SimulatedTime, seededRandom } from '../../sim/index.ts';
import { BaseDesk, decideGivingUp, decideMakers, orderBase, replicasOf } from './base-orders.ts';
import type { CopiesTerm } from './term.ts';

function peer(node: string, state: Partial<MemberState> = {}, alive = true): PeerView {
  return { node, alive, state: memberState({ streamingFrom: 'a', ...state }), ageMs: 0 };
}

test('base backups are made of replicas in good health, the least wanted as a leader first', () => {
  const peers = [
    peer('b'),
    peer('c', { priority: 50 }),
    peer('d', { nofailover: true, priority: 200 }),
    peer('e', {}, false),
    peer('f', { role: 'primary' }),
    peer('g', { accepting: false }),
    peer('h', { streamingFrom: 'b' }),
    peer('i', { impairment: 'full' }),
  ];
  expect(replicasOf(peers, 'a')).toEqual(['d', 'c', 'b']);
  expect(replicasOf([], 'a')).toEqual([]);
});

test('whoever makes one already is waited for, others are asked in their order, and who does not answer is not', () => {
  const idle = { state: 'idle' } as const;
  const making = { state: 'making' } as const;
  const asked = (...replies: (typeof idle | typeof making | undefined)[]) =>
    decideMakers(replies.map((reply, index) => ({ node: 'bcd'[index]!, reply }))).map(({ node, isMaking }) => `${node} ${isMaking}`);
  expect(asked(idle, idle, idle)).toEqual(['b false', 'c false']);
  expect(asked(idle, making, idle)).toEqual(['c true', 'b false']);
  expect(asked(undefined, idle, undefined)).toEqual(['c false']);
  expect(asked(undefined, undefined)).toEqual([]);
});

test.each([
  ['goes on while it is asked after', { silentMs: 2_000, role: 'replica' }, undefined],
  ['goes on while its database restarts', { silentMs: 2_000, role: 'none' }, undefined],
  ['is given up when nobody asks any more', { silentMs: 30_001, role: 'replica' }, expect.stringContaining('no leader asks')],
  ['is given up when its replica leads', { silentMs: 0, role: 'primary' }, expect.stringContaining('leads now')],
])('a base backup that is being made %s', (_, seen, why) => {
  expect(decideGivingUp(seen)).toEqual(why);
});

/** Agents a and b, who lead one after the other, and the replicas c and d of both, with a desk each. */
function agents() {
  const time = new SimulatedTime();
  const network = new SimulatedNetwork(seededRandom('base-orders'));
  const names = ['a', 'b', 'c', 'd'];
  const told: unknown[] = [];
  const checkpoints: string[] = [];
  const made = names.map((node) => {
    const clock = time.clock();
    const others = names.filter((other) => other !== node);
    const link = network.join(node, others, clock);
    const engineState = { role: 'replica' };
    const peerViews = () => [peer('c', { streamingFrom: node }), peer('d', { streamingFrom: node, priority: 200 })];
    const checkpoint = (): Promise<void> => Promise.resolve(void checkpoints.push(node));
    const member = { node, service: 'orders', engineState, peerViews, deps: { engine: { checkpoint }, peers: { network: link } } };
    const record = (what: string, data: unknown): void => void told.push([what, data]);
    const term = { member, record, runtime: { clock } } as unknown as CopiesTerm;
    const work: { stored: WalPosition; signal: AbortSignal; end: (error?: Error) => void }[] = [];
    const desk = new BaseDesk(clock, member as unknown as Member, (stored, signal) => {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
      work.push({ stored, signal, end: (error) => (error === undefined ? resolve() : reject(error)) });
      return promise;
    });
    const order = (signal: AbortSignal = new AbortController().signal) => orderBase(term, { timeline: 1, lsn: 7n }, signal);
    return { node, engineState, work, desk, order };
  });
  const [a, b, c, d] = made as [(typeof made)[0], (typeof made)[0], (typeof made)[0], (typeof made)[0]];
  return { a, b, c, d, time, network, told, checkpoints };
}

test('an order is made once however often it is asked after, and the next leader waits for it instead of ordering another', async () => {
  const { a, b, c, d, time, told, checkpoints } = agents();
  await time.advance(2_000);
  const dies = new AbortController();
  const first = a.order(dies.signal).catch((error: unknown) => error);
  await time.advance(60_000);
  expect([c.work.length, d.work.length, checkpoints]).toEqual([1, 0, ['a']]);
  expect(c.work[0]!.stored).toEqual({ timeline: 1, lsn: 7n });
  dies.abort(new Error('its agent is gone'));
  await time.advance(10_000);
  expect(await first).toMatchObject({ message: 'its agent is gone' });
  const second = b.order();
  await time.advance(60_000);
  c.work[0]!.end();
  await time.advance(10_000);
  expect(await second).toBe('c');
  expect([c.work.length, d.work.length, checkpoints, told]).toEqual([1, 0, ['a'], []]);
});

test('one that nobody asks after is given up, and the desk makes the next one', async () => {
  const { a, b, c, time } = agents();
  await time.advance(2_000);
  const dies = new AbortController();
  const first = a.order(dies.signal).catch(() => undefined);
  await time.advance(5_000);
  dies.abort(new Error('its agent is gone'));
  await first;
  await time.advance(29_000);
  expect(c.work[0]!.signal.aborted).toBe(false);
  await time.advance(10_000);
  expect(c.work[0]!.signal.reason).toMatchObject({ code: 'BACKUP_INTERRUPTED', message: expect.stringContaining('no leader asks') });
  const next = b.order();
  await time.advance(5_000);
  c.work[1]!.end();
  await time.advance(5_000);
  expect(await next).toBe('c');
});

test('a replica that dies, fails or begins to lead in the midst makes way for another one', async () => {
  const { a, c, d, time, network, told } = agents();
  await time.advance(2_000);
  const first = a.order();
  await time.advance(10_000);
  network.power('c', false);
  await time.advance(60_000);
  expect(told).toEqual([['backup.base.failed', { node: 'c', error: 'c does not answer any more' }]]);
  d.work[0]!.end();
  await time.advance(5_000);
  expect(await first).toBe('d');
  network.power('c', true);
  await time.advance(10_000);

  const second = a.order();
  await time.advance(5_000);
  c.engineState.role = 'primary';
  await time.advance(10_000);
  expect(told[1]).toEqual(['backup.base.failed', { node: 'c', error: expect.stringContaining('leads now') }]);
  d.work[1]!.end(new Error('its disk is full'));
  await time.advance(5_000);
  expect(await second).toBeUndefined();
  expect(told[2]).toEqual(['backup.base.failed', { node: 'd', error: 'its disk is full' }]);
});
