// Makes dist/: every module of src/ as JavaScript, what is no module beside it, and declarations of what the package exports.
import { spawnSync } from 'node:child_process';
import { cpSync, globSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const source = join(root, 'src');
const output = join(root, 'dist');

rmSync(output, { recursive: true, force: true });
compile('-p', 'tsconfig.build.json');
compile('-p', 'tsconfig.types.json');
copyAssets();
for (const file of globSync('**/*.js', { cwd: output })) pointToOutput(join(output, file));

function compile(...args: readonly string[]): void {
  const { status } = spawnSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), ...args], { cwd: root, stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}

/** Scripts and the like, which modules find beside themselves. */
function copyAssets(): void {
  for (const file of globSync('**/*', { cwd: source, exclude: ['**/*.ts'] })) {
    if (statSync(join(source, file)).isFile()) cpSync(join(source, file), join(output, file));
  }
}

/** Workers are named by URL, which the compiler leaves as it is. */
function pointToOutput(file: string): void {
  const text = readFileSync(file, 'utf8');
  const changed = text.replace(/(new URL\(\s*(['"`])\.{1,2}\/[^'"`\n]+)\.ts\2(\s*,\s*import\.meta\.url)/g, '$1.js$2$3');
  if (changed !== text) writeFileSync(file, changed);
}
