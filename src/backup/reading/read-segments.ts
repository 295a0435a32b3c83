// Reads parts of open files and makes sealed blobs of them, on a thread: between disk and repository no byte goes through another one.
import { closeSync, fstatSync, readSync } from 'node:fs';
import type { Cutting } from '../chunk/cutter.ts';
import { cutterOf } from '../chunk/cutting.ts';
import { messageOf } from '../../core/errors.ts';
import type { SealingKey } from '../crypto/seal.ts';
import { sha256 } from '../documents/ids.ts';
import { openForReadingNow } from '../files/fs.ts';
import { type FileStats, statsOf } from '../files/node-of.ts';
import { codeOf } from '../files/path.ts';
import { runBlobsMax } from '../pack/packer.ts';
import type { BlobId } from '../repository.ts';
import { wrongPages, wrongPagesMax } from './page-check.ts';
import { type OwnRun, sealRun } from './sealed-run.ts';

/** A file that is opened and closed by whoever reads it, up to the size that it has then. */
export interface WholeFile {
  readonly path: string;
  readonly cutting: Cutting;
}

/** Bytes `from` to `to` of an open file. */
export interface Segment {
  readonly fd: number;
  readonly from: number;
  readonly to: number;
  readonly cutting: Cutting;
}

/** What became of a segment. */
export interface SegmentContent {
  readonly ids: BlobId[];
  /** Fewer than asked for when the file has become shorter. */
  sizeBytes: number;
  newBlobs: number;
  /** Of new blobs, plain and as they are stored. */
  addedBytes: number;
  storedBytes: number;
  /** Numbers of the first pages that are wrong, where the cutting has pages. */
  readonly wrongPages: number[];
  /** Why it could not be read to its end. */
  failure: { readonly message: string; readonly code: string } | undefined;
  /** Of a whole file, when it was opened; and whether it is another one at its end. */
  opened?: { readonly stats: FileStats; readonly isChanged: boolean };
}

/** Hands over what was sealed last, and asks which blobs are to be sealed: for each of them 1, or 0 when it is known. */
export type Ask = (ids: readonly BlobId[], run: OwnRun | undefined) => Uint8Array;

export interface ReadResult {
  readonly contents: readonly SegmentContent[];
  readonly run: OwnRun | undefined;
}

/** Complete chunks that are worked on together: they share a question. */
const windowBytes = 2 * 1024 * 1024;
/** No cutter makes larger ones. */
const chunkBytesMax = 8 * 1024 * 1024;
/** What one call reads: it lies in the cache still when it is looked through. */
const readBytes = 512 * 1024;

interface Chunk {
  readonly content: SegmentContent;
  readonly data: Uint8Array;
}

/** One for all of a thread's work, made when it is needed. Pages of it that are never written cost no memory. */
let buffer: Buffer | undefined;

/** Reads segments, one after the other. What can not be read of one is told in its content. */
export function readSegments(key: SealingKey, segments: readonly (Segment | WholeFile)[], compresses: boolean, ask: Ask): ReadResult {
  const reader = new SegmentReader(key, compresses, ask);
  const contents = segments.map((segment) => ('path' in segment ? reader.readWhole(segment) : reader.read(segment)));
  return { contents, run: reader.end() };
}

function emptyContent(): SegmentContent {
  return { ids: [], sizeBytes: 0, newBlobs: 0, addedBytes: 0, storedBytes: 0, wrongPages: [], failure: undefined };
}

function failureOf(error: unknown): SegmentContent['failure'] {
  return { message: messageOf(error), code: codeOf(error) };
}

class SegmentReader {
  readonly #key: SealingKey;
  readonly #compresses: boolean;
  readonly #ask: Ask;
  /** Complete chunks, then what was read behind them. */
  readonly #bytes: Buffer = (buffer ??= Buffer.allocUnsafeSlow(windowBytes + chunkBytesMax));
  #chunks: Chunk[] = [];
  /** Where the present chunk begins: all chunks end there. */
  #begin = 0;
  #filled = 0;
  #run: OwnRun | undefined;

