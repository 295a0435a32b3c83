import { describe, expect, test } from 'vitest';
import { seededRandom } from '../src/sim/random.ts';
import { UsageError } from './kit/command-line.ts';
import { readArguments } from './soak/arguments.ts';
import { catalogue } from './soak/catalogue.ts';
import { drawRound } from './soak/draw.ts';
import { add, emptySummary, roundText, summaryText, type RoundReport } from './soak/report.ts';

const rounds = (seed: number, count: number) => {
  const random = seededRandom(seed);
  return Array.from({ length: count }, () => drawRound(random));
};

describe('what a soak draws', () => {
  test('is the same for the same seed, and other for another', () => {
    expect(rounds(7, 50)).toEqual(rounds(7, 50));
    expect(rounds(8, 50)).not.toEqual(rounds(7, 50));
  });

  test('is every kind, in time, and two at once now and then', () => {
    const drawn = rounds(1, 2_000);
    expect(new Set(drawn.flat().map(({ kind }) => kind))).toEqual(new Set(Object.keys(catalogue)));
    const pairs = drawn.filter((round) => round.length === 2).length;
    expect(pairs).toBeGreaterThan(400);
    expect(pairs).toBeLessThan(1_000);
  });

  test('never takes two copies away, and never breaks one part of a host twice', () => {
    for (const [first, second] of rounds(2, 2_000)) {
      if (second === undefined) continue;
      const [one, other] = [catalogue[first!.kind]!, catalogue[second.kind]!];
      expect(one.alone ?? other.alone).toBeUndefined();
      if (one.family === other.family) expect(first!.where).not.toBe(second.where);
    }
  });
});

describe('arguments', () => {
  test('have defaults, and a seed by chance', () => {
    expect(readArguments([])).toMatchObject({ minutes: 10, coordination: 'etcd', json: false, directory: undefined });
    expect(readArguments(['--seed', '5', '--minutes', '0.5']).seed).toBe(5);
  });

  test.each([['--minutes', '0'], ['--minutes', 'x'], ['--seed', '1.5'], ['--coordination', 'paper'], ['--what'], ['more']])(
    'that make no sense are refused: %s %s',
    (...args) => expect(() => readArguments(args)).toThrow(UsageError),
  );
});

test('a report counts what happened, and shows findings', () => {
  const round: RoundReport = {
    round: 3,
    at: '2026-11-23T05:00:00.000Z',
    faults: [{ kind: 'disk full', where: 'leader', host: 'node1', delayMs: 0, lastsMs: 4_000, note: '' }],
    gapMs: 2_100,
    acknowledged: 100,
    unanswered: 2,
    wholeMs: 3_000,
    changes: { failover: 1 },
    findings: [{ what: 'lost', rows: [7, 8], detail: '' }],
  };
  expect(roundText(round)).toMatch(
    /disk full at node1 \(leader\), for 4\.0 s\n.*gap 2\.1 s, whole 3\.0 s after, 1 failover\n.*FINDING: lost \(rows 7, 8\)/,
  );
  const summary = add(add(emptySummary(1), round), { ...round, findings: [], gapMs: 50 });
  expect(summary).toMatchObject({
    rounds: 2,
    faults: { 'disk full': 2 },
    changes: { failover: 2 },
    longestGapMs: 2_100,
    acknowledged: 200,
    findings: { lost: 1 },
  });
  expect(summaryText(summary)).toContain('rounds with findings: lost 1');
});
