import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { segmentName } from '../../../core/lsn.ts';
import { FlushedWal } from './flushed-wal.ts';
import { walPageBytes } from './wal-pages.ts';

const { signal } = new AbortController();
const segmentBytes = 1024n * 1024n;
const first = 0x3_00000n;

/** The byte of a timeline at a place; on pages' headers their own place. */
function wal(timeline: number, from: bigint, to: bigint): Buffer {
  const begin = from - (from % BigInt(walPageBytes));
  const bytes = Buffer.from(Uint8Array.from({ length: Number(to - begin) }, (_, index) => (timeline * 41 + index * 7) % 251));
  for (let at = 0; at + 16 <= bytes.length; at += walPageBytes) bytes.writeBigUInt64LE(begin + BigInt(at), at + 8);
  return bytes.subarray(Number(from - begin));
}

/** A data directory with segments as a server would leave them; of a timeline that was left, what the next one copied of it. */
async function dataDirectory() {
  const path = await mkdtemp(join(tmpdir(), 'flushed-wal-'));
  await mkdir(join(path, 'pg_wal'));
  const file = (name: string) => join(path, 'pg_wal', name);
  return {
    path,
    segment: (timeline: number, lsn: bigint) => file(segmentName(timeline, lsn, segmentBytes)),
    write: (timeline: number, lsn: bigint, bytes: Buffer) => writeFile(file(segmentName(timeline, lsn, segmentBytes)), bytes),
    history: (timeline: number, text: string) => writeFile(file(`0000000${timeline}.history`), text),
    [Symbol.asyncDispose]: () => rm(path, { recursive: true }),
  };
}

async function twoSegments() {
  const data = await dataDirectory();
  const bytes = wal(1, first, first + 2n * segmentBytes);
  await data.write(1, first, bytes.subarray(0, Number(segmentBytes)));
  await data.write(1, first + segmentBytes, bytes.subarray(Number(segmentBytes)));
  return { data, bytes, read: new FlushedWal(data.path, segmentBytes) };
}

test('any part, over the border of files, no more than was asked for, nothing where there is nothing', async () => {
  const { data, bytes, read } = await twoSegments();
  await using _data = data;
  const until = { timeline: 1, lsn: first + segmentBytes + 300_001n };
  for (const [at, sizeBytesMax] of [
    [0, 17],
    [8_000, 400],
    [1_048_000, 100_000],
    [1_048_576, 8_192],
    [123_457, 16 * 1024 * 1024],
    [1_348_577, 5],
  ] as const) {
    const run = await read.read({ timeline: 1, lsn: first + BigInt(at) }, { until, sizeBytesMax, signal });
    const wanted = bytes.subarray(at, Math.min(at + sizeBytesMax, Number(until.lsn - first)));
    expect(Buffer.compare(run.bytes, wanted), `from ${at}`).toBe(0);
    expect(run.next).toBeUndefined();
  }
});

test('where a segment was left early, its last pages have no headers', async () => {
  const { data, bytes, read } = await twoSegments();
  await using _data = data;
  bytes.fill(0, 500_000, Number(segmentBytes));
  await data.write(1, first, bytes.subarray(0, Number(segmentBytes)));
  const until = { timeline: 1, lsn: first + segmentBytes + 70_000n };
  const run = await read.read({ timeline: 1, lsn: first }, { until, sizeBytesMax: 16 * 1024 * 1024, signal });
  expect(Buffer.compare(run.bytes, bytes.subarray(0, Number(until.lsn - first)))).toBe(0);
});

test('a timeline that was left is read to its end, from the file that there is, and the next one is told', async () => {
  const { data, bytes, read } = await twoSegments();
  await using _data = data;
  const fork = first + segmentBytes + 100_000n;
  await data.history(3, `1\t0/${fork.toString(16).toUpperCase()}\tno reason\n`);
  const until = { timeline: 3, lsn: fork + 500n };
  const begin = bytes.subarray(Number(segmentBytes), Number(fork - first));
  const own = wal(3, fork, fork + 500n);
  await data.write(3, fork, Buffer.concat([begin, own]));
  await rm(data.segment(1, fork));
  const at = { timeline: 1, lsn: fork - 200_000n };
  const some = await read.read(at, { until, sizeBytesMax: 1_000, signal });
  expect({ size: some.bytes.length, next: some.next }).toEqual({ size: 1_000, next: undefined });
  const rest = await read.read(at, { until, sizeBytesMax: 1_000_000, signal });
  expect(rest.next).toBe(3);
  expect(Buffer.compare(rest.bytes, bytes.subarray(Number(at.lsn - first), Number(fork - first)))).toBe(0);
  expect(await read.read({ timeline: 1, lsn: fork }, { until, sizeBytesMax: 1_000, signal })).toMatchObject({ next: 3 });
  const present = await read.read({ timeline: 3, lsn: fork }, { until, sizeBytesMax: 1_000, signal });
  expect(Buffer.compare(present.bytes, own)).toBe(0);
  // What an old primary wrote alone, and a timeline that nobody knows.
  for (const from of [
    { timeline: 1, lsn: fork + 1n },
    { timeline: 2, lsn: first },
  ])
    await expect(read.read(from, { until, sizeBytesMax: 10, signal })).rejects.toMatchObject({ code: 'ENGINE_UPSTREAM_REFUSED' });
});

describe('what a file no longer has is gone', () => {
  const until = { timeline: 1, lsn: first + segmentBytes + 300_000n };
  const gone = { code: 'ENGINE_WAL_GONE' };

  test.each<[string, (data: Awaited<ReturnType<typeof dataDirectory>>) => Promise<void>]>([
    ['removed', (data) => rm(data.segment(1, until.lsn))],
    ['used again for later WAL', (data) => rename(data.segment(1, first), data.segment(1, until.lsn))],
    ['cut short', (data) => data.write(1, until.lsn, Buffer.alloc(0))],
  ])('%s', async (_, spoil) => {
    const { data, read } = await twoSegments();
    await using _data = data;
    await spoil(data);
    await expect(
      read.read({ timeline: 1, lsn: first + segmentBytes + 5n }, { until, sizeBytesMax: 100_000, signal }),
    ).rejects.toMatchObject(gone);
  });

  test('given another name, and written over, while it is read', async () => {
    const { data, bytes, read } = await twoSegments();
    await using _data = data;
    const [path, away] = [data.segment(1, first), `${data.segment(1, first)}.away`];
    for (let round = 0; round < 20; round++) {
      const reading = read.read({ timeline: 1, lsn: first + 5n }, { until, sizeBytesMax: 900_000, signal }).then(
        (run) => Buffer.compare(run.bytes, bytes.subarray(5, 900_005)),
        (error: { code?: string }) => error.code,
      );
      await rename(path, away);
      await writeFile(away, Buffer.alloc(Number(segmentBytes)));
      expect([0, gone.code]).toContain(await reading);
      await writeFile(path, bytes.subarray(0, Number(segmentBytes)));
    }
  });
});
