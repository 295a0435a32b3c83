import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { comparePositions, type Acknowledgement, type Position } from '../engine/engine.ts';
import type { Roster } from './records.ts';
import {
  choose,
  coversAcknowledged,
  fenceState,
  grantsNeeded,
  isLeaseFenced,
  rosterStep,
  sameAcknowledgement,
  wantedAcknowledgement,
  type Grant,
  type InForce,
} from './quorum.ts';

const alone: Acknowledgement = { k: 0, voters: [] };
const leader = 'L';
const nodes = ['a', 'b', 'c', 'd', 'e', 'f'];

const configuration = fc
  .subarray(nodes, { minLength: 1 })
  .chain((voters) => fc.integer({ min: 1, max: voters.length }).map((k): Acknowledgement => ({ k, voters })));
const roster = fc.array(configuration, { minLength: 1, maxLength: 3 });
const position = fc.record({ timeline: fc.integer({ min: 1, max: 3 }), lsn: fc.bigInt({ min: 0n, max: 40n }) });

function grantOf(node: string, more: Partial<Grant> = {}): Grant {
  return { node, position: { timeline: 1, lsn: 0n }, eligible: true, priority: 0, ...more };
}

function subsets<T>(items: readonly T[], size: number): T[][] {
  if (size === 0) return [[]];
  return items.flatMap((item, index) => subsets(items.slice(index + 1), size - 1).map((rest) => [item, ...rest]));
}

describe('the fence', () => {
  test('Safety: leaves no k voters of any configuration free. Method: all grants over random rosters, compared with all sets of k', () => {
    fc.assert(
      fc.property(roster, fc.subarray(nodes), (configurations, granted) => {
        const { fenced } = fenceState(
          configurations,
          leader,
          granted.map((node) => grantOf(node)),
          false,
        );
        const free = configurations.some(({ k, voters }) =>
          subsets(voters, k).some((quorum) => !quorum.some((node) => granted.includes(node))),
        );
        expect(fenced).toBe(!free);
      }),
      { numRuns: 2_000 },
    );
  });

  test('needs as many as leave fewer than k: exhaustively for up to 7 voters', () => {
    for (let voters = 1; voters <= 7; voters++) {
      for (let k = 1; k <= voters; k++) {
        const needed = grantsNeeded({ k, voters: nodes.concat('g').slice(0, voters) });
        expect(voters - needed).toBe(k - 1);
        expect(voters - (needed - 1)).toBe(k);
      }
    }
  });

  test('is complete by the old leader’s own word', () => {
    expect(fenceState([{ k: 1, voters: ['a', 'b'] }], leader, [grantOf(leader)], false)).toEqual({ fenced: true });
    expect(fenceState([alone], leader, [grantOf(leader)], false)).toEqual({ fenced: true });
  });

  test('where commits wait for nobody is the lease, and beside it every quorum that may still count', () => {
    const both = [{ k: 1, voters: ['a', 'b'] }, alone];
    expect(isLeaseFenced(both)).toBe(true);
    expect(fenceState([alone], leader, [grantOf('a')], false)).toMatchObject({ fenced: false, missing: 'lease' });
    expect(fenceState([alone], leader, [], true)).toEqual({ fenced: true });
    expect(fenceState(both, leader, [grantOf('a')], true)).toMatchObject({
      fenced: false,
      missing: 'voters',
      detail: '1 of a, b promise, 2 must (missing: b)',
    });
    expect(fenceState(both, leader, [grantOf('a'), grantOf('b')], true)).toEqual({ fenced: true });
  });
});

