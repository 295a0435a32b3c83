import { pages } from '../machine/pages.ts';
import { compress } from '../crypto/compression.ts';
import { sealBytes, sealInto, type SealingKey } from '../crypto/seal.ts';
import { type OwnBytes, release } from '../documents/bytes.ts';
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
  const forms = blobs.map(({ data }) => {
    const packed = compresses && data.byteLength > 0 ? compress(data) : data;
    if (packed.byteLength < data.byteLength) return packed;
    if (packed !== data) release(packed);
    return data;
  });
  const stored = pages(forms.reduce((sum, form) => sum + form.byteLength + sealBytes, 0));
  let offset = 0;
  const sealed = blobs.map(({ id, data }, at): SealedBlob => {
    const form = forms[at]!;
    const sizeBytes = form.byteLength + sealBytes;
    sealInto(key, form, stored.subarray(offset, offset + sizeBytes));
    offset += sizeBytes;
    if (form !== data) release(form);
    return { type, id, sizeBytes, plainSizeBytes: data.byteLength, compressed: form !== data };
  });
  return { stored, blobs: sealed };
}
