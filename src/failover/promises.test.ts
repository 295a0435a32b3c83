import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { DurableCell } from '../core/durable-cell.ts';
import { Promises } from './promises.ts';
import type { PromiseRecord } from './records.ts';

/** A disk whose writes end when told to. */
class SlowCell implements DurableCell<PromiseRecord> {
  value: PromiseRecord | undefined;
  readonly writing: { value: PromiseRecord; end: (failed?: Error) => void }[] = [];

  read(): Promise<PromiseRecord | undefined> {
    return Promise.resolve(this.value);
  }

  write(value: PromiseRecord): Promise<void> {
    return new Promise((resolve, reject) => {
      this.writing.push({
        value,
        end: (failed) => {
          if (failed !== undefined) return reject(failed);
          this.value = value;
          resolve();
        },
      });
    });
  }

  async endNext(failed?: Error): Promise<boolean> {
    const next = this.writing.shift();
    next?.end(failed);
    await settled();
    return next !== undefined;
  }
}

async function settled(): Promise<void> {
  for (let i = 0; i < 10; i++) await Promise.resolve();
}

describe('promises', () => {
  test('bind at once, and are spoken of once they are on disk', async () => {
    const cell = new SlowCell();
    const promises = new Promises(cell);
    let done = false;
    void promises.promise(5).then(() => (done = true));
    await settled();
    expect([promises.pledged, promises.promised, done]).toEqual([5, 0, false]);
    await cell.endNext();
    expect([promises.pledged, promises.promised, done]).toEqual([5, 5, true]);
  });

  test('and what was seen, written at the same time, do not undo each other', async () => {
    const cell = new SlowCell();
    const promises = new Promises(cell);
    const both = Promise.all([promises.promise(5), promises.see(6)]);
    while (await cell.endNext());
    await both;
    expect(cell.value).toEqual({ promised: 5, seen: 6 });
  });

  test('are never lowered, and cost no write when nothing rises', async () => {
    const cell = new SlowCell();
    cell.value = { promised: 9, seen: 4 };
    const promises = new Promises(cell);
    await promises.load();
    await promises.promise(3);
    await promises.see(4);
    expect(cell.writing).toHaveLength(0);
    expect([promises.promised, promises.pledged, promises.seen]).toEqual([9, 9, 4]);
  });

  test('that could not be written are kept to, and not spoken of; the next one is written with them', async () => {
    const cell = new SlowCell();
    const promises = new Promises(cell);
    const failing = promises.promise(5);
    await cell.endNext(new Error('disk full'));
    await expect(failing).rejects.toThrow('disk full');
    expect([promises.pledged, promises.promised]).toEqual([5, 0]);
    const seen = promises.see(2);
    await cell.endNext();
    await seen;
    expect(cell.value).toEqual({ promised: 5, seen: 2 });
    expect(promises.promised).toBe(5);
  });

  test('Safety: what was spoken of is on disk, whenever the machine dies. Method: random calls and ends of writes', async () => {
    const call = fc.record({
      kind: fc.constantFrom('promise' as const, 'see' as const, 'end' as const),
      term: fc.integer({ min: 1, max: 20 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(call, { maxLength: 30 }), async (calls) => {
        const cell = new SlowCell();
        const promises = new Promises(cell);
        const spoken = { promise: 0, see: 0 };
        for (const { kind, term } of calls) {
          if (kind === 'end') await cell.endNext();
          else void promises[kind](term).then(() => (spoken[kind] = Math.max(spoken[kind], term)));
          await settled();
          expect(cell.value?.promised ?? 0).toBeGreaterThanOrEqual(spoken.promise);
          expect(cell.value?.seen ?? 0).toBeGreaterThanOrEqual(spoken.see);
          expect(cell.writing.length).toBeLessThanOrEqual(1);
        }
        while (await cell.endNext());
        const asked = (of: string): number => Math.max(0, ...calls.filter(({ kind }) => kind === of).map(({ term }) => term));
        expect([promises.promised, promises.seen]).toEqual([asked('promise'), asked('see')]);
      }),
    );
  });
});
