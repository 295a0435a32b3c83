import { loadKernel } from '../machine/kernel.ts';

/** What tools/kernels/poly1305.ts exports. */
interface Kernel {
  readonly memory: { readonly buffer: ArrayBuffer };
  inputOffset(): number;
  inputBytes(): number;
  begin(): void;
  update(sizeBytes: number): void;
  finish(sizeBytes: number): void;
}

/** Bytes of a code. */
export const macBytes = 16;
/** Bytes of a one-time key: r (clamped here), then s. */
const keyBytes = 32;
const blockBytes = 16;

let loaded: { readonly kernel: Kernel; readonly input: Uint8Array } | undefined;

/** One kernel a thread: a code is computed in one go, so that nobody else's lies in its memory meanwhile. */
function load(): NonNullable<typeof loaded> {
  const kernel = loadKernel(new URL('./poly1305.wasm', import.meta.url)) as Kernel;
  return { kernel, input: new Uint8Array(kernel.memory.buffer, kernel.inputOffset(), kernel.inputBytes()) };
}

/** The Poly1305 code of a message under a key that is used for no other message (RFC 8439, section 2.5). */
export function poly1305(key: Uint8Array, message: Uint8Array): Uint8Array {
  if (key.byteLength !== keyBytes) throw new RangeError(`a key of Poly1305 has ${keyBytes} bytes, not ${key.byteLength}`);
  const { kernel, input } = (loaded ??= load());
  input.set(key);
  kernel.begin();
  const whole = message.byteLength - (message.byteLength % blockBytes);
  for (let at = 0; at < whole; at += input.byteLength) {
    const part = message.subarray(at, Math.min(at + input.byteLength, whole));
    input.set(part);
    kernel.update(part.byteLength);
  }
  input.set(message.subarray(whole));
  kernel.finish(message.byteLength - whole);
  return input.slice(0, macBytes);
}
