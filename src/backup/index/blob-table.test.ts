import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { PackEntry } from '../pack/header.ts';
import { BlobTable } from './blob-table.ts';
import { decodeIndex, encodeIndex, encodeIndexes, indexBlobsMax, type IndexedPack } from './index-file.ts';

const idOf = (value: unknown): string => createHash('sha256').update(String(value)).digest('hex');

/** Packs whose blobs are partly the same ones. */
const packs: fc.Arbitrary<IndexedPack[]> = fc
  .uniqueArray(fc.nat(50), { maxLength: 8 })
  .chain((numbers) =>
    fc.tuple(
      ...numbers.map((number) =>
        fc.tuple(
          fc.constant(idOf(`pack ${number}`)),
          fc.array(fc.tuple(fc.nat(20), fc.boolean(), fc.nat(5000)), { minLength: 1, maxLength: 10 }),
        ),
      ),
    ),
  )
  .map((list) =>
    list.map(([packId, blobs]) => {
      let offset = 0;
      const entries = blobs.map(([blob, isTree, plain]): PackEntry => {
        const compressed = plain > 0;
        const entry = {
          type: isTree ? ('tree' as const) : ('data' as const),
          id: idOf(blob),
          offset,
          sizeBytes: 40,
          plainSizeBytes: compressed ? plain : 8,
          compressed,
        };
        offset += 40;
        return entry;
      });
      return { packId, entries };
    }),
  );

describe('the index in memory', () => {
  test('Safety: every entry is found, in every pack that has it, and no other. Method: packs with blobs in common, beside a plain list', () => {
    fc.assert(
      fc.property(packs, (list) => {
        const table = new BlobTable();
        for (let twice = 0; twice < 2; twice += 1)
          for (const { packId, entries } of list) for (const entry of entries) table.add(packId, entry);
        const all = list.flatMap(({ packId, entries }) => entries.map((entry) => ({ packId, ...entry })));
        expect(table.size).toBe(all.length);
        expect([...table.packs()]).toEqual(list);
        for (let blob = 0; blob <= 20; blob += 1) {
          for (const type of ['data', 'tree'] as const) {
            const wanted = all.filter((entry) => entry.id === idOf(blob) && entry.type === type);
            const found = Array.from(table.ordinalsOf(type, idOf(blob)), (ordinal) => table.at(ordinal));
            expect(found.map(({ place }) => `${place.packId} ${place.offset} ${place.plainSizeBytes}`).toSorted()).toEqual(
              wanted.map(({ packId, offset, plainSizeBytes }) => `${packId} ${offset} ${plainSizeBytes}`).toSorted(),
            );
            expect(table.has(type, idOf(blob))).toBe(wanted.length > 0);
          }
        }
      }),
      { numRuns: 50 },
    );
  });

  test('a hundred thousand blobs take at most 60 bytes each, whatever their number', () => {
    const table = new BlobTable();
    let worst = -Infinity;
    for (let blob = 0; blob < 100_000; blob += 1) {
      const packId = idOf(`pack ${Math.floor(blob / 16)}`);
      table.add(packId, {
        type: 'data',
        id: idOf(blob),
        offset: (blob % 16) * 1000,
        sizeBytes: 1000,
        plainSizeBytes: 2000,
        compressed: true,
      });
      worst = Math.max(worst, table.memoryBytes - 60 * table.size);
    }
    // The last array of entries may be nearly empty, and that of packs.
    expect(worst).toBeLessThan(16_384 * (48 + 32) + 16_384);
    expect(table.packCount).toBe(6250);
    for (let blob = 0; blob < 100_000; blob += 997)
      expect(table.place(table.ordinalOf('data', idOf(blob))).packId).toBe(idOf(`pack ${Math.floor(blob / 16)}`));
    expect(table.hasPack(idOf('pack 1'))).toBe(true);
    expect(table.hasPack(idOf('pack 7000'))).toBe(false);
    expect(table.ordinalOf('tree', idOf(5))).toBe(-1);
  });

  test('an empty one has nothing', () => {
    const table = new BlobTable();
    expect(table.has('data', idOf(1))).toBe(false);
    expect([...table.packs()]).toEqual([]);
  });
});

describe('index files', () => {
  test('Safety: what is written is read as it was. Method: packs of any blobs', () => {
    fc.assert(
      fc.property(packs, (list) => {
        expect(decodeIndex(encodeIndex(list), 'it').packs).toEqual(list);
      }),
    );
  });

  test('hold so many blobs that they stay below 8 MiB, and never part of a pack', () => {
    const entry = {
      type: 'data' as const,
      id: idOf(1),
      offset: 4_000_000_000,
      sizeBytes: 16_777_216,
      plainSizeBytes: 4_000_000_000,
      compressed: true,
    };
    const list = Array.from({ length: 30 }, (_, pack) => ({ packId: idOf(pack), entries: Array.from({ length: 2000 }, () => entry) }));
    const texts = [...encodeIndexes(list)];
    expect(texts.map((text) => decodeIndex(text, 'it').packs.length)).toEqual([25, 5]);
    expect(texts[0]!.length).toBeLessThan(10 * 1024 * 1024);
    expect(25 * 2000).toBe(indexBlobsMax);
    expect([...encodeIndexes([])]).toEqual([]);
  });

  test('tell what they take the place of, and may name no pack at all', () => {
    expect(decodeIndex(`{"supersedes":["${idOf(1)}"],"packs":null}`, 'it')).toEqual({ supersedes: [idOf(1)], packs: [] });
  });

  test.each([
    '[]',
    'x',
    '{"packs":5}',
    '{"packs":[{"blobs":[]}]}',
    `{"packs":[{"id":"../x","blobs":[]}]}`,
    `{"packs":[{"id":"${idOf(1)}","blobs":[{"id":"${idOf(2)}","type":"blob","offset":0,"length":40}]}]}`,
    `{"packs":[{"id":"${idOf(1)}","blobs":[{"id":"${idOf(2)}","type":"data","offset":-1,"length":40}]}]}`,
    `{"packs":[{"id":"${idOf(1)}","blobs":[{"id":"${idOf(2)}","type":"data","offset":0,"length":31}]}]}`,
    `{"packs":[{"id":"${idOf(1)}","blobs":[{"id":"${idOf(2)}","type":"data","offset":4294967296,"length":40}]}]}`,
    `{"packs":[{"id":"${idOf(1)}","blobs":[null]}]}`,
  ])('%s is damage', (text) => {
    expect(() => decodeIndex(text, 'index 1')).toThrow(expect.objectContaining({ code: 'BACKUP_DAMAGED' }));
  });
});
