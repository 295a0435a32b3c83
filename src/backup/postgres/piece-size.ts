const mebibyte = 1024 * 1024;

/** Smaller ones cost more than they spare: 64 KiB take 12 % more room than 512 KiB, and a tenth more time. */
const pieceBytesMin = 128 * 1024;
/** Readers of chunks have room for no larger ones. */
const pieceBytesMax = 8 * mebibyte;
/** An index takes some 60 bytes of memory for each blob: 60 MB for one base backup. */
const piecesMax = 1024 * 1024;
/** Another size stores everything anew: pieces that were right once stay, until the database has outgrown them by so much. */
const outgrownBy = 4;

/**
 * Into pieces of how many bytes relation files are cut: whoever changes a page has one piece stored, and read, anew.
 * @param before the size that the last base backup was cut with
 */
export function decidePieceBytes(databaseBytes: number, before?: number): number {
  if (before !== undefined && databaseBytes <= before * piecesMax * outgrownBy) return before;
  let pieceBytes = pieceBytesMin;
  while (pieceBytes < pieceBytesMax && databaseBytes > pieceBytes * piecesMax) pieceBytes *= 2;
  return pieceBytes;
}

/** The size that a base backup's tag tells; undefined when it is none that a piece can have. */
export function pieceBytesOf(tag: string | undefined): number | undefined {
  const bytes = Number(tag);
  return bytes >= pieceBytesMin && bytes <= pieceBytesMax && Number.isInteger(Math.log2(bytes)) ? bytes : undefined;
}
