/** Bytes that own their buffer, so that they can be handed over to a thread. */
export type OwnBytes = Uint8Array<ArrayBuffer>;

/**
 * Gives memory back at once that is done with: the collector would let it pile up, as it does not feel its weight. The bytes are gone
 * for everyone who holds them. Small ones are
 * left to the collector: they may be parts of Node's pool.
 */
export function release({ buffer }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength > Buffer.poolSize && !buffer.detached) buffer.transferToFixedLength(0);
}

/** Bytes with a buffer of their own: as they are, or a copy. Those of Node's pool are a part of it. */
export function owned(bytes: Uint8Array): OwnBytes {
  const { buffer, byteOffset, byteLength } = bytes;
  const owns = buffer instanceof ArrayBuffer && byteOffset === 0 && byteLength === buffer.byteLength;
  return owns ? new Uint8Array(buffer) : new Uint8Array(bytes);
}
