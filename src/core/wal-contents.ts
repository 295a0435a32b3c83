// PostgreSQL's src/include/access/xlog_internal.h: alike in all versions from 13 on.

const pageBytesDefault = 8192;
const [pageHeaderBytes, firstPageHeaderBytes] = [24, 40];
/** Where the first page of a segment tells the size of pages. */
const pageBytesAt = 36;

/** The contents of a segment's pages, without their headers, behind the end of what came before: records lie there in one piece. */
export interface WalContents {
  readonly bytes: Buffer;
  /** Where a byte of it lies. */
  readonly lsnOf: (index: number) => bigint;
}

/**
 * @param lsn where the segment begins
 * @param before the last bytes of the contents of the segment before it; may be empty
 */
export function contentsOf(lsn: bigint, segment: Uint8Array, before: Uint8Array): WalContents {
  const told = new DataView(segment.buffer, segment.byteOffset).getUint32(pageBytesAt, true);
  const pageBytes = told > 0 && segment.byteLength % told === 0 ? told : pageBytesDefault;
  const parts: Uint8Array[] = [before];
  for (let page = 0; page < segment.byteLength; page += pageBytes)
    parts.push(segment.subarray(page + (page === 0 ? firstPageHeaderBytes : pageHeaderBytes), page + pageBytes));
  return {
    bytes: Buffer.concat(parts),
    lsnOf: (index) => {
      if (index < before.byteLength) return lsn - BigInt(before.byteLength - index);
      // As if the first page had a short header, too.
      const payload = index - before.byteLength + firstPageHeaderBytes - pageHeaderBytes;
      const content = pageBytes - pageHeaderBytes;
      return lsn + BigInt(Math.floor(payload / content) * pageBytes + pageHeaderBytes + (payload % content));
    },
  };
}
