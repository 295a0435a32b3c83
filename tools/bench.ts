// Runs bench/NAME/main.ts: `npm run bench -- NAME [options]`.
import { existsSync, globSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';

const folder = fileURLToPath(new URL('../bench/', import.meta.url));
const [name = '', ...rest] = process.argv.slice(2);
const file = `${folder}${name}/main.ts`;

if (/^[a-z][a-z0-9-]*$/.test(name) && existsSync(file)) {
  process.argv.splice(1, process.argv.length - 1, file, ...rest);
  await import(pathToFileURL(file).href);
} else {
  const names = globSync('*/main.ts', { cwd: folder }).map((path) => path.split('/')[0]);
  process.stderr.write(`error: '${name}' is no benchmark; there are: ${names.toSorted((a, b) => (a! < b! ? -1 : 1)).join(', ')}\n`);
  process.exitCode = 2;
}
