import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Copy, type Observation, planRepair } from './plan.ts';

const none: ReadonlySet<number> = new Set();
const gone: Copy = { state: 'unreachable', why: 'away' };
const absent: Copy = { state: 'absent' };
const rotten: Copy = { state: 'damaged', why: 'rot' };
const shard = (version: string, index: number, order = version): Copy => ({ state: 'present', version, order, index });
const plan = (copies: readonly Copy[], needed: number, rest: Partial<Observation> = {}): ReturnType<typeof planRepair> =>
  planRepair({ copies, staged: [], behind: none, doubtful: none, ...rest }, needed);

describe('a plan', () => {
  test('writes what is missing, damaged or older', () => {
    expect(plan([shard('v1', 0), shard('v2', 1), shard('v2', 2)], 2)).toEqual({
      verdict: 'write',
      version: 'v2',
      targets: [{ part: 0, index: 0 }],
    });
    expect(plan([rotten, shard('v2', 1), shard('v2', 2)], 2)).toEqual({
      verdict: 'write',
      version: 'v2',
      targets: [{ part: 0, index: 0 }],
    });
    expect(plan([gone, shard('v2', 1), shard('v2', 2)], 2)).toEqual({ verdict: 'whole', version: 'v2' });
  });

  test('does not believe who missed the last change', () => {
    const behind = new Set([0]);
    expect(plan([shard('v1', 0), absent, absent], 1, { behind })).toEqual({ verdict: 'remove', targets: [{ part: 0, index: 0 }] });
    expect(plan([shard('v1', 0), gone, absent], 1, { behind })).toMatchObject({ verdict: 'wait' });
    expect(plan([shard('v1', 0), absent, absent], 1, { doubtful: behind })).toMatchObject({
      verdict: 'write',
      targets: [{ part: 1 }, { part: 2 }],
    });
  });

  test('removes nothing because all are said to be behind', () => {
    const behind = new Set([0, 1, 2]);
    expect(plan([shard('v2', 0), shard('v2', 1), shard('v1', 2)], 2, { behind })).toMatchObject({ verdict: 'write', version: 'v2' });
    expect(plan([shard('v2', 0), absent, absent], 1, { behind })).toMatchObject({ verdict: 'write', targets: [{ part: 1 }, { part: 2 }] });
  });

  test('puts nothing older in the place of what those that are away may complete', () => {
    const staged = [shard('v2', 0), shard('v2', 1)];
    expect(plan([shard('v1', 0), shard('v3', 1), gone], 2, { staged, behind: new Set([0]) })).toMatchObject({ verdict: 'wait' });
    expect(plan([shard('v1', 0), shard('v3', 1), absent], 2, { staged, behind: new Set([0]) })).toMatchObject({
      verdict: 'write',
      version: 'v2',
    });
  });

  test('gives each part its own shard, or one that nobody has', () => {
    expect(plan([shard('v', 1), shard('v', 0), absent, absent], 2)).toMatchObject({
      targets: [
        { part: 2, index: 2 },
        { part: 3, index: 3 },
      ],
    });
    expect(plan([shard('v', 2), shard('v', 2), absent, shard('v', 0)], 2)).toMatchObject({
      targets: [
        { part: 1, index: 1 },
        { part: 2, index: 3 },
      ],
    });
  });

  test('takes what waits beside an object, unless the object is gone', () => {
    const staged = [shard('v2', 0), shard('v2', 1), shard('v2', 2)];
    expect(plan([shard('v1', 0), shard('v2', 1), absent], 2, { staged })).toMatchObject({ verdict: 'write', version: 'v2' });
    expect(plan([absent, absent, absent], 2, { staged })).toEqual({ verdict: 'absent' });
  });

  test('tells a loss from what never was an object', () => {
    expect(plan([rotten, rotten, shard('v', 2)], 2)).toMatchObject({ verdict: 'lost' });
    expect(plan([absent, absent, shard('v', 2)], 2)).toMatchObject({ verdict: 'remnant' });
    expect(plan([shard('v1', 0), shard('v2', 1), absent], 2)).toMatchObject({ verdict: 'remnant' });
    expect(plan([shard('a', 0, ''), shard('b', 1, '')], 1)).toEqual({ verdict: 'conflict', versions: ['a', 'b'] });
  });
});

// Safety: no plan takes an object's last good copies away. Method: any observation; what would be there afterwards still makes the object.
test('no plan makes less of an object that can be had', () => {
  const copy = fc.oneof(
    fc.constant(gone),
    fc.constant(absent),
    fc.constant(rotten),
    fc.record({ version: fc.constantFrom('v1', 'v2'), index: fc.nat(4) }).map(({ version, index }) => shard(version, index)),
  );
  fc.assert(
    fc.property(
      fc.array(copy, { minLength: 5, maxLength: 5 }),
      fc.integer({ min: 1, max: 4 }),
      fc.subarray([0, 1, 2, 3, 4]),
      (copies, needed, behind) => {
        const found = plan(copies, needed, { behind: new Set(behind) });
        if (found.verdict === 'remove') {
          // Only what others have removed: all of them answer, and none of them has anything.
          for (const [part, one] of copies.entries()) if (!behind.includes(part)) expect(one.state).toBe('absent');
          expect(behind.length, 'somebody is believed').toBeLessThan(copies.length);
          expect(found.targets.every(({ part }) => behind.includes(part))).toBe(true);
        }
        if (found.verdict !== 'write') return;
        const after = copies.map((one, part) => {
          const target = found.targets.find((each) => each.part === part);
          return target === undefined ? one : shard(found.version, target.index);
        });
        const indexes = after.flatMap((one) => (one.state === 'present' && one.version === found.version ? [one.index] : []));
        const answering = copies.filter(({ state }) => state !== 'unreachable').length;
        expect(new Set(indexes).size, 'each part that answers adds a shard of its own').toBe(answering);
        expect(copies.filter((one, part) => one.state === 'unreachable' && found.targets.some((each) => each.part === part))).toEqual([]);
      },
    ),
    { numRuns: 2_000 },
  );
});
