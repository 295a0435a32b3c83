import { describe, expect, test } from 'vitest';
import { SimulatedTime } from './clock.ts';
import { SimulatedDisk } from './disk.ts';
import { seededRandom } from './random.ts';

describe('the simulated disk', () => {
  test('keeps what was written, for whoever opens it later', async () => {
    const time = new SimulatedTime();
    const disk = new SimulatedDisk(seededRandom(1));
    const written = disk.cell<{ n: number }>('cell', time.clock()).write({ n: 7 });
    await time.advance(100);
    await written;
    const read = disk.cell<{ n: number }>('cell', time.clock()).read();
    await time.advance(100);
    expect(await read).toEqual({ n: 7 });
    expect(disk.peek('cell')).toEqual({ n: 7 });
    expect(disk.peek('other')).toBeUndefined();
  });

  test('of a writer that is killed has the old value or the new one, and both happen', async () => {
    const found = new Set<unknown>();
    for (let seed = 0; seed < 60; seed++) {
      const time = new SimulatedTime();
      const disk = new SimulatedDisk(seededRandom(seed));
      const clock = time.clock();
      const cell = disk.cell<string>('cell', clock);
      void cell.write('old');
      await time.advance(100);
      let confirmed = false;
      void cell.write('new').then(() => (confirmed = true));
      await time.advance(2);
      clock.stall();
      await time.advance(1_000);
      const value = disk.peek('cell');
      found.add(value);
      if (confirmed) expect(value).toBe('new');
    }
    expect([...found].toSorted((a, b) => (String(a) < String(b) ? -1 : 1))).toEqual(['new', 'old']);
  });

  test('writes one after the other, and says when it is full', async () => {
    const time = new SimulatedTime();
    const disk = new SimulatedDisk(seededRandom(3));
    const cell = disk.cell<number>('cell', time.clock());
    const all = Promise.all([1, 2, 3].map((value) => cell.write(value)));
    await time.advance(100);
    await all;
    expect(disk.peek('cell')).toBe(3);
    disk.full = true;
    const failing = cell.write(4).catch((error: unknown) => error);
    await time.advance(100);
    expect(await failing).toMatchObject({ code: 'CELL_NOT_WRITTEN' });
    expect(disk.peek('cell')).toBe(3);
  });
});
