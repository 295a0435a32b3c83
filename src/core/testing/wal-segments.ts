/** Small ones: a power of two, and a multiple of the page. */
export const segmentBytes = 64 * 1024;
export const pageBytes = 8192;

/**
 * Segments of WAL, from its beginning on, that hold the records, each from its LSN on, over the ends of pages and segments.
 * @param noise a byte that stands wherever nothing else does, in headers of pages too
 */
export function segmentsWith(count: number, noise: number, records: readonly (readonly [lsn: number, record: Buffer])[]): Buffer[] {
  const all = Buffer.alloc(count * segmentBytes, noise);
  const isHeader = (at: number): boolean => at % pageBytes < (at % segmentBytes < pageBytes ? 40 : 24);
  for (let lsn = 0; lsn < all.length; lsn += segmentBytes) all.writeUInt32LE(pageBytes, lsn + 36);
  for (const [lsn, record] of records) {
    let at = lsn;
    for (const byte of record) {
      while (isHeader(at)) at += 1;
      all[at++] = byte;
    }
  }
  return Array.from({ length: count }, (_, index) => all.subarray(index * segmentBytes, (index + 1) * segmentBytes));
}
