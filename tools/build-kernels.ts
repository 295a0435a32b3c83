// Compiles the kernels in tools/kernels/ (AssemblyScript) to the WebAssembly modules beside the code that loads them. What they are compiled
// to is committed: `node tools/build-kernels.ts` after a change; kernels.test.ts beside the loader sees whether it was forgotten.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

interface CompilerFiles {
  readonly readFile: (file: string, base: string) => Promise<string | null>;
  readonly writeFile: (file: string, contents: string | Uint8Array, base: string) => void | Promise<void>;
  readonly listFiles: (directory: string, base: string) => string[] | null;
}

/** As much of the compiler as is used here. Its own types would declare parts of the standard library anew for the whole project. */
interface Compiler {
  main(argv: string[], files: CompilerFiles): Promise<{ error: Error | null; stderr: { toString(): string } }>;
}

const compiler = 'assemblyscript/asc';

/** One kernel of tools/kernels.json. */
interface Kernel {
  /** From the root: where the module goes. */
  readonly to: string;
  /** Features of WebAssembly beyond the default, for example `simd`. */
  readonly features: readonly string[];
  /** Pages of 64 KiB that its memory has from the start. */
  readonly memoryPages: number;
}

export async function readKernels(): Promise<Readonly<Record<string, Kernel>>> {
  return JSON.parse(await readFile(join(root, 'tools/kernels.json'), 'utf8'));
}

/** Without a collector and checks: kernels work on memory of their own layout, from the first kilobyte on. */
const flags = ['--outFile', 'out.wasm', '--runtime', 'stub', '--use', 'abort=', '-O3', '--converge', '--noAssert', '--memoryBase', '1024'];

/** The module of a kernel: the same bytes each time. */
export async function compileKernel(name: string, { features, memoryPages }: Kernel): Promise<Uint8Array> {
  let module: Uint8Array | undefined;
  const asc = ((await import(compiler)) as { default: Compiler }).default;
  const { error, stderr } = await asc.main(
    [`${name}.ts`, ...flags, `--initialMemory=${memoryPages}`, ...features.flatMap((feature) => ['--enable', feature])],
    {
      readFile: async (file) => {
        // The library's own files come from within the compiler.
        if (file !== `${name}.ts`) return null;
        return await readFile(join(root, 'tools/kernels', file), 'utf8');
      },
      writeFile: (_file, contents) => {
        module = contents as Uint8Array;
      },
      listFiles: () => [],
    },
  );
  if (error || module === undefined) throw new Error(`${name}: ${error?.message ?? 'nothing was made'}\n${stderr.toString()}`);
  return module;
}

if (import.meta.main) {
  for (const [name, kernel] of Object.entries(await readKernels())) {
    const module = await compileKernel(name, kernel);
    await writeFile(join(root, kernel.to), module);
    process.stdout.write(`${kernel.to}: ${module.byteLength} bytes\n`);
  }
}
