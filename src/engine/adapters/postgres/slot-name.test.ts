import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isMemberSlot, slotName } from './slot-name.ts';

test('every node has a slot name that PostgreSQL takes, and that is known as ours', () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1, maxLength: 80 }), (node) => {
      expect(slotName(node)).toMatch(/^[a-z0-9_]{1,63}$/);
      expect(isMemberSlot(slotName(node))).toBe(true);
    }),
  );
});

test('different nodes have different slots, even where only their special characters differ', () => {
  const nodes = ['db-1', 'db_1', 'db.1', 'DB-1', 'db1', `${'x'.repeat(45)}1`, `${'x'.repeat(45)}2`];
  expect(new Set(nodes.map(slotName)).size).toBe(nodes.length);
});

test('slots of others are left alone', () => {
  for (const name of ['holdfast', 'holdfast_journal', 'my_slot_12345678', 'holdfast_db1_1234567g']) expect(isMemberSlot(name)).toBe(false);
});
