import { crc32c } from './crc32c.ts';
import { WalPages, walPageBytes, type WalPage } from './wal-pages.ts';

/** XLogRecord of xlogrecord.h. */
const recordHeaderBytes = 24;
/** XLogRecordMaxSize of xlogrecord.h (1020 MiB); before PostgreSQL 16 merely what could be allocated. */
const recordBytesMax = 1020 * 1024 * 1024;
/** Records longer than this many pages are rare: then a back pointer is looked for from the last checkpoint. */
const pagesBackMax = 64n;
const pageBytes = BigInt(walPageBytes);
/** A record with nothing but main data of up to 255 bytes: its header, then XLR_BLOCK_ID_DATA_SHORT and the length. */
const shortDataOffset = recordHeaderBytes + 2;

/** Resource managers of rmgrlist.h. */
const managers = { xlog: 0, database: 4 } as const;

export interface WalRecord {
  readonly start: bigint;
  /** Where the next one begins, but for a page header. */
  readonly end: bigint;
  /** Timeline in whose segment file it was found. */
  readonly fileTimeline: number;
  readonly bytes: Buffer;
}

/**
 * Reads the record at `lsn` and judges it as recovery itself does (xlogreader.c): page address, page timeline, back pointer, length, CRC.
 * Undefined when there is none.
 * @param previous start of the record before; undefined leaves the back pointer unchecked
 */
export async function readRecord(
  pages: WalPages,
  lsn: bigint,
  previous: bigint | undefined,
  segmentBytes: bigint,
): Promise<WalRecord | undefined> {
  const first = await pages.read(lsn - (lsn % pageBytes));
  if (first === undefined) return undefined;
  const { fileTimeline } = first;
  const offset = Number(lsn % pageBytes) || first.headerBytes;
  if (offset < first.headerBytes || (lsn % pageBytes === 0n && first.continuesRecord)) return undefined;
  const start = first.lsn + BigInt(offset);
  const length = first.bytes.readUInt32LE(offset);
  if (length < recordHeaderBytes || length > recordBytesMax) return undefined;
  const record = await collect(pages, first, offset, length);
  // The crash that cut such a record off is recorded on the page where it would have gone on; recovery reads on there.
  if (typeof record === 'bigint') return await readRecord(pages, record, previous, segmentBytes);
  if (record === undefined || (previous !== undefined && record.bytes.readBigUInt64LE(8) !== previous) || !isIntact(record.bytes))
    return undefined;
  const end = isSegmentSwitch(record.bytes) ? roundUp(record.end, segmentBytes) : roundUp(record.end, 8n);
  return { start, end, fileTimeline, bytes: record.bytes };
}

/** Start of the record that ends at `lsn`, found from the first record on its page or a page before. */
export async function recordBefore(pages: WalPages, lsn: bigint, segmentBytes: bigint): Promise<bigint | undefined> {
  const last = lsn - 1n - ((lsn - 1n) % pageBytes);
  for (let back = 0n; back < pagesBackMax && last >= back * pageBytes; back += 1n) {
    let start = await firstRecordOn(pages, last - back * pageBytes);
    if (start === undefined) return undefined;
    if (start >= lsn || start >= last - (back - 1n) * pageBytes) continue;
    for (;;) {
      const record = await readRecord(pages, start, undefined, segmentBytes);
      if (record === undefined || record.end > lsn) return undefined;
      if (record.end === lsn) return record.start;
      start = record.end;
    }
  }
  return undefined;
}

/** Where the first record that begins on or after this page begins; undefined when the page is not there. */
export async function firstRecordOn(pages: WalPages, pageLsn: bigint): Promise<bigint | undefined> {
  const page = await pages.read(pageLsn);
  if (page === undefined) return undefined;
  // A continued record that fills the page ends on a later one; then the caller looks there.
  const offset = page.headerBytes + (page.continuesRecord ? Math.ceil(page.remainingBytes / 8) * 8 : 0);
  return page.lsn + BigInt(Math.min(offset, walPageBytes));
}

/** The redo pointer of a checkpoint record; undefined for any other. */
export function checkpointRedo({ bytes }: WalRecord): bigint | undefined {
  const kind = bytes[16]! & 0xf0;
  return bytes[17] === managers.xlog && (kind === 0x00 || kind === 0x10) ? bytes.readBigUInt64LE(shortDataOffset) : undefined;
}

/** OID of the database that a record says was created or dropped (xl_dbase_…_rec of dbcommands_xlog.h begin with it). */
export function databaseOf({ bytes }: WalRecord): number | undefined {
  return bytes[17] === managers.database ? bytes.readUInt32LE(shortDataOffset) : undefined;
}

/**
 * Puts a record together that may span pages; gives the LSN of a page where it was given up. Pages are views into one buffer, so each
 * part is copied before the next page is read.
 */
async function collect(
  pages: WalPages,
  first: WalPage,
  offset: number,
  length: number,
): Promise<{ bytes: Buffer; end: bigint } | bigint | undefined> {
  const here = Math.min(length, walPageBytes - offset);
  const parts = [Buffer.from(first.bytes.subarray(offset, offset + here))];
  let end = first.lsn + BigInt(offset + here);
  for (let remaining = length - here; remaining > 0;) {
    const page = await pages.read(end);
    if (page?.overwritesRecord === true) return page.lsn;
    if (page === undefined || !page.continuesRecord || page.remainingBytes !== remaining) return undefined;
    const part = Math.min(remaining, walPageBytes - page.headerBytes);
    parts.push(Buffer.from(page.bytes.subarray(page.headerBytes, page.headerBytes + part)));
    remaining -= part;
    end = page.lsn + BigInt(page.headerBytes + part);
  }
  return { bytes: parts.length === 1 ? parts[0]! : Buffer.concat(parts), end };
}

/** Whether the checksum of a whole record is right. */
export function isIntact(record: Buffer): boolean {
  return crc32c(record.subarray(0, 20), crc32c(record.subarray(recordHeaderBytes))) === record.readUInt32LE(20);
}

/** XLOG_SWITCH: the rest of the segment is unused. */
function isSegmentSwitch(record: Buffer): boolean {
  return record[17] === managers.xlog && (record[16]! & 0xf0) === 0x40;
}

function roundUp(value: bigint, unit: bigint): bigint {
  return ((value + unit - 1n) / unit) * unit;
}
