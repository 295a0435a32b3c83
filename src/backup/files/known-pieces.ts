import type { BlobId, Repository } from '../repository.ts';
import type { TreeNode } from '../tree/node.ts';
import type { PartsToRead } from './parts-to-read.ts';

/** Pieces of the parent's files that are known to be unchanged though the files were touched. */
export interface KnownPieces {
  /** How these files are cut, now and in the parent. */
  readonly pieceBytes: number;
  /** Of the file at an absolute path: whether the piece of that number may differ from the parent's; undefined when any may. */
  mayDiffer(path: string): ((piece: number) => boolean) | undefined;
}

/** A file as a list of pieces: the blobs of those that need not be read, undefined for those that must be. */
export type TakenOver = readonly (BlobId | undefined)[];

/**
 * Which pieces of a file of `sizeBytes` are taken over from the parent; undefined when none is. One is only when the parent's lies at the same
 * place, is as long, and still in the repository.
 */
export function takeOver(
  known: KnownPieces,
  repository: Repository,
  file: { readonly path: string; readonly sizeBytes: number; readonly before: TreeNode | undefined },
): TakenOver | undefined {
  const { pieceBytes } = known;
  const { content, size = 0 } = file.before ?? {};
  if (content === undefined || content.length !== Math.ceil(size / pieceBytes)) return undefined;
  const mayDiffer = known.mayDiffer(file.path);
  if (mayDiffer === undefined) return undefined;
  const pieces = Array.from({ length: Math.ceil(file.sizeBytes / pieceBytes) }, (_, piece) => {
    const id = content[piece];
    if (id === undefined || mayDiffer(piece)) return undefined;
    const length = Math.min(pieceBytes, file.sizeBytes - piece * pieceBytes);
    return repository.find('data', id)?.plainSizeBytes === length ? id : undefined;
  });
  return pieces.some((id) => id !== undefined) ? pieces : undefined;
}

/** Pieces that must be read. Only the last one of a file is shorter than the others. */
interface UnknownPieces extends PartsToRead {
  readonly sizeBytes: number;
  /** All pieces in order, with what was read in the places of those that were not known. */
  fill(read: readonly BlobId[]): readonly BlobId[];
}

export function unknownPieces(pieces: TakenOver, pieceBytes: number, sizeBytes: number): UnknownPieces {
  const wanted = pieces.flatMap((id, piece) => (id === undefined ? [piece] : []));
  const endOf = (piece: number): number => Math.min((piece + 1) * pieceBytes, sizeBytes);
  const parts: { from: number; to: number }[] = [];
  for (const piece of wanted) {
    const last = parts.at(-1);
    if (last?.to === piece * pieceBytes) last.to = endOf(piece);
    else parts.push({ from: piece * pieceBytes, to: endOf(piece) });
  }
  return {
    parts,
    sizeBytes: parts.reduce((sum, { from, to }) => sum + to - from, 0),
    at(position) {
      const piece = wanted[Math.floor(position / pieceBytes)];
      if (piece === undefined) return { offset: sizeBytes, sizeBytes: 0 };
      const offset = piece * pieceBytes + (position % pieceBytes);
      return { offset, sizeBytes: endOf(piece) - offset };
    },
    fill(read) {
      let next = 0;
      return pieces.map((id) => id ?? (read[next++] as BlobId));
    },
  };
}
