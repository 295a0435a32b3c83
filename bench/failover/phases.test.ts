import { expect, test } from 'vitest';
import { phasesOf } from './phases.ts';

const moments = (...list: [string, number][]) => ({ moments: list.map(([what, atMs]) => ({ what, atMs })) });

test('phases together are the gap, whatever the rounding of clocks says', () => {
  const phases = phasesOf(moments(['last row', 100.4], ['fault', 110.2], ['noticed', 110], ['claimed', 150], ['first row', 180.9]));
  expect(phases.map(({ name }) => name)).toEqual(['last row → fault', 'fault → noticed', 'noticed → claimed', 'claimed → first row']);
  expect(phases.every(({ ms }) => ms >= 0)).toBe(true);
  expect(phases.reduce((sum, { ms }) => sum + ms, 0)).toBeCloseTo(80.5);
});

test('what is logged after the first row did not keep it waiting', () => {
  const phases = phasesOf(moments(['last row', 100], ['claimed', 150], ['voter attached', 400], ['first row', 180]));
  expect(phases).toEqual([
    { name: 'last row → claimed', ms: 50 },
    { name: 'claimed → voter attached', ms: 30 },
    { name: 'voter attached → first row', ms: 0 },
  ]);
});
