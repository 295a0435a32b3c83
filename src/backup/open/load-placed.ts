import { hasCode, HoldfastError } from '../../core/errors.ts';
import type { ByteRange, CallOptions, Location } from '../../storage/index.ts';
import { OBJECT_BYTES_MAX } from '../../storage/key.ts';
import { type OwnBytes, owned } from '../documents/bytes.ts';
import type { RepositoryFiles } from '../documents/files.ts';
import { objectKey } from '../documents/ids.ts';
import type { BlobId, BlobPlace } from '../repository.ts';
import type { WorkerPool } from '../workers/pool.ts';

interface LoadParts {
  readonly files: RepositoryFiles;
  readonly pool: WorkerPool;
}

/** A blob, plain, and as it is stored when that was asked for. */
interface PlacedBlob {
  readonly data: OwnBytes;
  readonly stored: Uint8Array | undefined;
}

/**
 * Reads a blob from its place in a pack. Where that part of the pack is not as it was written, the whole pack is asked for: a location that
 * has several copies can tell a good one from a bad one only then, as the pack's name is its checksum.
 * Undefined when no copy gives it. @throws STORAGE_NOT_FOUND, STORAGE_DAMAGED
 */
export async function loadPlaced(
  { files, pool }: LoadParts,
  id: BlobId,
  { packId, offset, sizeBytes, plainSizeBytes, compressed }: BlobPlace,
  { signal, keepStored = false }: CallOptions & { readonly keepStored?: boolean },
): Promise<PlacedBlob | undefined> {
  const key = objectKey('data', packId);
  const open = async (stored: Uint8Array): Promise<PlacedBlob | undefined> => {
    const kept = keepStored ? new Uint8Array(stored) : undefined;
    const { data } = await pool.run('open', { stored: owned(stored), id, plainSizeBytes, compressed });
    return data && { data, stored: kept };
  };
  const part = await partOf(files, key, { offset, sizeBytes }, signal);
  const found = part && (await open(part));
  if (found !== undefined) return found;
  const pack = await files.location.get(key, { signal });
  return pack.byteLength < offset + sizeBytes ? undefined : await open(pack.slice(offset, offset + sizeBytes));
}

/** Undefined when the pack is shorter. */
async function partOf({ location }: RepositoryFiles, key: string, range: ByteRange, signal: AbortSignal): Promise<Uint8Array | undefined> {
  try {
    return await readPart(location, key, range, signal);
  } catch (error) {
    if (hasCode(error, 'STORAGE_DAMAGED')) return undefined;
    throw error;
  }
}

/** A part of a pack, wherever an index says that it lies. @throws STORAGE_DAMAGED, also for what lies where no object reaches */
export async function readPart(location: Location, key: string, range: ByteRange, signal: AbortSignal): Promise<Uint8Array> {
  if (range.offset + range.sizeBytes <= OBJECT_BYTES_MAX) return await location.get(key, { signal, range });
  throw new HoldfastError('STORAGE_DAMAGED', `${key} has no byte ${range.offset + range.sizeBytes}, which an index tells of`, {
    hint: '`holdfast check` tells what is affected.',
  });
}
