import { expect, test } from 'vitest';
import { decideVoice } from './journal-voice.ts';

const well = { counts: true, stuckMs: 0, steadyMs: 60_000 };

test('commits wait without end, unless a limit is set', () => {
  expect(decideVoice({ ...well, stuckMs: 1e12, steadyMs: 0 }, undefined)).toBe(true);
  expect(decideVoice({ ...well, stuckMs: 29_999, steadyMs: 0 }, 30_000)).toBe(true);
  expect(decideVoice({ ...well, stuckMs: 30_000, steadyMs: 0 }, 30_000)).toBe(false);
});

test('a journal that was left out is waited for again only when it keeps up', () => {
  expect(decideVoice({ counts: false, stuckMs: 0, steadyMs: 4_999 }, 30_000)).toBe(false);
  expect(decideVoice({ counts: false, stuckMs: 0, steadyMs: 5_000 }, 30_000)).toBe(true);
});
