import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { randomSealingKey } from '../crypto/seal.ts';
import { sha256 } from '../documents/ids.ts';
import { forever as signal } from '../testing/repositories.ts';
import { WorkerPool } from '../workers/pool.ts';
import { compareFiles } from './compare-files.ts';
import type { FileToCompare } from './compare-pieces.ts';
import { lookAtAll } from './look-at-files.ts';

let directory: string;
let pool: WorkerPool;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-compare-'));
  pool = new WorkerPool(randomSealingKey(), { size: 2 });
});
afterAll(async () => {
  await pool[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true });
});

/** A file in pieces of these sizes. */
function write(name: string, sizes: readonly number[]): FileToCompare {
  const path = join(directory, name);
  const data = randomBytes(sizes.reduce((sum, size) => sum + size, 0));
  writeFileSync(path, data);
  let position = 0;
  const pieces = sizes.map((sizeBytes) => {
    const piece = { id: sha256(data.subarray(position, position + sizeBytes)), position, sizeBytes };
    position += sizeBytes;
    return piece;
  });
  return { path, pieces };
}

test('Safety: each piece is judged by its own bytes, however files are shared out. Method: files of all sizes, some pieces altered', async () => {
  const kib = 1024;
  const files = [
    write('empty', []),
    write(
      'large',
      Array.from({ length: 200 }, () => 128 * kib),
    ),
    // Larger than one read, and than a thread gets in one go.
    write('huge pieces', [9_000_000, 1, 600_000]),
    ...Array.from({ length: 30 }, (_, number) => write(`small ${number}`, [number + 1])),
    write(
      'many pieces',
      Array.from({ length: 2_500 }, (_, number) => 1 + (number % 7)),
    ),
  ];
  const wrong = new Set([1, 2, 7, 33].map((file) => `${file}:${files[file]!.pieces.length - 1}`)).add('1:0').add('1:64').add('2:0');
  const asked = files.map(({ path, pieces }, file) => ({
    path,
    pieces: pieces.map((piece, number) => (wrong.has(`${file}:${number}`) ? { ...piece, id: 'f'.repeat(64) } : piece)),
  }));
  let sameBytes = 0;
  const found = await compareFiles(pool, asked, { signal, onSame: (bytes) => (sameBytes += bytes) });
  let expectedBytes = 0;
  for (const [file, { pieces }] of files.entries()) {
    const expected = pieces.map((_, number) => Number(!wrong.has(`${file}:${number}`)));
    for (const [number, { sizeBytes }] of pieces.entries()) expectedBytes += expected[number]! * sizeBytes;
    expect([...found[file]!.same], files[file]!.path).toEqual(expected);
    expect(found[file]!.failure).toBeUndefined();
  }
  expect(sameBytes).toBe(expectedBytes);
});

test('a file that can not be read, or ends too soon, is told, and no other suffers', async () => {
  const [good, short, gone, link, other] = ['good', 'short', 'gone', 'link', 'other'].map((name) => write(name, [1_000, 1_000]));
  truncateSync(short!.path, 1_500);
  for (const { path } of [gone!, link!]) rmSync(path);
  symlinkSync(good!.path, link!.path);
  const found = await compareFiles(pool, [good!, short!, gone!, { ...link!, pieces: good!.pieces }, other!], { signal });
  expect(found.map(({ same, failure }) => failure?.code ?? [...same])).toEqual([[1, 1], [1, 0], 'ENOENT', 'ELOOP', [1, 1]]);
});

test('a look tells plain files from all else, and nothing where there is nothing', async () => {
  mkdirSync(join(directory, 'inside'));
  symlinkSync('nowhere', join(directory, 'dangling'));
  const { path } = write('seen', [5_000]);
  const paths = [path, join(directory, 'inside'), join(directory, 'dangling'), join(directory, 'absent'), join(path, 'below a file')];
  const looks = await lookAtAll(pool, paths, { signal });
  expect(looks.map((look) => look?.isOwn)).toEqual([true, false, false, undefined, undefined]);
  expect(looks[0]).toMatchObject({ sizeBytes: 5_000, uid: process.getuid!(), mode: 0o100644 });
  expect((await lookAtAll(pool, Array<string>(3_000).fill(path), { signal })).length).toBe(3_000);
});
