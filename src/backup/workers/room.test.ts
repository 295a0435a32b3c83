import { describe, expect, test } from 'vitest';
import { Room } from './room.ts';

const { signal } = new AbortController();

describe('room', () => {
  test('who needs more than is left waits for its turn, and nobody goes before', async () => {
    const room = new Room(10);
    const order: string[] = [];
    const first = await room.take(6, signal);
    const large = room.take(8, signal).then((held) => (order.push('large'), held));
    const small = room.take(1, signal).then((held) => (order.push('small'), held));
    await Promise.resolve();
    expect(order).toEqual([]);
    first[Symbol.dispose]();
    first[Symbol.dispose]();
    (await large)[Symbol.dispose]();
    (await small)[Symbol.dispose]();
    expect(order).toEqual(['large', 'small']);
    expect(room.takenBytes).toBe(0);
  });

  test('what is larger than all of it gets it alone', async () => {
    const room = new Room(10);
    const held = await room.take(1000, signal);
    expect(room.takenBytes).toBe(10);
    held[Symbol.dispose]();
    expect(room.takenBytes).toBe(0);
  });

  test('who gives up leaves the line, and lets those behind go on', async () => {
    const room = new Room(10);
    const held = await room.take(5, signal);
    const impatient = new AbortController();
    const gone = room.take(10, impatient.signal);
    const behind = room.take(5, signal);
    impatient.abort(new Error('enough'));
    await expect(gone).rejects.toThrow('enough');
    (await behind)[Symbol.dispose]();
    held[Symbol.dispose]();
    expect(room.takenBytes).toBe(0);
    await expect(room.take(1, impatient.signal)).rejects.toThrow('enough');
  });
});