describe('who takes over', () => {
  test('Safety: has every acknowledged commit. Method: random positions; a commit counts as acknowledged once k voters of a configuration reach it', () => {
    fc.assert(
      fc.property(
        roster,
        fc.tuple(...nodes.map(() => position)),
        fc.subarray(nodes),
        fc.subarray(nodes),
        fc.subarray(nodes),
        (configurations, positions, granted, unknown, eligible) => {
          const positionOf = (node: string): Position => positions[nodes.indexOf(node)]!;
          const grants = granted.map((node) =>
            grantOf(node, { position: unknown.includes(node) ? undefined : positionOf(node), eligible: eligible.includes(node) }),
          );
          if (!fenceState(configurations, leader, grants, false).fenced || !coversAcknowledged(configurations, leader, grants, false))
            return;
          const choice = choose(grants);
          if (choice.promote === undefined) return;
          const from = 'catchUpFrom' in choice ? choice.catchUpFrom : choice.promote;
          for (const { k, voters } of configurations) {
            // The furthest that k of them have: the k-th best.
            const acknowledged = voters.map(positionOf).toSorted((x, y) => comparePositions(y, x))[k - 1]!;
            expect(comparePositions(positionOf(from), acknowledged)).toBeGreaterThanOrEqual(0);
          }
        },
      ),
      { numRuns: 5_000 },
    );
  });

  test('is not known from promises of members that lost their data, nor from an old leader whose end is unknown', () => {
    const voters = [{ k: 1, voters: ['a', 'b'] }];
    const nothing = grantOf('a', { position: undefined });
    expect(fenceState(voters, leader, [nothing, grantOf('b')], false).fenced).toBe(true);
    expect(coversAcknowledged(voters, leader, [nothing, grantOf('b')], false)).toBe(false);
    expect(coversAcknowledged(voters, leader, [grantOf(leader, { position: undefined }), grantOf('b')], false)).toBe(false);
    expect(coversAcknowledged(voters, leader, [grantOf(leader), grantOf('b')], false)).toBe(true);
  });

  test('is the most advanced; then whom the operator prefers; then the first by name', () => {
    const at = (timeline: number, lsn: bigint) => ({ position: { timeline, lsn } });
    expect(choose([grantOf('b', at(1, 9n)), grantOf('a', at(1, 8n))])).toEqual({ promote: 'b' });
    expect(choose([grantOf('b', at(2, 1n)), grantOf('a', at(1, 8n))])).toEqual({ promote: 'b' });
    expect(choose([grantOf('b', { priority: 1 }), grantOf('a')])).toEqual({ promote: 'b' });
    expect(choose([grantOf('b'), grantOf('a')])).toEqual({ promote: 'a' });
  });

  test('gets first what only a member has that may not be promoted, or whom the operator did not wish for', () => {
    const ahead = { position: { timeline: 1, lsn: 9n } };
    expect(choose([grantOf('b', { ...ahead, eligible: false }), grantOf('a')])).toEqual({ promote: 'a', catchUpFrom: 'b' });
    expect(choose([grantOf('b', ahead), grantOf('a')], 'a')).toEqual({ promote: 'a', catchUpFrom: 'b' });
    expect(choose([grantOf('b', ahead), grantOf('a')], 'nobody')).toEqual({ promote: 'b' });
  });

  test('is nobody when nobody may', () => {
    expect(choose([])).toMatchObject({ promote: undefined });
    expect(choose([grantOf('a', { eligible: false }), grantOf('b', { position: undefined })])).toMatchObject({ promote: undefined });
  });
});

describe('the quorum that a leader wants', () => {
  const policy = { acknowledge: 1, minimum: 1 };
  const view = (node: string, streaming: boolean, lost = false) => ({ node, streaming, lost });

  test('takes in who streams, keeps who is only disturbed, lets go who is lost', () => {
    const current = { k: 1, voters: ['a', 'b'] };
    expect(wantedAcknowledgement(current, [view('a', true), view('b', false), view('c', true), view('d', false)], policy)).toEqual({
      k: 1,
      voters: ['a', 'b', 'c'],
    });
    expect(wantedAcknowledgement(current, [view('a', true), view('b', false, true)], policy)).toEqual({ k: 1, voters: ['a'] });
  });

  test('keeps the minimum rather than lie, and goes on alone only where that is zero', () => {
    const current = { k: 1, voters: ['a', 'b'] };
    const gone = [view('a', false, true), view('b', false, true)];
    expect(wantedAcknowledgement(current, gone, policy)).toEqual({ k: 1, voters: ['a'] });
    expect(wantedAcknowledgement(current, gone, { acknowledge: 1, minimum: 0 })).toEqual(alone);
    expect(wantedAcknowledgement(current, gone, { acknowledge: 2, minimum: 2 })).toEqual({ k: 2, voters: ['a', 'b'] });
    expect(wantedAcknowledgement(alone, [], policy)).toEqual(alone);
    expect(wantedAcknowledgement(current, [view('a', true)], { acknowledge: 0, minimum: 1 })).toEqual(alone);
  });

  test('never asks for more than there are, nor for fewer than one while there is a voter', () => {
    fc.assert(
      fc.property(
        configuration,
        fc.array(fc.record({ node: fc.constantFrom(...nodes), streaming: fc.boolean(), lost: fc.boolean() }), { maxLength: 6 }),
        fc.integer({ min: 0, max: 4 }),
        fc.integer({ min: 0, max: 3 }),
        (current, views, acknowledge, minimum) => {
          const unique = views.filter((one, index) => views.findIndex((other) => other.node === one.node) === index);
          const wanted = wantedAcknowledgement(current, unique, { acknowledge, minimum });
          expect(wanted.k).toBe(Math.min(acknowledge, wanted.voters.length));
          expect(new Set(wanted.voters).size).toBe(wanted.voters.length);
          if (acknowledge > 0) expect(wanted.voters.length).toBeGreaterThanOrEqual(Math.min(minimum, current.voters.length));
        },
      ),
    );
  });
});

