/** Bytes that own their buffer, so that they can be handed over to a thread. */
export type OwnBytes = Uint8Array<ArrayBuffer>;

/** Bytes with a buffer of their own: as they are, or a copy. Those of Node's pool are a part of it. */
export function owned(bytes: Uint8Array): OwnBytes {
  const { buffer, byteOffset, byteLength } = bytes;
  const owns = buffer instanceof ArrayBuffer && byteOffset === 0 && byteLength === buffer.byteLength;
  return owns ? new Uint8Array(buffer) : new Uint8Array(bytes);
}
