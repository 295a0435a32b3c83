import type { CallOptions, Location } from '../../storage/index.ts';
import type { SealingKey } from '../crypto/seal.ts';
import { objectKey } from '../documents/ids.ts';
import type { StoredFile } from '../repository.ts';
import { decodeHeader, headerBytesOf, type PackEntry, PackHeaderError } from './header.ts';

/** Bytes at the end of a pack that are read first: the header of most packs lies in them. */
const tailBytes = 4096;

/** Reads what a pack says of itself, without the rest of it. @throws PackHeaderError */
export async function readHeader(
  { location, key }: { readonly location: Location; readonly key: SealingKey },
  { id, sizeBytes }: Pick<StoredFile, 'id' | 'sizeBytes'>,
  { signal }: CallOptions,
): Promise<PackEntry[]> {
  const tailOf = async (bytes: number): Promise<Uint8Array> => {
    const size = Math.min(bytes, sizeBytes);
    return await location.get(objectKey('data', id), { signal, range: { offset: sizeBytes - size, sizeBytes: size } });
  };
  if (sizeBytes === 0) throw new PackHeaderError('has no bytes');
  const tail = await tailOf(tailBytes);
  const needed = headerBytesOf(tail, sizeBytes);
  return decodeHeader(key, needed <= tail.byteLength ? tail : await tailOf(needed), sizeBytes);
}
