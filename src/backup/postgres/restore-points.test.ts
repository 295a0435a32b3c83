import { expect, test } from 'vitest';
import { findRestorePoints } from './restore-points.ts';

const segmentBytes = 64 * 1024;
const pageBytes = 8192;

/** A record as PostgreSQL writes it for a restore point; `change` makes something else of it. */
function recordOf(name: string, change: (record: Buffer) => void = () => {}): Buffer {
  const record = Buffer.alloc(98, 0xaa);
  record.writeUInt32LE(98, 0);
  record[16] = 0x70;
  record[17] = 0;
  record[24] = 255;
  record[25] = 72;
  // Behind the name's end anything may stand.
  record.write(`${name}\0`, 34, 'utf8');
  change(record);
  return record;
}

/** Segments that hold the records, each from its LSN on, over the ends of pages and segments; noise between them. */
async function* segmentsWith(count: number, records: readonly (readonly [lsn: number, record: Buffer])[]) {
  const all = Buffer.alloc(count * segmentBytes, 0x55);
  const isHeader = (at: number): boolean => at % pageBytes < (at % segmentBytes < pageBytes ? 40 : 24);
  for (let lsn = 0; lsn < all.length; lsn += segmentBytes) all.writeUInt32LE(pageBytes, lsn + 36);
  for (const [lsn, record] of records) {
    let at = lsn;
    for (const byte of record) {
      while (isHeader(at)) at += 1;
      all[at++] = byte;
    }
  }
  for (let lsn = 0; lsn < all.length; lsn += segmentBytes) yield { lsn: BigInt(lsn), bytes: all.subarray(lsn, lsn + segmentBytes) };
}

test('restore points are found wherever they lie: in pages, across pages, across segments', async () => {
  const places = [
    40,
    1_000,
    8_192 + 24,
    3 * 8_192 - 8,
    3 * 8_192 - 40 - 8_192,
    segmentBytes - 64,
    segmentBytes + 40 + 200,
    2 * segmentBytes - 8,
  ];
  const segments = segmentsWith(
    3,
    places.map((lsn) => [lsn, recordOf('before upgrade')] as const),
  );
  expect(await findRestorePoints(segments, 'before upgrade')).toEqual(places.toSorted((a, b) => a - b).map(BigInt));
});

test('nothing else is taken for one', async () => {
  const segments = segmentsWith(1, [
    [1_000, recordOf('before upgrades')],
    [2_000, recordOf('not before upgrade')],
    [3_000, recordOf('before upgrade', (record) => (record[16] = 0x50))],
    [4_000, recordOf('before upgrade', (record) => (record[17] = 1))],
    [5_000, recordOf('before upgrade', (record) => record.writeUInt32LE(99, 0))],
    [6_000, recordOf('before upgrade', (record) => (record[25] = 71))],
    [7_004, recordOf('before upgrade')],
    [7_400, Buffer.from('before upgrade\0')],
    [60, Buffer.from('before upgrade\0')],
  ]);
  expect(await findRestorePoints(segments, 'before upgrade')).toEqual([]);
});
