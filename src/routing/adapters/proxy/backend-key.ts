/** A server says its BackendKeyData within this many bytes of starting a session, or it will not be looked for. */
const scanBytesMax = 65_536;
const backendKeyData = 0x4b; // K
const readyForQuery = 0x5a; // Z
const keyBytesMax = 4 + 256;

/**
 * Listens to what an unencrypted server says until it has named the session's cancellation key, or will not any more.
 * Feeds on chunks as they come, cut anywhere. The key has the form of `Opening.key`.
 */
export class BackendKeyScanner {
  #seenBytes = 0;
  /** Of the message that is being read: header and, for BackendKeyData, body. */
  #held: Buffer = Buffer.alloc(0);
  /** Bytes of other messages' bodies still to pass. */
  #skipBytes = 0;

  /** A string: the key. `null`: there will be none. `undefined`: not yet. */
  feed(chunk: Buffer): string | null | undefined {
    this.#seenBytes += chunk.length;
    let rest = chunk;
    for (;;) {
      const skipped = Math.min(this.#skipBytes, rest.length);
      this.#skipBytes -= skipped;
      const bytes: Buffer = Buffer.concat([this.#held, rest.subarray(skipped)]);
      this.#held = bytes;
      if (bytes.length < 5) break;
      const bodyBytes = bytes.readUInt32BE(1) - 4;
      if (bytes[0] === readyForQuery || bodyBytes < 0) return null;
      if (bytes[0] === backendKeyData) {
        if (bodyBytes > keyBytesMax) return null;
        if (bytes.length < 5 + bodyBytes) break;
        return bytes.toString('hex', 5, 5 + bodyBytes);
      }
      this.#held = Buffer.alloc(0);
      this.#skipBytes = bodyBytes;
      rest = bytes.subarray(5);
    }
    return this.#seenBytes > scanBytesMax ? null : undefined;
  }
}
