import { open, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { segmentName } from '../../../core/lsn.ts';
import type { TimelineHistory } from '../../../core/timeline.ts';

export const walPageBytes = 8192;
/** Read at once; a power of two of at most the smallest segment (1 MiB). */
const readBytes = 256 * 1024;

/** Page headers of xlog_internal.h: XLogPageHeaderData, and XLogLongPageHeaderData on a segment's first page. */
export interface WalPage {
  readonly lsn: bigint;
  readonly bytes: Buffer;
  readonly headerBytes: number;
  /** Timeline in whose segment file the page was found. */
  readonly fileTimeline: number;
  readonly continuesRecord: boolean;
  /** The record that was to go on here was given up by a crash; a new one begins. */
  readonly overwritesRecord: boolean;
  /** Bytes of the continued record on this page and later ones. */
  readonly remainingBytes: number;
}

/** XLOG_PAGE_MAGIC of PostgreSQL 14, 15, 16, 17, 18. */
const magics = new Set([0xd10d, 0xd110, 0xd113, 0xd116, 0xd118]);

/** The pages of WAL in a data directory along a timeline history, each as recovery would choose and check it. */
export class WalPages implements AsyncDisposable {
  readonly #directory: string;
  readonly #history: TimelineHistory;
  readonly #segmentBytes: bigint;
  readonly #systemId: bigint;
  readonly #buffer = Buffer.alloc(readBytes);
  #bufferLsn = -1n;
  #bufferLength = 0;
  #file: { handle: FileHandle; timeline: number; segment: bigint } | undefined;
  #timelineSeen = 0;

  constructor(dataDirectory: string, history: TimelineHistory, segmentBytes: bigint, systemId: string) {
    this.#directory = join(dataDirectory, 'pg_wal');
    this.#history = history;
    this.#segmentBytes = segmentBytes;
    this.#systemId = BigInt(systemId);
  }

  /** The page that begins at `lsn`; undefined when it is absent, or not what a page there must be (old content of a recycled file). */
  async read(lsn: bigint): Promise<WalPage | undefined> {
    const file = await this.#open(lsn / this.#segmentBytes);
    if (file === undefined) return undefined;
    const bytes = await this.#bytes(file, lsn);
    if (bytes === undefined || !magics.has(bytes.readUInt16LE(0)) || bytes.readBigUInt64LE(8) !== lsn) return undefined;
    const info = bytes.readUInt16LE(2);
    const timeline = bytes.readUInt32LE(4);
    if (timeline < this.#timelineSeen || timeline > file.timeline) return undefined;
    const first = lsn % this.#segmentBytes === 0n;
    if (first !== ((info & 0x0002) !== 0) || (first && bytes.readBigUInt64LE(24) !== this.#systemId)) return undefined;
    this.#timelineSeen = timeline;
    return {
      lsn,
      bytes,
      headerBytes: first ? 40 : 24,
      fileTimeline: file.timeline,
      continuesRecord: (info & 0x0001) !== 0,
      overwritesRecord: (info & 0x0008) !== 0,
      remainingBytes: bytes.readUInt32LE(16),
    };
  }

  /** The newest timeline's file that exists, as XLogFileReadAnyTLI chooses; never back to an older timeline. */
  async #open(segment: bigint): Promise<{ handle: FileHandle; timeline: number } | undefined> {
    if (this.#file?.segment === segment) return this.#file;
    const least = this.#file?.timeline ?? 0;
    for (const { timeline, begin } of timelinesNewestFirst(this.#history)) {
      if (timeline < least || segment < begin / this.#segmentBytes) continue;
      const handle = await openIfPresent(join(this.#directory, segmentName(timeline, segment * this.#segmentBytes, this.#segmentBytes)));
      if (handle === undefined) continue;
      await this.#file?.handle.close();
      this.#bufferLsn = -1n;
      this.#file = { handle, timeline, segment };
      return this.#file;
    }
    return undefined;
  }

  async #bytes(file: { handle: FileHandle }, lsn: bigint): Promise<Buffer | undefined> {
    const start = lsn - (lsn % BigInt(readBytes));
    if (this.#bufferLsn !== start) {
      const { bytesRead } = await file.handle.read(this.#buffer, 0, readBytes, Number(start % this.#segmentBytes));
      this.#bufferLsn = start;
      this.#bufferLength = bytesRead;
    }
    const at = Number(lsn - start);
    return at + walPageBytes <= this.#bufferLength ? this.#buffer.subarray(at, at + walPageBytes) : undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file?.handle.close();
    this.#file = undefined;
  }
}

/** Each timeline with the LSN at which it begins. */
export function timelinesNewestFirst(history: TimelineHistory): { timeline: number; begin: bigint }[] {
  const all = [...history.ancestors.map(({ timeline }) => timeline), history.timeline];
  return all.map((timeline, index) => ({ timeline, begin: history.ancestors[index - 1]?.end ?? 0n })).toReversed();
}

async function openIfPresent(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
