import { execFile, spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { root } from './architecture/modules.ts';

// bin/holdfast.mjs under a Node that is too old. The machine may have none, so one is made believe: everything that follows is real.

let folder: string;
let bin: string;
const packaged = join(root, 'node_modules', `node-${process.platform}-${process.arch}`);

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-bin-'));
  for (const name of ['bin', 'dist/cli', 'node_modules']) mkdirSync(join(folder, name), { recursive: true });
  bin = join(folder, 'bin/holdfast.mjs');
  cpSync(join(root, 'bin/holdfast.mjs'), bin);
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  writeFileSync(
    join(folder, 'pretend-old.mjs'),
    "if (!process.env.HANDED_OVER) Object.defineProperty(process.versions, 'node', { value: '20.1.0' });",
  );
  writeFileSync(
    join(folder, 'dist/cli/main.js'),
    `export async function main(argv) {
      if (argv[0] === 'wait') {
        process.on('SIGTERM', () => process.exit(7));
        setInterval(() => {}, 1000);
        process.stdout.write('waiting\\n');
        return new Promise(() => {});
      }
      process.stdout.write(JSON.stringify({ argv, first: process.env.PATH.split(':')[0], node: process.execPath }));
      return 3;
    }`,
  );
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What an old Node would do with the command line. Its child, being the real thing, is told not to pretend. */
function oldNode(...argv: string[]): [string, string[], { env: NodeJS.ProcessEnv }] {
  const shim = join(folder, 'pretend-old.mjs');
  return [process.execPath, ['--import', shim, bin, ...argv], { env: { ...process.env, HOME: folder } }];
}

function run(...argv: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const [program, args, options] = oldNode(...argv);
  return new Promise((resolve) => {
    execFile(program, args, options, (error, stdout, stderr) => resolve({ code: Number(error?.code ?? 0), stdout, stderr }));
  });
}

test('without the packaged Node it says what to install', async () => {
  const { code, stderr } = await run('--version');
  expect(code).toBe(2);
  expect(stderr).toContain('Holdfast needs Node.js 24 or newer; this is 20.1.0 (CLI_NODE_TOO_OLD)');
  expect(stderr).toContain('hint: Install Node.js 24');
});

test('with it, it hands over: arguments, exit code, and PATH for whatever is started', async () => {
  symlinkSync(packaged, join(folder, 'node_modules', `node-${process.platform}-${process.arch}`));
  const { code, stdout, stderr } = await run('lock', 'a b', '--', '*');
  expect(stderr).toBe('');
  expect(code).toBe(3);
  const said = JSON.parse(stdout) as { argv: string[]; first: string; node: string };
  expect(said.argv).toEqual(['lock', 'a b', '--', '*']);
  expect(said.node.startsWith(packaged)).toBe(true);
  expect(said.first).toBe(join(packaged, 'bin'));
});

test('signals reach it, and its exit code comes back', async () => {
  const [program, args, options] = oldNode('wait');
  const child = spawn(program, args, { ...options, stdio: ['ignore', 'pipe', 'inherit'] });
  const code = new Promise((resolve) => child.on('exit', (exitCode, signal) => resolve(exitCode ?? signal)));
  await new Promise((resolve) => child.stdout.once('data', resolve));
  child.kill('SIGTERM');
  expect(await code).toBe(7);
});
