/** How streams are cut, as what can be handed to a thread: by FastCDC with the table of `gearTable`, or in pieces of one length. */
export type Cutting =
  | { readonly kind: 'content'; readonly gear: Int32Array }
  | { readonly kind: 'fixed'; readonly sizeBytes: number; readonly pages?: CheckedPages };

/** Pages with checksums of PostgreSQL, which are looked at on the way. */
export interface CheckedPages {
  readonly pageBytes: number;
  /** Number of the page that the file begins with: checksums depend on it. */
  readonly first: number;
  /** Pages written from here on count for nothing: they are replaced when the copy is recovered. */
  readonly beforeLsn: bigint;
}

/**
 * Decides where the chunks of one stream end, from its bytes alone: how the stream is cut into reads makes no difference. One per stream;
 * after an end it stands at the beginning of the next chunk.
 */
export interface Cutter {
  /** No chunk is larger. */
  readonly maxBytes: number;
  /** What it is made of, if a thread can make another one like it. */
  readonly cutting?: Cutting;
  /** Where in `data[from, to)`, the next bytes of the stream, the present chunk ends (exclusive); -1 when it goes on beyond `to`. */
  next(data: Uint8Array, from: number, to: number): number;
}

/**
 * Chunks of one length, counted from the beginning of the stream: for what is changed in place and never shifted, such as PostgreSQL's
 * relation files, where `sizeBytes` is a multiple of the page size.
 */
export function createFixedCutter(sizeBytes: number, pages?: CheckedPages): Cutter {
  if (!Number.isSafeInteger(sizeBytes) || sizeBytes < 1) throw new RangeError('a chunk has at least one byte');
  let length = 0;
  return {
    maxBytes: sizeBytes,
    cutting: { kind: 'fixed', sizeBytes, ...(pages === undefined ? {} : { pages }) },
    next(_data, from, to) {
      const end = from + sizeBytes - length;
      if (end <= to) {
        length = 0;
        return end;
      }
      length += to - from;
      return -1;
    },
  };
}
