import type { Position } from '../../engine.ts';
import type { ControlFile } from './control-file.ts';
import { crc32c } from './crc32c.ts';
import { latestHistory } from './timeline.ts';
import { WalPages, walPageBytes, timelinesNewestFirst, type WalPage } from './wal-pages.ts';

/** XLogRecord of xlogrecord.h. */
const recordHeaderBytes = 24;
/** XLogRecordMaxSize of xlogrecord.h (1020 MiB); before PostgreSQL 16 merely what could be allocated. */
const recordBytesMax = 1020 * 1024 * 1024;
const pageBytes = BigInt(walPageBytes);
/** Records longer than this many pages are rare: then it is looked for from the last checkpoint. */
const pagesBackMax = 64n;

interface WalRecord {
  readonly start: bigint;
  /** Where the next one begins, but for a page header. */
  readonly end: bigint;
  /** Timeline in whose segment file it was found. */
  readonly fileTimeline: number;
}

/**
 * Where the WAL on this disk really ends: after the last whole, valid record. Data pages never run ahead of it (WAL is flushed first),
 * and everything that a replica ever confirmed as flushed lies before it. After a crash the control file alone knows only a lower bound.
 *
 * Method: from the last checkpoint's record each record is read and judged as recovery itself does (xlogreader.c): page address, page
 * timeline, back pointer, length, CRC. The first that fails is the end.
 *
 * @param replayed end of a record that a server has replayed, from where to look on instead
 */
export async function endOfWal(dataDirectory: string, control: ControlFile, replayed?: Position): Promise<Position> {
  const start = replayed ?? { timeline: control.timeline, lsn: control.checkpointLsn };
  const history = await latestHistory(dataDirectory, start.timeline);
  await using pages = new WalPages(dataDirectory, history, control.segmentBytes, control.systemId);
  let previous = replayed === undefined ? undefined : await recordBefore(pages, replayed.lsn, control.segmentBytes);
  // Without its back pointer a left-over of a recycled file could pass for the next record.
  if (replayed !== undefined && previous === undefined) return await endOfWal(dataDirectory, control);
  const timelines = timelinesNewestFirst(history);
  let end: Position = start;
  for (;;) {
    const record = await readRecord(pages, end.lsn, previous, control.segmentBytes);
    if (record === undefined) return end;
    const byLsn = timelines.find(({ begin }) => begin <= record.start)!.timeline;
    end = { timeline: Math.min(byLsn, record.fileTimeline), lsn: record.end };
    previous = record.start;
  }
}

/** Start of the record that ends at `lsn`, found from the first record on its page or a page before. */
async function recordBefore(pages: WalPages, lsn: bigint, segmentBytes: bigint): Promise<bigint | undefined> {
  const last = lsn - 1n - ((lsn - 1n) % pageBytes);
  for (let back = 0n; back < pagesBackMax && last >= back * pageBytes; back += 1n) {
    const page = await pages.read(last - back * pageBytes);
    if (page === undefined) return undefined;
    const offset = page.headerBytes + (page.continuesRecord ? Math.ceil(page.remainingBytes / 8) * 8 : 0);
    let start = page.lsn + BigInt(offset);
    if (offset >= walPageBytes || start >= lsn) continue;
    for (;;) {
      const record = await readRecord(pages, start, undefined, segmentBytes);
      if (record === undefined || record.end > lsn) return undefined;
      if (record.end === lsn) return record.start;
      start = record.end;
    }
  }
  return undefined;
}

async function readRecord(pages: WalPages, lsn: bigint, previous: bigint | undefined, segmentBytes: bigint): Promise<WalRecord | undefined> {
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
  if (record === undefined || (previous !== undefined && record.bytes.readBigUInt64LE(8) !== previous) || !isIntact(record.bytes)) return undefined;
  return { start, end: isSegmentSwitch(record.bytes) ? roundUp(record.end, segmentBytes) : roundUp(record.end, 8n), fileTimeline };
}

/**
 * Puts a record together that may span pages; gives the LSN of a page where it was given up. Pages are views into one buffer, so each
 * part is copied before the next page is read.
 */
async function collect(pages: WalPages, first: WalPage, offset: number, length: number): Promise<{ bytes: Buffer; end: bigint } | bigint | undefined> {
  const here = Math.min(length, walPageBytes - offset);
  const parts = [Buffer.from(first.bytes.subarray(offset, offset + here))];
  let end = first.lsn + BigInt(offset + here);
  for (let remaining = length - here; remaining > 0; ) {
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

function isIntact(record: Buffer): boolean {
  return crc32c(record.subarray(0, 20), crc32c(record.subarray(recordHeaderBytes))) === record.readUInt32LE(20);
}

/** RM_XLOG_ID, XLOG_SWITCH: the rest of the segment is unused. */
function isSegmentSwitch(record: Buffer): boolean {
  return record[17] === 0 && (record[16]! & 0xf0) === 0x40;
}

function roundUp(value: bigint, unit: bigint): bigint {
  return ((value + unit - 1n) / unit) * unit;
}
