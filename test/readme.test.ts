import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { commandTable } from '../src/cli/command-table.ts';
import { configurationPage } from '../tools/configuration-page-text.ts';
import { root } from './architecture/modules.ts';

// What the pages promise is done here: their commands exist, their configuration is right, their files are there.

const pages = ['README.md', ...['api', 'architecture', 'coordination', 'operations', 'router'].map((page) => `docs/${page}.md`)];
const readme = readFileSync(join(root, 'README.md'), 'utf8');
const text = (page: string): string => readFileSync(join(root, page), 'utf8');
const { scripts, exports } = JSON.parse(text('package.json')) as { scripts: Record<string, string>; exports: Record<string, unknown> };

/** The fenced blocks of a language, without what is behind `#` in shell lines. */
function blocks(markdown: string, language: string): string[] {
  return [...markdown.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, 'gm'))].map((match) => match[1]!);
}

/** Every `holdfast …` of a page, in shell blocks and in running text. */
function commandLines(markdown: string): string[][] {
  const inBlocks = blocks(markdown, 'sh').flatMap((block) => block.split('\n'));
  const inText = [...markdown.matchAll(/`(holdfast [a-z][^`\n]*)`/g)].map((match) => match[1]!);
  return [...inBlocks, ...inText]
    .map((line) => line.replace(/\s#.*/, '').trim().split(/\s+/))
    .filter(([program]) => program === 'holdfast')
    .map((words) => words.slice(1));
}

function holdfast(args: readonly string[], options: { cwd: string; env?: Record<string, string> }): Promise<{ code: number; out: string }> {
  return new Promise((resolve) => {
    const env = { ...process.env, ...options.env };
    execFile(process.execPath, [join(root, 'bin/holdfast.mjs'), ...args], { cwd: options.cwd, env }, (error, stdout, stderr) =>
      resolve({ code: Number(error?.code ?? 0), out: stdout + stderr }),
    );
  });
}

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-readme-'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

test("the README's certificates and configuration pass its own check", async () => {
  const certificates = commandLines(readme).filter(([command]) => command === 'certificates');
  expect(certificates).toHaveLength(4);
  for (const args of certificates) expect(await holdfast(args, { cwd: directory })).toMatchObject({ code: 0 });
  const [yaml] = blocks(readme, 'yaml');
  writeFileSync(join(directory, 'holdfast.yaml'), yaml!);
  writeFileSync(join(directory, 'tls/ops.token'), 'not-so-secret-in-this-place\n', { mode: 0o600 });
  const env = { ORDERS_PASSWORD: 'not so secret either' };
  expect(await holdfast(['config', 'check'], { cwd: directory, env })).toEqual({
    code: 0,
    out: 'holdfast.yaml is right: node db1 of cluster shop, services orders\n',
  });
  expect((await holdfast(['config', 'check'], { cwd: directory, env: { ORDERS_PASSWORD: '' } })).out).toContain(
    'the environment has no ORDERS_PASSWORD',
  );
  expect((await holdfast(['config', 'show'], { cwd: directory, env })).out).not.toMatch(/not[ -]so[ -]secret/);
});

describe.each(pages)('%s', (page) => {
  test('names commands and options that there are', async () => {
    const lines = commandLines(text(page));
    for (const [command = ''] of lines) expect(Object.keys(commandTable)).toContain(command);
    for (const [command = '', ...rest] of lines) {
      const own = rest.includes('--') ? rest.slice(0, rest.indexOf('--')) : rest;
      const subcommand = ['config', 'certificates'].includes(command) ? own.slice(0, 1) : [];
      const { code, out } = await holdfast([command, ...subcommand, '--help'], { cwd: directory });
      expect({ command, code, out }).toMatchObject({ code: 0 });
      for (const option of own.filter((word) => word.startsWith('--'))) expect(out, `${command} ${option}`).toContain(option);
    }
  }, 60_000);

  test('names scripts, files and modules that there are', () => {
    const markdown = text(page);
    for (const [, script] of markdown.matchAll(/npm (?:run )?([a-z]+)\b(?! …)/g))
      if (!['ci', 'run'].includes(script!)) expect(Object.keys(scripts)).toContain(script);
    for (const [, link] of markdown.matchAll(/\]\((?!https?:)([^)#]+)\)/g))
      expect(existsSync(join(root, dirname(page), link!)), link).toBe(true);
    for (const [, path] of markdown.matchAll(/`((?:src|test|tools|bin|docs|\.ci)\/[\w./-]+)`/g))
      expect(existsSync(join(root, path!)), path).toBe(true);
    for (const [, subpath] of markdown.matchAll(/from 'holdfast(\/[a-z]+)'/g)) expect(Object.keys(exports)).toContain(`.${subpath}`);
  });
});

test("the README's library names exist", async () => {
  const [snippet] = blocks(readme, 'ts');
  for (const [, names, subpath] of snippet!.matchAll(/import \{ ([^}]+) \} from 'holdfast\/([a-z]+)'/g)) {
    const module = (await import(join(root, 'src', subpath!, 'index.ts'))) as Record<string, unknown>;
    for (const name of names!.split(', ')) expect(module).toHaveProperty(name);
  }
});

test('docs/configuration.md is what the schema says (node tools/configuration-page.ts writes it)', () => {
  expect(text('docs/configuration.md')).toBe(configurationPage());
});
