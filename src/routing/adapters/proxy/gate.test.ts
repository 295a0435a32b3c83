import { describe, expect, it } from 'vitest';
import { SimulatedTime } from '../../../sim/clock.ts';
import { Absence } from './absence.ts';
import { Gate } from './gate.ts';

describe('Gate', () => {
  function setUp(): { time: SimulatedTime; gate: Gate; inside: number[]; enter: (id: number, signal?: AbortSignal) => Promise<void> } {
    const time = new SimulatedTime();
    const gate = new Gate(time.clock());
    const inside: number[] = [];
    const enter = (id: number, signal = new AbortController().signal): Promise<void> => gate.enter(signal).then(() => void inside.push(id));
    return { time, gate, inside, enter };
  }

  it('lets a bounded number through at a time, in order of arrival', async () => {
    const { time, gate, inside, enter } = setUp();
    for (let id = 0; id < 70; id++) void enter(id);
    await time.advance(0);
    expect(inside).toEqual(Array.from({ length: 64 }, (_, id) => id));
    gate.leave('answered');
    gate.leave('abandoned');
    await time.advance(0);
    expect(inside.slice(64)).toEqual([64, 65]);
  });

  it('after a failure lets one try at a time, after pauses that double up to 250 ms', async () => {
    const { time, gate, inside, enter } = setUp();
    for (let id = 0; id < 9; id++) void enter(id);
    await time.advance(0);
    inside.length = 0;
    // Nine attempts that fail together are one failure.
    for (let count = 0; count < 9; count++) gate.leave('failed');
    for (let id = 10; id < 30; id++) void enter(id);
    const tries: number[] = [];
    for (let count = 0; count < 6; count++) {
      const before = time.nowMs;
      await time.runUntil(() => inside.length > count);
      await time.advance(0);
      tries.push(time.nowMs - before);
      expect(inside).toHaveLength(count + 1);
      gate.leave('failed');
    }
    expect(tries).toEqual([20, 40, 80, 160, 250, 250]);
  });

  it('opens to all as soon as one is answered, or there is news', async () => {
    for (const open of [(gate: Gate) => gate.leave('answered'), (gate: Gate) => gate.open()]) {
      const { time, gate, inside, enter } = setUp();
      void enter(0);
      void enter(1);
      gate.leave('failed');
      for (let id = 2; id < 12; id++) void enter(id);
      await time.advance(0);
      expect(inside).toEqual([0, 1]);
      open(gate);
      await time.advance(0);
      expect(inside).toHaveLength(12);
      expect(gate.failing).toBe(false);
    }
  });

  it('forgets one who leaves while waiting', async () => {
    const { time, gate, inside, enter } = setUp();
    void enter(0);
    gate.leave('failed');
    const leaving = new AbortController();
    const left = enter(1, leaving.signal).catch((error: unknown) => error);
    void enter(2);
    leaving.abort(new Error('gone'));
    expect(await left).toMatchObject({ message: 'gone' });
    await time.advance(20);
    expect(inside).toEqual([0, 2]);
    expect(gate.isWanted).toBe(true);
    gate.leave('abandoned');
    expect(gate.isWanted).toBe(false);
  });
});

describe('Absence', () => {
  it('tells of a server once, after it was missing all the time', async () => {
    const time = new SimulatedTime();
    const absent: string[] = [];
    using absence = new Absence(time.clock(), 5000, (node) => absent.push(node));
    absence.update(new Set(['a', 'b']));
    absence.update(new Set(['a']));
    await time.advance(4999);
    absence.update(new Set(['a', 'b']));
    absence.update(new Set(['a']));
    await time.advance(4999);
    absence.update(new Set(['a']));
    expect(absent).toEqual([]);
    await time.advance(1);
    expect(absent).toEqual(['b']);
    await time.advance(60_000);
    expect(absent).toEqual(['b']);
  });
});
