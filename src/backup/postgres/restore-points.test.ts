import { expect, test } from 'vitest';
import { segmentBytes, segmentsWith } from '../../core/testing/wal-segments.ts';
import { findRestorePoints } from './restore-points.ts';

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

/** As they are read for it. */
async function* readWith(count: number, records: Parameters<typeof segmentsWith>[2]) {
  for (const [index, bytes] of segmentsWith(count, 0x55, records).entries()) yield { lsn: BigInt(index * segmentBytes), bytes };
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
  const segments = readWith(
    3,
    places.map((lsn) => [lsn, recordOf('before upgrade')] as const),
  );
  expect(await findRestorePoints(segments, 'before upgrade')).toEqual(places.toSorted((a, b) => a - b).map(BigInt));
});

test('nothing else is taken for one', async () => {
  const segments = readWith(1, [
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
