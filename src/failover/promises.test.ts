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
    await settled();
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

  test('on disk are not undone by what is promised or seen before they were read', async () => {
    const cell = new SlowCell();
    cell.value = { promised: 7, seen: 2 };
    const promises = new Promises(cell);
    const all = Promise.all([promises.see(5), promises.promise(3), promises.load()]);
    while (await cell.endNext());
    await all;
    expect(cell.value).toEqual({ promised: 7, seen: 5 });
    expect([promises.promised, promises.pledged, promises.seen]).toEqual([7, 7, 5]);
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

  test('that could not be written are none, for everybody who waited for them; what was seen is written with the next', async () => {
    const cell = new SlowCell();
    const promises = new Promises(cell);
    const failing = [promises.promise(5), promises.see(2), promises.promise(6)];
    for (const one of failing) one.catch(() => {});
    await cell.endNext(new Error('disk full'));
    for (const one of failing) await expect(one).rejects.toThrow('disk full');
    expect([promises.pledged, promises.promised]).toEqual([0, 0]);
    const again = promises.promise(4);
    expect(promises.pledged).toBe(4);
    await cell.endNext();
    await again;
    expect(cell.value).toEqual({ promised: 4, seen: 2 });
  });

  test('Safety: what was spoken of is on disk, whenever the machine dies. Method: random calls and ends of writes', async () => {
    const call = fc.record({
      kind: fc.constantFrom('promise' as const, 'see' as const, 'end' as const, 'fail' as const),
      term: fc.integer({ min: 1, max: 20 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(call, { maxLength: 30 }), async (calls) => {
        const cell = new SlowCell();
        const promises = new Promises(cell);
        const spoken = { promise: 0, see: 0 };
        for (const { kind, term } of calls) {
          if (kind === 'end') await cell.endNext();
          else if (kind === 'fail') await cell.endNext(new Error('disk full'));
          else {
            const told = (): unknown => (spoken[kind] = Math.max(spoken[kind], term));
            promises[kind](term).then(told, () => {});
          }
          await settled();
          expect(cell.value?.promised ?? 0).toBeGreaterThanOrEqual(spoken.promise);
          expect(cell.value?.seen ?? 0).toBeGreaterThanOrEqual(spoken.see);
          expect(cell.writing.length).toBeLessThanOrEqual(1);
        }
        while (await cell.endNext());
        expect([promises.promised, promises.pledged]).toEqual([spoken.promise, spoken.promise]);
        expect(promises.seen).toBeGreaterThanOrEqual(spoken.see);
      }),
    );
  });
});
