import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const sources = ['src', 'tools', 'bin', 'package.json', 'tsconfig.json', 'tsconfig.build.json', 'tsconfig.types.json'];

/**
 * Builds the package as it is published, in a directory of its own: what changes in the working tree meanwhile does not matter.
 * @returns its `holdfast.mjs`
 */
export async function buildPackage(directory: string): Promise<string> {
  await mkdir(directory, { recursive: true });
  for (const name of sources) await cp(join(root, name), join(directory, name), { recursive: true });
  await symlink(join(root, 'node_modules'), join(directory, 'node_modules'));
  const build = spawn(process.execPath, ['tools/build.ts'], { cwd: directory, stdio: ['ignore', 'inherit', 'inherit'] });
  const [code] = (await once(build, 'close')) as [number | null];
  if (code !== 0) throw new Error(`npm run build failed (${code}); what it says above tells why`);
  // With its sources beside it, the command would run those.
  await rm(join(directory, 'src'), { recursive: true });
  return join(directory, 'bin', 'holdfast.mjs');
}