describe('a change of the quorum', () => {
  /** One leader: the store's roster, what its database runs, who has caught up. */
  const wishes = fc.array(
    fc.record({ wanted: fc.oneof(configuration, fc.constant(alone)), steps: fc.integer({ min: 0, max: 5 }), caughtUp: fc.boolean() }),
    { maxLength: 8 },
  );

  test('Safety: the roster always has what the database runs, and forgets the old only once the new has caught up. Liveness: it gets there. Method: random wishes in the middle of changes', () => {
    fc.assert(
      fc.property(configuration, wishes, (first, plan) => {
        let store: Roster = [first];
        let database: Acknowledgement = first;
        /** What this agent knows; it forgets at a restart. */
        let inForce: InForce = first;
        const step = (wanted: Acknowledgement, caughtUp: boolean): string => {
          const next = rosterStep(store, inForce, wanted, () => caughtUp);
          if (next.step === 'join' || next.step === 'settle') {
            if (next.step === 'settle') expect([caughtUp, sameAcknowledgement(next.roster[0], database)]).toEqual([true, true]);
            store = next.roster;
          } else if (next.step === 'apply') {
            database = next.acknowledge;
            inForce = next.acknowledge;
          }
          expect(store.some((one) => sameAcknowledgement(one, database))).toBe(true);
          expect(store.length).toBeLessThanOrEqual(4);
          return next.step;
        };
        for (const { wanted, steps, caughtUp } of plan) {
          for (let i = 0; i < steps; i++) step(wanted, caughtUp);
          if (steps === 5) inForce = 'unknown';
        }
        const wanted = plan.at(-1)?.wanted ?? first;
        let last = '';
        for (let i = 0; i < 10 && last !== 'none'; i++) last = step(wanted, true);
        expect(last).toBe('none');
        expect(store).toHaveLength(1);
        expect(sameAcknowledgement(store[0], wanted)).toBe(true);
        expect(sameAcknowledgement(database, wanted)).toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });

  test('takes its steps in order', () => {
    const [old, next] = [
      { k: 1, voters: ['a'] },
      { k: 1, voters: ['a', 'b'] },
    ];
    const no = (): boolean => false;
    expect(rosterStep([old], old, next, no)).toEqual({ step: 'join', roster: [old, next] });
    expect(rosterStep([old, next], old, next, no)).toEqual({ step: 'apply', acknowledge: next });
    expect(rosterStep([old, next], next, next, no)).toEqual({ step: 'wait' });
    expect(rosterStep([old, next], next, next, () => true)).toEqual({ step: 'settle', roster: [next] });
    expect(rosterStep([next], next, next, no)).toEqual({ step: 'none' });
  });

  test('that an earlier agent began is applied again, so that this one knows from where it counts', () => {
    const joint = [{ k: 1, voters: ['a'] }, alone];
    expect(rosterStep(joint, 'unknown', alone, () => false)).toEqual({ step: 'apply', acknowledge: alone });
  });

  test('is none when only the order of the voters differs', () => {
    expect(rosterStep([{ k: 1, voters: ['a', 'b'] }], { k: 1, voters: ['b', 'a'] }, { k: 1, voters: ['b', 'a'] }, () => false)).toEqual({
      step: 'none',
    });
    expect(sameAcknowledgement(null, alone)).toBe(true);
    expect(sameAcknowledgement({ k: 1, voters: ['a'] }, { k: 1, voters: ['b'] })).toBe(false);
    expect(sameAcknowledgement({ k: 1, voters: ['a', 'b'] }, { k: 2, voters: ['a', 'b'] })).toBe(false);
  });
});
