import { expect, test } from 'vitest';
import { decideStep } from './witness.ts';

const at = (timeMs: number) => ({ timeMs, position: { timeline: 1, lsn: 100n } });
const asked = (timeMs: number, receivedMs: number) => ({ ...at(timeMs), receivedMs });

test('a clock that goes on, fast, slow or held up on the way, has not gone back', () => {
  expect(decideStep(asked(1_000_000, 50), at(1_000_500), 550)).toBeUndefined();
  // The answer took long: the server looked at its clock long after it was asked.
  expect(decideStep(asked(1_000_000, 50), at(1_009_000), 60)).toBeUndefined();
  // It was received long after the server had looked.
  expect(decideStep(asked(1_000_000, 9_050), at(1_009_600), 9_550)).toBeUndefined();
  expect(decideStep(asked(1_000_000, 50), at(1_000_450), 549)).toBeUndefined();
  expect(decideStep(asked(1_000_000, 50), at(2_000_000), 550)).toBeUndefined();
});

test('a clock that goes back is seen, also when it shows a later time than before all the same', () => {
  expect(decideStep(asked(1_000_000, 50), at(400_000), 550)).toMatchObject({ toMs: 400_000, position: { timeline: 1, lsn: 100n } });
  const small = decideStep(asked(1_000_000, 50), at(1_000_200), 550)!;
  expect(small.toMs).toBe(1_000_200);
  // Whatever it showed before it went back lies within.
  expect(small.fromMs).toBeGreaterThanOrEqual(1_000_500);
});

test('of an earlier journal only what it wrote down is known', () => {
  expect(decideStep(at(1_000_000), at(1_000_001), 77)).toBeUndefined();
  expect(decideStep(at(1_000_000), at(999_000), 77)).toMatchObject({ fromMs: 1_010_000, toMs: 999_000 });
});
