import { readChunks, type BufferPool, type ReadInto } from '../chunk/chunks.ts';
import type { Cutter } from '../chunk/cutter.ts';
import type { BlobId, RepositoryWriter, SavedBlob } from '../repository.ts';
import { settle } from '../gate.ts';

export interface SavedContent {
  readonly content: readonly BlobId[];
  readonly sizeBytes: number;
}

/** What blobs cost, as they are saved. */
export type OnSaved = (kind: 'data' | 'tree', saved: SavedBlob, sizeBytes: number) => void;

/** Cuts streams into blobs and saves them. Several streams at once share the buffers. */
export interface ContentSaver {
  /** @throws what `read` throws, once no blob of it is on its way any more */
  save(read: ReadInto, cutter: Cutter, signal: AbortSignal): Promise<SavedContent>;
}

export function createContentSaver(writer: Pick<RepositoryWriter, 'saveBlob'>, pool: BufferPool, onSaved: OnSaved): ContentSaver {
  // Holes of sparse files are read as zeros, most of them in chunks of one length: each is hashed once.
  const zeros = new Map<number, BlobId>();
  let zero: Buffer | undefined;

  const saveChunk = async (data: Buffer): Promise<BlobId> => {
    const isZero = data[0] === 0 && data.equals((zero ??= Buffer.alloc(data.buffer.byteLength)).subarray(0, data.length));
    const known = isZero ? zeros.get(data.length) : undefined;
    if (known !== undefined) return known;
    const saved = await writer.saveBlob('data', data);
    onSaved('data', saved, data.length);
    if (isZero && zeros.size < zerosMax) zeros.set(data.length, saved.id);
    return saved.id;
  };

  return {
    async save(read, cutter, signal) {
      const saves: Promise<BlobId>[] = [];
      let sizeBytes = 0;
      let failed = false;
      try {
        for await (const { data, buffer } of readChunks(read, cutter, pool)) {
          sizeBytes += data.length;
          const saving = saveChunk(data).finally(() => pool.give(buffer));
          saving.catch(() => (failed = true));
          saves.push(saving);
          signal.throwIfAborted();
          if (failed) break;
        }
      } catch (error) {
        await Promise.allSettled(saves);
        throw error;
      }
      return { content: await settle(saves), sizeBytes };
    },
  };
}

const zerosMax = 100;
