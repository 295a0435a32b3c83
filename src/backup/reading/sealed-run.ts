import { Pages } from '../machine/pages.ts';
import { compressForNow } from '../crypto/compression.ts';
import { sealBytes, sealInto, type SealingKey } from '../crypto/seal.ts';
import type { OwnBytes } from '../documents/bytes.ts';
import type { SealedBlob, SealedRun } from '../pack/packer.ts';
import type { BlobId, BlobType } from '../repository.ts';

/** A run that can be handed over to another thread. */
export type OwnRun = SealedRun & { readonly stored: OwnBytes };

/** Compressed only where that saves something: readers are spared the work otherwise. */
export function sealRun(
  key: SealingKey,
  type: BlobType,
  blobs: readonly { readonly id: BlobId; readonly data: Uint8Array }[],
  compresses: boolean,
): OwnRun {
  const run = new Pages(blobs.reduce((sum, { data }) => sum + data.byteLength + sealBytes, 0));
  const sealed = blobs.map(({ id, data }): SealedBlob => {
    const packed = compresses && data.byteLength > 0 ? compressForNow(data) : data;
    const compressed = packed.byteLength < data.byteLength;
    const form = compressed ? packed : data;
    const sizeBytes = form.byteLength + sealBytes;
    sealInto(key, form, run.take(sizeBytes));
    return { type, id, sizeBytes, plainSizeBytes: data.byteLength, compressed };
  });
  return { stored: run.end(), blobs: sealed };
}
