import { expect, test } from 'vitest';
import { ownRecord } from './lead.ts';
import type { Member } from './member.ts';

test('a leadership that is not, or no more, this member’s is nobody’s to change here', () => {
  const member = (leadership: unknown): Member => ({ node: 'a', service: 'orders', deps: { store: { leadership } } }) as unknown as Member;
  expect(ownRecord(member({ value: { leader: 'a' }, revision: 1n }))).toMatchObject({ revision: 1n });
  for (const other of [{ value: { leader: 'b' }, revision: 1n }, null, undefined]) {
    expect(() => ownRecord(member(other))).toThrow('a does not lead orders any more');
  }
});
