import { readFileSync } from 'node:fs';

/** What is used of it; the types of Node leave it to those of browsers. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object, imports: object) => { readonly exports: object };
};

/** A module of WebAssembly that lies beside the code which uses it, compiled and started; it imports nothing. */
export function loadKernel(url: URL): object {
  const module = new WebAssembly.Module(readFileSync(url));
  return new WebAssembly.Instance(module, {}).exports;
}
