import { open, stat, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { segmentName } from '../../../core/lsn.ts';
import { divergence, type TimelineHistory } from '../../../core/timeline.ts';
import type { WalPlace, WalRun } from '../../../core/wal-source.ts';
import { readHistory } from './history-files.ts';
import { timelinesNewestFirst, walPageBytes } from './wal-pages.ts';
import { walIsGone, walIsRefused } from './wal-stream.ts';

/** Where a page's header has its own LSN (xlp_pageaddr of XLogPageHeaderData, xlog_internal.h), and where that ends. */
const pageLsnAt = 8;
const pageLsnEnd = 16;
/** A buffer that is this many times as large as what is read, and more than the least, is let go of. */
const roomyMax = 16;
const roomBytesMin = 128 * 1024;

/** What a running server has flushed, from its files. Who reads has seen to it that it keeps them: one that it needs no more gets another name, and then other WAL. */
export class FlushedWal {
  readonly #data: string;
  readonly #segmentBytes: bigint;
  /** Used again by the next read. */
  #buffer = Buffer.alloc(0);

  constructor(data: string, segmentBytes: bigint) {
    this.#data = data;
    this.#segmentBytes = segmentBytes;
  }

  /** See `WalReader.read`. */
  async read(
    from: WalPlace,
    { until, sizeBytesMax, signal }: { readonly until: WalPlace; readonly sizeBytesMax: number; readonly signal: AbortSignal },
  ): Promise<WalRun> {
    const history = await readHistory(this.#data, until.timeline);
    if (history === undefined) throw walIsRefused(from, `timeline ${until.timeline} has no history file`);
    const reason = divergence(from, history);
    if (reason !== undefined) throw walIsRefused(from, reason);
    const left = history.ancestors.findIndex(({ timeline }) => timeline === from.timeline);
    const end = history.ancestors[left]?.end ?? until.lsn;
    const most = from.lsn + BigInt(sizeBytesMax);
    const last = end < most ? end : most;
    const bytes = this.#room(Math.max(0, Number(last - from.lsn)));
    for (let at = from.lsn; at < last;) {
      signal.throwIfAborted();
      const segmentEnd = at - (at % this.#segmentBytes) + this.#segmentBytes;
      const to = segmentEnd < last ? segmentEnd : last;
      await this.#readSegment(history, { timeline: from.timeline, lsn: at }, bytes.subarray(Number(at - from.lsn), Number(to - from.lsn)));
      at = to;
    }
    const next = left < 0 || last < end ? undefined : (history.ancestors[left + 1]?.timeline ?? history.timeline);
    return { bytes, ...(next !== undefined && { next }) };
  }

  #room(sizeBytes: number): Buffer {
    const wanted = Math.max(sizeBytes, roomBytesMin);
    const known = this.#buffer.byteLength;
    if (known < wanted || known > roomyMax * wanted) this.#buffer = Buffer.allocUnsafeSlow(2 ** Math.ceil(Math.log2(wanted)));
    return this.#buffer.subarray(0, sizeBytes);
  }

  /** @throws ENGINE_WAL_GONE */
  async #readSegment(history: TimelineHistory, from: WalPlace, to: Buffer): Promise<void> {
    const { file, path } = await this.#openSegment(history, from);
    await using _file = file;
    const offset = Number(from.lsn % this.#segmentBytes);
    for (let at = 0; at < to.byteLength;) {
      const { bytesRead } = await file.read(to, at, to.byteLength - at, offset + at);
      if (bytesRead === 0) throw walIsGone(from, `${path} ends before`);
      at += bytesRead;
    }
    const [opened, present] = await Promise.all([file.stat(), stat(path).catch(() => undefined)]);
    if (present?.ino !== opened.ino) throw walIsGone(from, `${path} was removed`);
    for (let at = (walPageBytes - (offset % walPageBytes)) % walPageBytes; at + pageLsnEnd <= to.byteLength; at += walPageBytes) {
      const pageLsn = to.readBigUInt64LE(at + pageLsnAt);
      // Where a segment was left early, its last pages are zeros, headers too (CopyXLogRecordToWAL of xlog.c).
      if (pageLsn !== from.lsn + BigInt(at) && pageLsn !== 0n) throw walIsGone(from, `${path} holds something else`);
    }
  }

  /** Where a timeline was left within a segment, the next one's file begins with the same bytes, and may be the only one. */
  async #openSegment(history: TimelineHistory, from: WalPlace): Promise<{ readonly file: FileHandle; readonly path: string }> {
    for (const { timeline, begin } of timelinesNewestFirst(history)) {
      if (timeline < from.timeline) break;
      if (from.lsn / this.#segmentBytes < begin / this.#segmentBytes) continue;
      const path = join(this.#data, 'pg_wal', segmentName(timeline, from.lsn, this.#segmentBytes));
      const file = await open(path, 'r').catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOENT') throw error;
        return undefined;
      });
      if (file !== undefined) return { file, path };
    }
    throw walIsGone(from, `${segmentName(from.timeline, from.lsn, this.#segmentBytes)} is not there`);
  }
}
