import type { Cutting } from '../chunk/cutter.ts';
import type { SealedRun } from '../pack/packer.ts';
import type { BlobId, FilePart, SavedFile, WholeSavedFile } from '../repository.ts';
import type { Segment, SegmentContent, WholeFile } from '../reading/read-segments.ts';
import type { WorkerPool } from '../workers/pool.ts';

/** Longer files are read in parts of so many bytes, by several threads. A chunk ends with each, wherever else it would. */
const segmentBytes = 64 * 1024 * 1024;
/** Small files are given to a thread together, up to these. */
const batchBytesMax = 8 * 1024 * 1024;
const batchSegmentsMax = 256;

export interface FileSaverParts {
  readonly pool: WorkerPool;
  readonly compresses: boolean;
  /** Takes sealed blobs over; resolves when there is room for more. */
  readonly take: (run: SealedRun) => Promise<void>;
  /** Whether nobody has it, nor is about to: then the caller is. */
  readonly claim: (id: BlobId) => boolean;
  /** Told when threads could not go on: what they claimed will not come. */
  readonly failed: (error: Error) => void;
  readonly signal: AbortSignal;
}

interface Waiting {
  readonly segment: Segment | WholeFile;
  readonly sizeBytes: number;
  readonly settle: PromiseWithResolvers<SegmentContent>;
}

/** Has files read, cut and sealed by threads, many small ones at once. */
export class FileSaver {
  readonly #parts: FileSaverParts;
  readonly #waiting: Waiting[] = [];
  #reading = 0;

  constructor(parts: FileSaverParts) {
    this.#parts = parts;
  }

  async save(fd: number, parts: readonly FilePart[], cutting: Cutting): Promise<SavedFile> {
    const step = cutting.kind === 'fixed' ? segmentBytes - (segmentBytes % cutting.sizeBytes) : segmentBytes;
    const segments: Promise<SegmentContent>[] = [];
    for (const part of parts) {
      for (let { from } = part; from < part.to; from += step) {
        const to = Math.min(from + step, part.to);
        segments.push(this.#queue({ fd, from, to, cutting }, to - from));
      }
    }
    // The descriptor must stay open until nobody reads from it.
    const outcomes = await Promise.allSettled(segments);
    const saved = { content: [] as BlobId[], wrongPages: [] as number[], sizeBytes: 0, newBlobs: 0, addedBytes: 0, storedBytes: 0 };
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') throw outcome.reason;
      const { content, wrongPages, ...counted } = savedOf(outcome.value);
      for (const id of content) saved.content.push(id);
      for (const page of wrongPages) saved.wrongPages.push(page);
      for (const name of ['sizeBytes', 'newBlobs', 'addedBytes', 'storedBytes'] as const) saved[name] += counted[name];
    }
    return saved;
  }

  /** @param sizeBytes what it is thought to have */
  async saveWhole(path: string, sizeBytes: number, cutting: Cutting): Promise<WholeSavedFile> {
    const content = await this.#queue({ path, cutting }, sizeBytes);
    return { ...savedOf(content), ...content.opened! };
  }

  #queue(segment: Segment | WholeFile, sizeBytes: number): Promise<SegmentContent> {
    const settle = Promise.withResolvers<SegmentContent>();
    this.#waiting.push({ segment, sizeBytes, settle });
    // Whoever asks at the same time goes along.
    if (this.#waiting.length === 1) queueMicrotask(() => this.#begin());
    return settle.promise;
  }

  #begin(): void {
    while (this.#reading < this.#parts.pool.size && this.#waiting.length > 0) {
      const batch = this.#takeBatch();
      this.#reading += 1;
      this.#read(batch)
        .catch((error: unknown) => {
          this.#parts.failed(error as Error);
          for (const { settle } of batch) settle.reject(error);
        })
        .finally(() => {
          this.#reading -= 1;
          this.#begin();
        });
    }
  }

  #takeBatch(): Waiting[] {
    let bytes = 0;
    let count = 0;
    for (; count < this.#waiting.length && count < batchSegmentsMax; count += 1) {
      const { sizeBytes } = this.#waiting[count]!;
      if (count > 0 && bytes + sizeBytes > batchBytesMax) break;
      bytes += sizeBytes;
    }
    return this.#waiting.splice(0, count);
  }

  async #read(batch: readonly Waiting[]): Promise<void> {
    const { pool, compresses, take, claim, signal } = this.#parts;
    signal.throwIfAborted();
    const segments = batch.map(({ segment }) => segment);
    const { contents, run } = await pool.read(segments, compresses, async ({ ids, run: sealed }) => {
      signal.throwIfAborted();
      if (sealed !== undefined) await take(sealed);
      return Uint8Array.from(ids, (id) => Number(claim(id)));
    });
    if (run !== undefined) await take(run);
    for (const [at, { settle }] of batch.entries()) settle.resolve(contents[at]!);
  }
}

/** @throws why it could not be read */
function savedOf({ ids, wrongPages, sizeBytes, newBlobs, addedBytes, storedBytes, failure }: SegmentContent): SavedFile {
  if (failure !== undefined) throw Object.assign(new Error(failure.message), { code: failure.code });
  return { content: ids, wrongPages, sizeBytes, newBlobs, addedBytes, storedBytes };
}