  constructor(key: SealingKey, compresses: boolean, ask: Ask) {
    this.#key = key;
    this.#compresses = compresses;
    this.#ask = ask;
  }

  readWhole({ path, cutting }: WholeFile): SegmentContent {
    let fd: number | undefined;
    try {
      fd = openForReadingNow(path);
      const before = fstatSync(fd, { bigint: true });
      if (!before.isFile()) throw Object.assign(new Error('it is no longer a file'), { code: 'ESTALE' });
      const content = this.read({ fd, from: 0, to: Number(before.size), cutting });
      const after = fstatSync(fd, { bigint: true });
      const isChanged = after.mtimeNs !== before.mtimeNs || after.size !== before.size || BigInt(content.sizeBytes) !== before.size;
      return Object.assign(content, { opened: { stats: statsOf(before), isChanged } });
    } catch (error) {
      return { ...emptyContent(), failure: failureOf(error) };
    } finally {
      if (fd !== undefined) closeSync(fd);
    }
  }

  read(segment: Segment): SegmentContent {
    const { fd, from, to, cutting } = segment;
    const content = emptyContent();
    const cutter = cutterOf(cutting);
    for (let looked = this.#begin; ;) {
      const end = looked < this.#filled ? cutter.next(this.#bytes, looked, this.#filled) : -1;
      if (end !== -1) {
        this.#cut(segment, content, end);
        looked = this.#begin;
        continue;
      }
      looked = this.#filled;
      const got = this.#readMore(
        fd,
        content,
        from,
        Math.min(to, from + content.sizeBytes + cutter.maxBytes - (this.#filled - this.#begin)),
      );
      if (got === 0) break;
      content.sizeBytes += got;
    }
    if (this.#filled > this.#begin) this.#cut(segment, content, this.#filled);
    return content;
  }

  /** What was sealed last. */
  end(): OwnRun | undefined {
    this.#sealAll();
    return this.#run;
  }

  #readMore(fd: number, content: SegmentContent, from: number, to: number): number {
    const position = from + content.sizeBytes;
    const wanted = Math.min(readBytes, to - position);
    if (wanted <= 0) return 0;
    try {
      const got = readSync(fd, this.#bytes, this.#filled, wanted, position);
      this.#filled += got;
      return got;
    } catch (error) {
      content.failure = failureOf(error);
      return 0;
    }
  }

  #cut({ fd, from, cutting }: Segment, content: SegmentContent, end: number): void {
    const data = this.#bytes.subarray(this.#begin, end);
    if (cutting.kind === 'fixed' && cutting.pages !== undefined && content.wrongPages.length < wrongPagesMax) {
      const position = from + content.sizeBytes - (this.#filled - this.#begin);
      content.wrongPages.push(...wrongPages(data, position, fd, cutting.pages));
    }
    this.#chunks.push({ content, data });
    this.#begin = end;
    if (end < windowBytes && this.#chunks.length < runBlobsMax) return;
    this.#sealAll();
    this.#bytes.copyWithin(0, this.#begin, this.#filled);
    this.#filled -= this.#begin;
    this.#begin = 0;
  }

  #sealAll(): void {
    if (this.#chunks.length === 0) return;
    const chunks = this.#chunks;
    this.#chunks = [];
    const ids = chunks.map(({ content, data }) => {
      const id = sha256(data);
      content.ids.push(id);
      return id;
    });
    const isNew = this.#ask(ids, this.#run);
    const wanted = chunks.flatMap(({ content, data }, at) => (isNew[at] === 1 ? [{ content, data, id: ids[at]! }] : []));
    this.#run = wanted.length === 0 ? undefined : sealRun(this.#key, 'data', wanted, this.#compresses);
    for (const [at, { content, data }] of wanted.entries()) {
      content.newBlobs += 1;
      content.addedBytes += data.byteLength;
      content.storedBytes += this.#run!.blobs[at]!.sizeBytes;
    }
  }
}
