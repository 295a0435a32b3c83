import { expect, test } from 'vitest';
import { bootstrapSchema } from './copies.ts';

test.each([
  ['the newest state, where nothing is said', {}],
  ['a time of this machine', { to: '2026-11-22 14:03:07' }],
  ['a position on a timeline of a certain database, from a certain place', { toLsn: '16/B374D848', timeline: 3, system: '7', from: 'far' }],
])('a restore to %s', (_, restore) => expect(bootstrapSchema.parse({ restore })).toEqual({ restore }));

test.each([
  ['a time that is none', { to: 'yesterday' }],
  ['a day that the month has not', { to: '2026-02-30' }],
  ['two points', { to: '2026-11-22', toName: 'before' }],
  ['no LSN', { toLsn: '12' }],
  ['a system identifier with letters', { system: 'abc' }],
  ['a misspelt key', { lsn: '1/2' }],
])('%s is refused', (_, restore) => expect(bootstrapSchema.safeParse({ restore }).success).toBe(false));
