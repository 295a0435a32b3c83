import type { Cutting } from '../chunk/cutter.ts';
import type { SealedRun } from '../pack/packer.ts';
import type { BlobId, SavedFile } from '../repository.ts';
import type { Segment, SegmentContent } from '../reading/read-segments.ts';
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
  readonly segment: Segment;
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

  async save(fd: number, sizeBytes: number, cutting: Cutting): Promise<SavedFile> {
    const step = cutting.kind === 'fixed' ? segmentBytes - (segmentBytes % cutting.sizeBytes) : segmentBytes;
    const segments: Promise<SegmentContent>[] = [];
    for (let from = 0; from < sizeBytes; from += step) {
      const settle = Promise.withResolvers<SegmentContent>();
      this.#waiting.push({ segment: { fd, from, to: Math.min(from + step, sizeBytes), cutting }, settle });
      segments.push(settle.promise);
    }
    // Whoever asks at the same time goes along.
    queueMicrotask(() => this.#begin());
    // The descriptor must stay open until nobody reads from it.
    const outcomes = await Promise.allSettled(segments);
    const saved = { content: [] as BlobId[], sizeBytes: 0, newBlobs: 0, addedBytes: 0, storedBytes: 0 };
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') throw outcome.reason;
      const { ids, failure, ...counted } = outcome.value;
      if (failure !== undefined) throw Object.assign(new Error(failure.message), { code: failure.code });
      for (const id of ids) saved.content.push(id);
      for (const name of ['sizeBytes', 'newBlobs', 'addedBytes', 'storedBytes'] as const) saved[name] += counted[name];
    }
    return saved;
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
      const { from, to } = this.#waiting[count]!.segment;
      if (count > 0 && bytes + to - from > batchBytesMax) break;
      bytes += to - from;
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
