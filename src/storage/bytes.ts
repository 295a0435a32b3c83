/** All parts in one piece of their own, in order. */
export function concatBytes(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.byteLength;
  }
  return whole;
}

/** Whether `whole` is what `parts` are one after the other. */
export function equalBytes(whole: Uint8Array, parts: readonly Uint8Array[]): boolean {
  let offset = 0;
  for (const part of parts) {
    if (Buffer.compare(whole.subarray(offset, offset + part.byteLength), part) !== 0) return false;
    offset += part.byteLength;
  }
  return offset === whole.byteLength;
}
