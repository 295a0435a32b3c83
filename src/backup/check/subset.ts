import { HoldfastError } from '../../core/errors.ts';
import type { Random } from '../../core/random.ts';
import { parsePercent, parseSizeBytes } from '../../core/units.ts';
import type { FileId } from '../repository.ts';

/** Which packs are read: all; the n-th of t parts, which together are all; a random share of them, or as many as have so many bytes. */
export type DataSubset =
  | { readonly kind: 'all' }
  | { readonly kind: 'part'; readonly part: number; readonly of: number }
  | { readonly kind: 'share'; readonly share: number }
  | { readonly kind: 'bytes'; readonly bytes: number };

/** Parts that packs can be divided into: by the first byte of their ids. */
const partsMax = 256;

/** `3/10`, `5%` or `2GiB`, as restic's `--read-data-subset` has it. @throws UNIT_INVALID */
export function parseSubset(text: string): DataSubset {
  const parts = /^(\d{1,3})\/(\d{1,3})$/.exec(text);
  if (parts) return partOf(Number(parts[1]), Number(parts[2]), text);
  if (text.endsWith('%')) return { kind: 'share', share: parsePercent(text) };
  return { kind: 'bytes', bytes: parseSizeBytes(text) };
}

function partOf(part: number, of: number, text: string): DataSubset {
  if (part >= 1 && part <= of && of <= partsMax) return { kind: 'part', part, of };
  throw new HoldfastError('UNIT_INVALID', `${JSON.stringify(text)} is no part of packs`, {
    hint: 'Write 1/5 to 5/5, 10%, or a size such as 2GiB.',
  });
}

/** Chooses packs one by one. */
export function chooserOf(subset: DataSubset, allBytes: number, random: Random): (packId: FileId, sizeBytes: number) => boolean {
  switch (subset.kind) {
    case 'all':
      return () => true;
    case 'part':
      return (packId) => Number.parseInt(packId.slice(0, 2), 16) % subset.of === subset.part - 1;
    case 'share':
      return () => random.next() < subset.share;
    case 'bytes': {
      // Each byte is as likely to be read as any other.
      const share = allBytes === 0 ? 0 : subset.bytes / allBytes;
      return () => random.next() < share;
    }
  }
}
