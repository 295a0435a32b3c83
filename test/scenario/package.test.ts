import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { commandTable } from '../../src/cli/command-table.ts';
import { root } from '../architecture/modules.ts';

// The package as a stranger gets it: packed, installed somewhere else without running scripts, used from there.

const run = promisify(execFile);
const options = ['--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline', '--loglevel=error'];
let directory: string;
let app: string;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-package-'));
  app = join(directory, 'app');
  mkdirSync(app);
  await run(process.execPath, ['tools/run.mjs', 'build'], { cwd: root });
  await run('npm', ['pack', '--ignore-scripts', '--pack-destination', directory], { cwd: root });
  const tarball = readdirSync(directory).find((name) => name.endsWith('.tgz'))!;
  writeFileSync(join(app, 'package.json'), '{ "name": "app", "private": true, "type": "module" }');
  await run('npm', ['install', join(directory, tarball), ...options], { cwd: app });
}, 300_000);
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const installed = (path: string): string => join(app, 'node_modules/holdfast', path);
const holdfast = (...args: string[]) => run(join(app, 'node_modules/.bin/holdfast'), args, { cwd: app });

describe('what is in it', () => {
  test('code, declarations and pages, no sources and no tests', () => {
    expect(readdirSync(installed('.')).toSorted()).toEqual(['LICENSE', 'README.md', 'bin', 'dist', 'docs', 'package.json']);
    const files = readdirSync(installed('dist'), { recursive: true, encoding: 'utf8' });
    expect(files.filter((file) => /(?:^|\/)(?:testing|contract|sim)[/.]|\.test\.|(?:^|\/)test-|(?<!\.d)\.ts$/.test(file))).toEqual([]);
  });

  test('everything that the exports name', () => {
    const { exports } = JSON.parse(readFileSync(installed('package.json'), 'utf8')) as {
      exports: Record<string, string | Record<string, string>>;
    };
    for (const target of Object.values(exports).flatMap((entry) => (typeof entry === 'string' ? entry : Object.values(entry)))) {
      expect(existsSync(installed(target)), target).toBe(true);
    }
  });
});

describe('the command', () => {
  test('says what it can', async () => {
    expect((await holdfast('--help')).stdout).toContain('run a whole cluster on this machine');
    expect((await holdfast('--version')).stdout).toBe(
      `${(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }).version}\n`,
    );
  });

  test.each(Object.keys(commandTable))('has %s', async (command) => {
    expect((await holdfast(command, '--help')).stdout).toContain(`Usage: holdfast ${command}`);
  });

  test('runs a command under a lock', async () => {
    const { stdout } = await holdfast(
      'lock',
      'job',
      '--coordination',
      `embedded:${join(app, 'store.sqlite')}`,
      '--',
      'sh',
      '-c',
      'echo token $HOLDFAST_TOKEN',
    );
    expect(stdout).toMatch(/^token \d+\n$/);
  });
});

test("the README's library example runs, on the embedded store", async () => {
  const [, snippet] = /```ts\n([\s\S]*?)```/.exec(readFileSync(installed('README.md'), 'utf8'))!;
  const embedded = snippet!.replace(/\{ etcd: .*? \} \}/, `{ embedded: ${JSON.stringify(join(app, 'library.sqlite'))} }`);
  expect(embedded).not.toContain('etcd');
  writeFileSync(join(app, 'example.mjs'), `${embedded}\nconsole.log(typeof lock.token, lock.signal.aborted);`);
  // Older versions of Node do not know `await using`, and the package says which one it runs on.
  expect((await run(process.execPath, ['example.mjs'], { cwd: app })).stdout).toBe('bigint false\n');
});
