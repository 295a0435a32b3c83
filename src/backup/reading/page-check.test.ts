import { randomBytes } from 'node:crypto';
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { checksumOfPage } from '../../core/page-checksum.ts';
import { wrongPages, wrongPagesMax } from './page-check.ts';

const pageBytes = 8192;
const first = 131_072;
const beforeLsn = 0x2_0000_0000n;
const directory = mkdtempSync(join(tmpdir(), 'holdfast-pages-'));
/** Two pages as a server writes them, the second after the backup began, and one of zeros, as new ones are. */
let pages: Buffer;

beforeAll(() => {
  pages = Buffer.concat([pageOf(first, 1), pageOf(first + 1, 2), Buffer.alloc(pageBytes)]);
});
afterAll(() => rmSync(directory, { recursive: true }));

function pageOf(block: number, lsnHigh: number): Buffer {
  const page = randomBytes(pageBytes);
  page.writeUInt32LE(lsnHigh, 0);
  page.writeUInt16LE(checksumOfPage(page, block), 8);
  return page;
}

/** What was read, while on the disk there is something else. */
function wrongIn(read: Buffer, onDisk = read, pagesFirst = first, position = 0): number[] {
  const path = join(directory, 'file');
  writeFileSync(path, Buffer.concat([Buffer.alloc(position), onDisk]));
  const fd = openSync(path, 'r');
  try {
    return wrongPages(read, position, fd, { pageBytes, first: pagesFirst, beforeLsn });
  } finally {
    closeSync(fd);
  }
}

const damaged = (page: number): Buffer => {
  const copy = Buffer.from(pages);
  copy[page * pageBytes + 5_000]! ^= 1;
  return copy;
};

test('pages as they were written are right, at their own places only', () => {
  expect(wrongIn(pages)).toEqual([]);
  expect(wrongIn(pages, pages, first - 2, 2 * pageBytes)).toEqual([]);
  expect(wrongIn(pages, pages, first + 1)).toEqual([first + 1]);
});

test('one bit is seen', () => {
  expect(wrongIn(damaged(0))).toEqual([first]);
  expect(wrongIn(damaged(2))).toEqual([first + 2]);
});

test('not what was half written while it was read, nor what the WAL has whole', () => {
  expect(wrongIn(damaged(0), pages)).toEqual([]);
  expect(wrongIn(damaged(1))).toEqual([]);
  expect(wrongIn(damaged(0), Buffer.alloc(0))).toEqual([]);
});

test('the rest of a page that is not whole is left alone, and no more is told than a bound', () => {
  expect(wrongIn(pages.subarray(0, pageBytes + 100))).toEqual([]);
  const many = Buffer.concat(Array.from({ length: wrongPagesMax + 5 }, () => damaged(0).subarray(0, pageBytes)));
  expect(wrongIn(many, many, 1)).toHaveLength(wrongPagesMax);
});
