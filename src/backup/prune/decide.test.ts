import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { headerBytes } from '../pack/header.ts';
import type { BlobType, IndexedBlob } from '../repository.ts';
import { decidePrune, type PruneObservation, type PrunePlan } from './decide.ts';
import { createBlobSet } from './used.ts';

const hex = (number: number): string => number.toString(16).padStart(64, '0');
const packName = (number: number): string => hex(0xfff000 + number);

/** One entry of a pack: which blob, how large. */
interface Stored {
  readonly blob: number;
  readonly kind: BlobType;
  readonly sizeBytes: number;
}

/** Packs by what is in them; blobs by number. */
function observe(
  packs: readonly (readonly Stored[])[],
  used: Iterable<number>,
  more: { lost?: ReadonlySet<number>; unindexed?: number } = {},
): PruneObservation {
  const blobs: IndexedBlob[] = [];
  const files: { id: string; sizeBytes: number }[] = [];
  for (const [pack, entries] of packs.entries()) {
    let offset = 0;
    for (const { blob, kind, sizeBytes } of entries) {
      const place = { packId: packName(pack), offset, sizeBytes, plainSizeBytes: sizeBytes * 2, compressed: true };
      blobs.push({ type: kind, id: hex(blob), place });
      offset += sizeBytes;
    }
    const sizeBytes = offset + headerBytes(entries.map(() => ({ compressed: true })));
    if (entries.length > 0 && more.lost?.has(pack) !== true) files.push({ id: packName(pack), sizeBytes });
  }
  for (let extra = 0; extra < (more.unindexed ?? 0); extra += 1) files.push({ id: hex(0xeee000 + extra), sizeBytes: 1000 });
  const set = createBlobSet();
  const kinds = new Map(packs.flat().map(({ blob, kind }) => [blob, kind]));
  for (const blob of used) set.add(kinds.get(blob) ?? 'data', hex(blob));
  return { blobs: () => blobs, used: set, packs: files };
}

/** Data for even numbers, trees for odd ones; packs of one kind, or mixed as old programs made them. */
const packs = fc.array(
  fc
    .array(
      fc
        .record({ blob: fc.nat(30), sizeBytes: fc.integer({ min: 32, max: 5000 }) })
        .map(({ blob, sizeBytes }) => ({ blob, sizeBytes, kind: blob % 2 === 0 ? ('data' as const) : ('tree' as const) })),
      { minLength: 1, maxLength: 6 },
    )
    .map((entries) => [...new Map(entries.map((entry) => [entry.blob, entry])).values()]),
  { minLength: 1, maxLength: 12 },
);

/** Where each used blob lies once the plan was carried out. */
function after(observation: PruneObservation, plan: PrunePlan): Map<string, number> {
  const gone = new Set([...plan.remove, ...plan.repack.keys(), ...plan.lost, ...plan.unindexed]);
  const copies = new Map<string, number>();
  const add = (id: string): unknown => copies.set(id, (copies.get(id) ?? 0) + 1);
  for (const { id, place } of observation.blobs()) if (!gone.has(place.packId)) add(id);
  for (const list of plan.repack.values()) for (const { id } of list) add(id);
  return copies;
}

test('safety: whatever is used is there afterwards, and what is copied is copied once', () =>
  fc.assert(
    fc.property(
      packs,
      fc.array(fc.nat(100)),
      fc.constantFrom(0, 5, 50, 100),
      fc.constantFrom(undefined, 1000, 20_000),
      (stored, picks, percent, repackBytes) => {
        const all = [...new Set(stored.flat().map(({ blob }) => blob))];
        const used = new Set(picks.map((pick) => all[pick % all.length]!));
        const observation = observe(stored, used, { unindexed: picks.length % 3 });
        const plan = decidePrune(observation, {
          maxUnusedPercent: percent,
          ...(repackBytes === undefined ? {} : { maxRepackBytes: repackBytes }),
        });
        const copies = after(observation, plan);
        for (const blob of used) expect(copies.get(hex(blob)) ?? 0).toBeGreaterThan(0);
        const copied = [...plan.repack.values()].flat().map(({ id }) => id);
        expect(new Set(copied).size).toBe(copied.length);
        if (repackBytes !== undefined) expect(plan.figures.repackedBytes).toBeLessThanOrEqual(repackBytes);
        expect(plan.unindexed.size).toBe(picks.length % 3);
        for (const id of plan.remove) expect(plan.repack.has(id)).toBe(false);
      },
    ),
  ));

