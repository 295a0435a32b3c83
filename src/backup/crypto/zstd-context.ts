// One context of zstd for all frames of a thread. zstdCompressSync and zstdDecompressSync make one for each call, 100 to 1,500 KiB outside of
// the heap, which is given back when the collector comes across it: a thousand small blobs held 50 MiB so, and half of their time went into
// it. Node's streams have a context too, and what its own functions do with one (processChunkSync of lib/zlib.js) works here as well. It is
// not documented: where it is not there, or does not do just that, the functions are used.
import { constants, createZstdCompress, createZstdDecompress, zstdCompressSync } from 'node:zlib';

/** What a stream of Node's zlib works by. */
interface Handle {
  /** Leaves in the state how many bytes of the output are free, and how many of the input are left. */
  writeSync(
    flush: number,
    input: Uint8Array,
    inputAt: number,
    inputBytes: number,
    output: Uint8Array,
    outputAt: number,
    outputBytes: number,
  ): void;
  /** Begins anew: only without parameters, which would be forgotten. */
  reset(): void;
  onerror: (message: string) => void;
}

interface Context {
  readonly handle: Handle;
  readonly state: Uint32Array;
}

/** A larger buffer is not kept: what takes one is left to the functions. */
const keptBytesMax = 9 * 1024 * 1024;

let compressing: Context | undefined;
let decompressing: Context | undefined;
let output = new Uint8Array(0);
let isKnown: boolean | undefined;

/** What a frame takes at most: ZSTD_compressBound, and some more for small ones. */
export function compressedBytesMax(plainBytes: number): number {
  return plainBytes + (plainBytes >> 8) + 512;
}

/** A frame, in a buffer that the next call overwrites; undefined when it is to be made by the function. */
export function compressByContext(plain: Uint8Array, level: number): Uint8Array<ArrayBuffer> | undefined {
  const bytesMax = compressedBytesMax(plain.byteLength);
  if (bytesMax > keptBytesMax || !isAsKnown()) return undefined;
  compressing ??= contextOf(createZstdCompress(optionsOf(level)));
  const to = outputOf(bytesMax);
  const written = compressing && work(compressing, plain, to);
  // A full buffer may lack the end.
  if (written !== undefined && written < to.byteLength) return to.subarray(0, written);
  compressing = undefined;
  return undefined;
}

/** What a frame has, when that is as much as expected, in a buffer that the next call overwrites; undefined when the function is to say what it is. */
export function decompressByContext(packed: Uint8Array, plainBytes: number): Uint8Array<ArrayBuffer> | undefined {
  if (plainBytes > keptBytesMax || !isAsKnown()) return undefined;
  decompressing ??= contextOf(createZstdDecompress());
  // Whatever came before, an unfinished frame among it.
  decompressing?.handle.reset();
  const plain = outputOf(plainBytes);
  if (decompressing && work(decompressing, packed, plain) === plainBytes) return plain;
  decompressing = undefined;
  return undefined;
}

/** Parts of it that were never written to take no memory. */
function outputOf(bytes: number): Uint8Array<ArrayBuffer> {
  if (output.byteLength < bytes) output = new Uint8Array(keptBytesMax);
  return output.subarray(0, bytes);
}

function optionsOf(level: number): NonNullable<Parameters<typeof createZstdCompress>[0]> {
  return { params: { [constants.ZSTD_c_compressionLevel]: level } };
}

/** How many bytes of the output it took; undefined when something failed, or input was left. */
function work({ handle, state }: Context, input: Uint8Array, to: Uint8Array): number | undefined {
  let failed = false;
  // oxlint-disable-next-line unicorn/prefer-add-event-listener -- a handle of zlib has no other way to say so
  handle.onerror = () => {
    failed = true;
  };
  handle.writeSync(constants.ZSTD_e_end, input, 0, input.byteLength, to, 0, to.byteLength);
  const [free = 0, left = 0] = state;
  return failed || left > 0 ? undefined : to.byteLength - free;
}

function contextOf(stream: object): Context | undefined {
  const { _handle: handle, _writeState: state } = stream as { readonly _handle?: Partial<Handle>; readonly _writeState?: unknown };
  const isThere = typeof handle?.writeSync === 'function' && typeof handle.reset === 'function';
  return isThere && state instanceof Uint32Array && state.length === 2 ? { handle: handle as Handle, state } : undefined;
}

/** Whether this Node does with a context what its functions do: tried once, two frames one after the other. */
function isAsKnown(): boolean {
  if (isKnown !== undefined) return isKnown;
  isKnown = false;
  const compresses = contextOf(createZstdCompress());
  const decompresses = contextOf(createZstdDecompress());
  if (compresses === undefined || decompresses === undefined) return false;
  isKnown = ['a frame', 'another frame, another frame'].every((text) => {
    const plain = Buffer.from(text);
    const packed = zstdCompressSync(plain);
    const [packedHere, plainHere] = [new Uint8Array(1024), new Uint8Array(plain.length)];
    decompresses.handle.reset();
    return (
      packed.compare(packedHere.subarray(0, work(compresses, plain, packedHere))) === 0 &&
      work(decompresses, packed, plainHere) === plain.length &&
      plain.compare(plainHere) === 0
    );
  });
  return isKnown;
}
