import { mkdir, mkdtemp, readdir, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { segmentName } from '../../../core/lsn.ts';
import { pageBytes, segmentBytes, segmentsWith } from '../../../core/testing/wal-segments.ts';
import { crc32c } from './crc32c.ts';
import { TablespaceFence } from './tablespace-fence.ts';

/** A record as PostgreSQL writes it when a tablespace is made; `change` makes something else of it. */
function recordOf(location: string, change: (record: Buffer) => void = () => {}): Buffer {
  const data = Buffer.concat([Buffer.from([0x12, 0x40, 0, 0]), Buffer.from(`${location}\0`, 'utf8')]);
  const head = data.length < 256 ? Buffer.from([255, data.length]) : Buffer.from([254, 0, 0, 0, 0]);
  if (head.length > 2) head.writeUInt32LE(data.length, 1);
  const record = Buffer.concat([Buffer.alloc(24), head, data]);
  record.writeUInt32LE(record.length, 0);
  record.writeBigUInt64LE(0x1000n, 8);
  record[17] = 5;
  record.writeUInt32LE(crc32c(record.subarray(0, 20), crc32c(record.subarray(24))), 20);
  change(record);
  return record;
}

/** Two segments full of what such records have, where none is. */
function twoWith(...records: Parameters<typeof segmentsWith>[2]): Buffer[] {
  return segmentsWith(2, 0x05, records);
}

/** What recovery gets of each of the two, as it asks for them. */
async function passed(fence: TablespaceFence, segments: readonly Buffer[]): Promise<Buffer[]> {
  const given: Buffer[] = [];
  for (const [index, bytes] of segments.entries()) {
    const name = segmentName(1, BigInt(index * segmentBytes), BigInt(segmentBytes));
    given.push(Buffer.from(await fence.pass(name, bytes)));
  }
  return given;
}

async function withDirectory(work: (directory: string, data: string) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'holdfast-fence-'));
  try {
    const data = join(directory, 'data');
    await mkdir(join(data, 'pg_tblspc'), { recursive: true });
    await work(directory, data);
  } finally {
    await rm(directory, { recursive: true });
  }
}

const open = (data: string, toTheEnd = false) =>
  new TablespaceFence(data, { account: undefined, segmentBytes: BigInt(segmentBytes), toTheEnd });

test('WAL ends where a tablespace is made that is not free, wherever the record lies: in a page, across pages, across segments', async () => {
  await withDirectory(async (directory, data) => {
    const taken = join(directory, 'taken');
    await mkdir(join(taken, 'PG_17_202406281'), { recursive: true });
    const long = join(directory, 'x'.repeat(240));
    await mkdir(join(long, 'other'), { recursive: true });
    for (const [at, location, from, to] of [
      [40, taken, 40, segmentBytes],
      [1_000, long, 1_000, segmentBytes],
      [3 * pageBytes - 16, taken, 3 * pageBytes - 16, segmentBytes],
      // Of the first segment recovery has its part by then.
      [segmentBytes - 8, taken, segmentBytes, 2 * segmentBytes],
      [segmentBytes + 4_000, taken, segmentBytes + 4_000, 2 * segmentBytes],
    ] as const) {
      const segments = twoWith([at, recordOf(location)]);
      await using fence = open(data);
      const given = Buffer.concat(await passed(fence, segments));
      expect(given.equals(Buffer.concat(segments).fill(0, from, to)), `at ${at}`).toBe(true);
      expect(fence.refusal).toMatchObject({ code: 'ENGINE_TABLESPACE_IN_USE', hint: expect.stringContaining('up to LSN 0/1000') });
    }
    await using whole = open(data, true);
    await expect(passed(whole, twoWith([1_000, recordOf(taken)]))).rejects.toMatchObject({ code: 'ENGINE_TABLESPACE_IN_USE' });
  });
});

test('what is free is made ready, and goes again unless it is used; what is linked here, or no such record, is let by', async () => {
  await withDirectory(async (directory, data) => {
    const at = (name: string): string => join(directory, name);
    for (const name of ['own', 'taken']) await mkdir(join(at(name), 'PG_17_202406281'), { recursive: true });
    await mkdir(join(at('empty'), 'lost+found'), { recursive: true });
    await symlink(at('own'), join(data, 'pg_tblspc', '16402'));
    const segments = twoWith(
      [1_000, recordOf(at('own'))],
      [2_000, recordOf(at('empty'))],
      [3_000, recordOf(at('new/used'))],
      [4_000, recordOf(at('new/unused'))],
      // In the data directory.
      [5_000, recordOf('')],
      // Dropped; of another manager; cut off; with a wrong checksum; where no record begins.
      [6_000, recordOf(at('taken'), (record) => (record[16] = 0x10))],
      [9_000, recordOf(at('taken'), (record) => (record[17] = 6))],
      [10_000, recordOf(at('taken'), (record) => record.writeUInt32LE(record.length - 8, 0))],
      [11_000, recordOf(at('taken'), (record) => (record[40] = 0x41))],
      [12_004, recordOf(at('taken'))],
    );
    {
      await using fence = open(data, true);
      expect(Buffer.concat(await passed(fence, segments)).equals(Buffer.concat(segments))).toBe(true);
      expect((await readdir(at('new'))).toSorted()).toEqual(['unused', 'used']);
      await mkdir(at('new/used/PG_17_202406281'));
      // What it has let by it knows for its own.
      await passed(fence, twoWith([1_000, recordOf(at('new/used'))]));
      expect(fence.refusal).toBeUndefined();
    }
    expect(await readdir(at('new'))).toEqual(['used']);
  });
});
