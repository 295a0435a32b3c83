import { describe, expect, test } from 'vitest';
import { overlap } from './overlap.ts';
import type { Ack } from './row-client.ts';

const [old, other] = [1, 2];
const rows = (server: number, ...atMs: number[]): Ack[] => atMs.map((ms, index) => ({ id: index, sentMs: ms - 1, atMs: ms, server }));

describe('two primaries', () => {
  test('the old one ends before another begins: none', () => {
    const seen = overlap([...rows(old, 110, 130), ...rows(other, 500, 600)], rows(old, 120, 400), 100, old);
    expect(seen).toEqual({ overlapMs: 0, ackedByOld: 0, oldWroteForMs: 300 });
  });

  test('the old one goes on beside another: from the first row of that one', () => {
    const seen = overlap([...rows(old, 110), ...rows(other, 500, 900)], rows(old, 120, 450, 550, 700), 100, old);
    expect(seen).toEqual({ overlapMs: 200, ackedByOld: 2, oldWroteForMs: 600 });
  });

  test('the old one leads again when the other has ended: no overlap', () => {
    const seen = overlap([...rows(other, 500, 600), ...rows(old, 900)], rows(old, 120, 950), 100, old);
    expect(seen).toEqual({ overlapMs: 0, ackedByOld: 0, oldWroteForMs: 20 });
  });

  test('nobody else led at all', () => {
    expect(overlap(rows(old, 110, 200), rows(old, 300), 100, old)).toEqual({ overlapMs: 0, ackedByOld: 0, oldWroteForMs: 0 });
  });
});
