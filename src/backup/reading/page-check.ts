import { readSync } from 'node:fs';
import { isPageIntact } from '../../core/page-checksum.ts';
import type { CheckedPages } from '../chunk/cutter.ts';
import { countIntactPages } from './intact-pages.ts';

/** As many are told of one segment: more are no news. */
export const wrongPagesMax = 100;
/** pd_lsn of PageHeaderData: the upper four bytes, then the lower ones. */
const lsnOf = (page: Buffer): bigint => (BigInt(page.readUInt32LE(0)) << 32n) | BigInt(page.readUInt32LE(4));

/**
 * Pages of what was read from `position` of a file that are not what the server once wrote, by their numbers. The server may be writing one at
 * that moment: it is read again; and what it wrote since the backup began is replaced by a whole page from the WAL (verify_page_checksum of
 * PostgreSQL's basebackup.c does the same).
 */
export function wrongPages(data: Buffer, position: number, fd: number, { pageBytes, first, beforeLsn }: CheckedPages): number[] {
  const wrong: number[] = [];
  for (let at = 0; wrong.length < wrongPagesMax; at += pageBytes) {
    at += pageBytes * countIntactPages(data.subarray(at), pageBytes, first + (position + at) / pageBytes);
    if (at + pageBytes > data.length) break;
    const page = data.subarray(at, at + pageBytes);
    const number = first + (position + at) / pageBytes;
    if (lsnOf(page) >= beforeLsn) continue;
    const again = Buffer.alloc(pageBytes);
    const got = readSync(fd, again, 0, pageBytes, position + at);
    if (got === pageBytes && !isPageIntact(again, number) && lsnOf(again) < beforeLsn) wrong.push(number);
  }
  return wrong;
}
