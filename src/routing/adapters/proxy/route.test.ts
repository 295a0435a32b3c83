import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RouteView, Target } from '../../router.ts';
import { RouteBoard } from './board.ts';
import { chooseRoute, type ReadPolicy } from './route.ts';

const target = (node: string): Target => ({ node, host: `${node}.test`, port: 5432 });
const idle = { connections: 0, isOut: false };
const fallback: ReadPolicy = { lagBytesMax: 100, readFromLeader: 'fallback' };
const view: RouteView = {
  term: 3,
  leader: target('a'),
  replicas: [
    { ...target('b'), lagBytes: 0 },
    { ...target('c'), lagBytes: 100 },
    { ...target('d'), lagBytes: 101 },
  ],
};

describe('chooseRoute', () => {
  const nodesOver = (count: number, choose: (turn: number) => string | undefined): Set<string | undefined> =>
    new Set(Array.from({ length: count }, (_, turn) => choose(turn)));

  it('sends writers to the leader alone', () => {
    expect(chooseRoute('write', view, fallback, () => idle, 7)).toEqual({ target: target('a'), as: 'leader' });
    expect(chooseRoute('write', view, fallback, () => ({ connections: 0, isOut: true }), 7)?.target.node).toBe('a');
    expect(chooseRoute('write', { ...view, leader: undefined }, fallback, () => idle, 7)).toBeUndefined();
  });

  it('gives equals their turns', () => {
    expect(nodesOver(4, (turn) => chooseRoute('read', view, fallback, () => idle, turn)?.target.node)).toEqual(new Set(['b', 'c']));
  });

  it('prefers the one with the fewest connections', () => {
    const loadOf = ({ node }: Target) => ({ connections: node === 'b' ? 5 : 4, isOut: false });
    expect(nodesOver(4, (turn) => chooseRoute('read', view, fallback, loadOf, turn)?.target.node)).toEqual(new Set(['c']));
  });

  it('uses the leader for reading as it is told', () => {
    const lagging = { ...view, replicas: [{ ...target('d'), lagBytes: 101 }] };
    const choose = (readFromLeader: ReadPolicy['readFromLeader'], of: RouteView) =>
      nodesOver(6, (turn) => chooseRoute('read', of, { lagBytesMax: 100, readFromLeader }, () => idle, turn)?.target.node);
    expect(choose('fallback', lagging)).toEqual(new Set(['a']));
    expect(choose('never', lagging)).toEqual(new Set([undefined]));
    expect(choose('always', view)).toEqual(new Set(['a', 'b', 'c']));
  });

  it('passes over servers that let nobody in, as long as there is another', () => {
    const outs =
      (...nodes: string[]) =>
      ({ node }: Target) => ({ connections: 0, isOut: nodes.includes(node) });
    const choose = (...nodes: string[]) => nodesOver(6, (turn) => chooseRoute('read', view, fallback, outs(...nodes), turn)?.target.node);
    expect(choose('b')).toEqual(new Set(['c']));
    expect(choose('b', 'c')).toEqual(new Set(['a']));
    expect(choose('a', 'b', 'c')).toEqual(new Set(['b', 'c']));
  });

  it('never takes for a replica the member that leads', () => {
    const both = { ...view, replicas: [{ ...target('a'), lagBytes: 0 }] };
    expect(chooseRoute('read', both, { ...fallback, readFromLeader: 'never' }, () => idle, 0)).toBeUndefined();
  });
});

describe('RouteBoard', () => {
  const withLeader = (term: number, node: string | undefined): RouteView => ({
    term,
    leader: node === undefined ? undefined : target(node),
    replicas: [],
  });

  it('Safety: the term never goes back, and within a term there is one leader. Method: random views', () => {
    const views = fc.array(
      fc.record({ term: fc.integer({ min: 0, max: 6 }), node: fc.option(fc.constantFrom('a', 'b', 'c'), { nil: undefined }) }),
      { maxLength: 60 },
    );
    fc.assert(
      fc.property(views, (published) => {
        const board = new RouteBoard();
        const leaders = new Map<number, string>();
        let term = 0;
        for (const { term: next, node } of published) {
          board.publish(withLeader(next, node));
          expect(board.view.term).toBeGreaterThanOrEqual(term);
          term = board.view.term;
          const leader = board.view.leader?.node;
          if (leader !== undefined) expect(leader).toBe(leaders.get(term) ?? leader);
          if (leader !== undefined) leaders.set(term, leader);
        }
      }),
    );
  });

  it('invalidates the way to a leader at a new term, another address and a hold, and at nothing else', () => {
    const board = new RouteBoard();
    board.publish(withLeader(1, 'a'));
    const route = () => board.route({ target: board.view.leader!, as: 'leader' });
    const expectAbort = (aborts: boolean, change: () => void): void => {
      const { validity } = route();
      change();
      expect(validity.aborted).toBe(aborts);
    };
    expectAbort(false, () => board.publish(view1WithReplica()));
    expectAbort(false, () => board.publish(withLeader(0, 'b')));
    expectAbort(true, () => board.publish({ ...withLeader(1, 'a'), leader: { ...target('a'), port: 5433 } }));
    expectAbort(true, () => void board.hold(1));
    expectAbort(false, () => void board.hold(0));
    expectAbort(false, () => board.resume(1));
    expectAbort(true, () => board.publish(withLeader(2, 'a')));
    function view1WithReplica(): RouteView {
      return { ...withLeader(1, 'a'), replicas: [{ ...target('b'), lagBytes: 0 }] };
    }
  });

  it('holds until a leader of a higher term, or until it is told to go on', () => {
    const board = new RouteBoard();
    board.publish(withLeader(1, 'a'));
    board.hold(1);
    board.publish(withLeader(1, 'a'));
    board.publish(withLeader(2, undefined));
    expect(board.viewFor('write').leader).toBeUndefined();
    expect(board.isHolding).toBe(true);
    board.publish(withLeader(2, 'b'));
    expect(board.viewFor('write').leader?.node).toBe('b');
    board.hold(2);
    expect(board.viewFor('read').leader?.node).toBe('b');
    board.resume(2);
    expect(board.viewFor('write').leader?.node).toBe('b');
  });
});