test('with nothing to stay unused, only what is used stays, once', () =>
  fc.assert(
    fc.property(packs, fc.array(fc.nat(100)), (stored, picks) => {
      const all = [...new Set(stored.flat().map(({ blob }) => blob))];
      const used = new Set(picks.map((pick) => all[pick % all.length]!));
      const observation = observe(stored, used);
      const plan = decidePrune(observation, { maxUnusedPercent: 0, smallPackBytes: 0 });
      expect(Object.fromEntries(after(observation, plan))).toEqual(Object.fromEntries([...used].map((blob) => [hex(blob), 1])));
      expect(plan.figures.remainingUnusedBytes).toBe(0);
    }),
  ));

const data = (blob: number, sizeBytes = 1000): Stored => ({ blob, kind: 'data', sizeBytes });

describe('packs', () => {
  test('that are partly used stay while little is unused, the worst goes first', () => {
    const stored = [[data(2), data(4)], [data(6), data(8, 3000)], [data(10, 100_000)]];
    const observation = observe(stored, [2, 6, 10]);
    const decide = (percent: number): string[] => [
      ...decidePrune(observation, { maxUnusedPercent: percent, smallPackBytes: 0 }).repack.keys(),
    ];
    expect(decide(50)).toEqual([]);
    expect(decide(2)).toEqual([packName(1)]);
    expect(decide(0)).toEqual([packName(1), packName(0)]);
  });

  test('that are small are put together when there are many', () => {
    const few = observe(
      Array.from({ length: 9 }, (_, index) => [data(2 * index)]),
      [0, 2, 4, 6, 8, 10, 12, 14, 16],
    );
    expect(decidePrune(few).repack.size).toBe(0);
    const many = observe(
      Array.from({ length: 10 }, (_, index) => [data(2 * index)]),
      [0, 2, 4, 6, 8, 10, 12, 14, 16, 18],
    );
    expect(decidePrune(many).repack.size).toBe(10);
  });

  test('that a prune left when it was cut off are kept, the old ones go', () => {
    const old = [
      [data(2), data(4)],
      [data(6), data(8)],
    ];
    const repacked = [data(2), data(6)];
    const plan = decidePrune(observe([...old, repacked], [2, 6]), { smallPackBytes: 0 });
    expect([...plan.remove].toSorted()).toEqual([packName(0), packName(1)]);
    expect(plan.repack.size).toBe(0);
  });

  test('that are lost and not needed are forgotten; needed ones forbid everything', () => {
    const stored = [[data(2)], [data(4)]];
    expect([...decidePrune(observe(stored, [2], { lost: new Set([1]) })).lost]).toEqual([packName(1)]);
    expect(() => decidePrune(observe(stored, [2, 4], { lost: new Set([1]) }))).toThrow(
      expect.objectContaining({ code: 'BACKUP_INDEX_INCOMPLETE' }),
    );
  });

  test('of another size than the index says forbid everything, if they are needed', () => {
    const { packs: files, ...rest } = observe([[data(2)], [data(4)]], [2]);
    const changed = (pack: number): PruneObservation => ({
      ...rest,
      packs: [...files].map((file) => (file.id === packName(pack) ? { ...file, sizeBytes: file.sizeBytes + 1 } : file)),
    });
    expect(() => decidePrune(changed(0))).toThrow(expect.objectContaining({ code: 'BACKUP_INDEX_INCOMPLETE' }));
    expect(decidePrune(changed(1)).remove.size).toBe(1);
  });

  test('a blob that no index names forbids everything', () =>
    expect(() => decidePrune(observe([[data(2)]], [2, 4]))).toThrow(expect.objectContaining({ code: 'BACKUP_INDEX_INCOMPLETE' })));
});
