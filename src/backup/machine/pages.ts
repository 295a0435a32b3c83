/** Less is left to the heap of the C library. */
const pagedBytesMin = 64 * 1024;

/**
 * Room for bytes that are handed on, kept for a while, and given back in no order: where it is much, in pages of its own, which are the
 * system's again at once. In the heaps of the C library, one for each thread, such bytes leave holes: 40 MiB of a first backup. What is soon
 * given back is better off there: new pages cost a tenth of a check. A buffer that might change its size is what V8 makes of pages (mmap);
 * this one never does.
 */
export function pages(sizeBytes: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(sizeBytes < pagedBytesMin ? new ArrayBuffer(sizeBytes) : new ArrayBuffer(sizeBytes, { maxByteLength: sizeBytes }));
}
