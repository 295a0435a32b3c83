import { loadKernel } from '../machine/kernel.ts';

/** What tools/kernels/page-checksum.ts exports. */
interface Kernel {
  readonly memory: { readonly buffer: ArrayBuffer };
  inputOffset(): number;
  inputBytes(): number;
  intact(count: number, pageBytes: number, block: number): number;
}

let loaded: { readonly kernel: Kernel; readonly input: Uint8Array } | undefined;

function load(): NonNullable<typeof loaded> {
  const kernel = loadKernel(new URL('./page-checksum.wasm', import.meta.url)) as Kernel;
  return { kernel, input: new Uint8Array(kernel.memory.buffer, kernel.inputOffset(), kernel.inputBytes()) };
}

/**
 * How many whole pages at the beginning of `data` have the checksum that fits their content: `isPageIntact` for many, some ten times as fast.
 * @param block number of the first one
 */
export function countIntactPages(data: Uint8Array, pageBytes: number, block: number): number {
  const { kernel, input } = (loaded ??= load());
  const together = Math.floor(input.byteLength / pageBytes);
  const pages = Math.floor(data.byteLength / pageBytes);
  for (let at = 0; at < pages; at += together) {
    const count = Math.min(together, pages - at);
    input.set(data.subarray(at * pageBytes, (at + count) * pageBytes));
    const intact = kernel.intact(count, pageBytes, block + at);
    if (intact < count) return at + intact;
  }
  return pages;
}
