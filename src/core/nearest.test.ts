import { expect, test } from 'vitest';
import { nearest } from './nearest.ts';

const keys = ['cluster', 'node', 'peers', 'tier', 'after', 'postgres', 'to'];

test.each([
  ['teir', 'tier'],
  ['Cluster', 'cluster'],
  ['postgresql', 'postgres'],
  ['pears', 'peers'],
  ['too', 'to'],
  ['colour', undefined],
  ['x', undefined],
  ['', undefined],
])('%s means %s', (word, meant) => {
  expect(nearest(word, keys)).toBe(meant);
});
