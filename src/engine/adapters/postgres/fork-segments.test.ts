import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { segmentName } from '../../../core/lsn.ts';
import type { TimelineSwitch } from '../../../core/timeline.ts';
import { completeForks } from './fork-segments.ts';

const segmentBytes = 1024n * 1024n;
const name = (timeline: number, segment: number): string => segmentName(timeline, BigInt(segment) * segmentBytes, segmentBytes);
const end = (timeline: number, segment: number, offset: number): TimelineSwitch => ({
  timeline,
  end: BigInt(segment) * segmentBytes + BigInt(offset),
});

/** What is added to a directory with these segments, each full of the number of its timeline. */
async function added(present: readonly (readonly [number, number])[], ancestors: readonly TimelineSwitch[], timeline: number) {
  const data = await mkdtemp(join(tmpdir(), 'holdfast-test-'));
  onTestFinished(() => rm(data, { recursive: true, force: true }));
  const wal = join(data, 'pg_wal');
  await mkdir(wal);
  for (const [of, segment] of present) await writeFile(join(wal, name(of, segment)), Buffer.alloc(Number(segmentBytes), of));
  const names = await completeForks(data, { timeline, ancestors }, { segmentBytes, account: undefined });
  expect(await readdir(wal)).toHaveLength(present.length + names.length);
  return { names, read: (of: number, segment: number) => readFile(join(wal, name(of, segment))) };
}

test('the segment in which a timeline was left is given to it, up to there', async () => {
  const { names, read } = await added(
    [
      [1, 4],
      [1, 5],
      [2, 6],
      [2, 7],
    ],
    [end(1, 6, 1_000)],
    2,
  );
  expect(names).toEqual([name(1, 6)]);
  const wanted = Buffer.concat([Buffer.alloc(1_000, 2), Buffer.alloc(Number(segmentBytes) - 1_000)]);
  expect((await read(1, 6)).equals(wanted)).toBe(true);
});

test('two timelines that were left in one segment have it of the one that follows them', async () => {
  const { names, read } = await added(
    [
      [1, 5],
      [3, 6],
    ],
    [end(1, 6, 1_000), end(2, 6, 2_000)],
    3,
  );
  expect(names).toEqual([name(1, 6), name(2, 6)]);
  expect((await read(2, 6)).subarray(1_990, 2_010)).toEqual(Buffer.concat([Buffer.alloc(10, 3), Buffer.alloc(10)]));
});

test.each([
  [
    'what is there stays as it is',
    [
      [1, 5],
      [1, 6],
      [2, 6],
    ],
    [end(1, 6, 1_000)],
  ],
  [
    'a timeline that was left at the end of a segment needs no more',
    [
      [1, 5],
      [2, 6],
    ],
    [end(1, 6, 0)],
  ],
  [
    'WAL that begins with the present timeline needs no ancestor',
    [
      [2, 6],
      [2, 7],
    ],
    [end(1, 6, 1_000)],
  ],
  [
    'nothing can be made of nothing',
    [
      [1, 5],
      [2, 7],
    ],
    [end(1, 6, 1_000)],
  ],
] as const)('%s', async (_, present, ancestors) => {
  expect((await added(present, ancestors, 2)).names).toEqual([]);
});
