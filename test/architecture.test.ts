import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseModule, readModules, root } from './architecture/modules.ts';
import type { Rule } from './architecture/rules.ts';
import * as rules from './architecture/rules.ts';
import { homes } from './architecture/table.ts';
import { tokenize } from './architecture/tokens.ts';

const src = readModules('src');
const all = [...src, ...readModules('test', 'tools', 'bench')];

describe('the code is built as docs/architecture.md says', () => {
  test('layers point down', () => expect(rules.layersPointDown(src)).toEqual([]));
  test('every layer is in the table', () => expect(rules.layersAreListed(src)).toEqual([]));
  test('adapters are leaves', () => expect(rules.adaptersAreLeaves(src)).toEqual([]));
  test('configurations load nothing heavy', () => expect(rules.configsAreLight(src)).toEqual([]));
  test('repositories need no configuration', () => expect(rules.repositoriesNeedNoConfiguration(src)).toEqual([]));
  test('every package has one home', () => expect(rules.packagesHaveHomes(src)).toEqual([]));
  test('the domain reaches the machine by ports', () => expect(rules.domainReachesMachineByPorts(src)).toEqual([]));
  test('modules of Node are named so', () => expect(rules.nodeModulesAreNamedSo(all)).toEqual([]));
  test('relative imports name existing files in full', () => expect(rules.relativeImportsHaveExtensions(all)).toEqual([]));
  test('nothing goes round in a circle', () => expect(rules.nothingGoesRound(all)).toEqual([]));
  test('files have kebab-case names', () => expect(rules.filesAreKebabCase(all)).toEqual([]));
  test('files tell one story', () => expect(rules.filesAreShort(all)).toEqual([]));
  test('exports are named', () => expect(rules.exportsAreNamed(all)).toEqual([]));
  test('nobody reads the clock behind its back', () => expect(rules.clocksAreAsked(src)).toEqual([]));
});

test('every package with a home is a dependency, and every dependency has one', () => {
  const { dependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { dependencies: Record<string, string> };
  expect(Object.keys(homes).toSorted()).toEqual(Object.keys(dependencies).toSorted());
});

test('docs/errors.md tables the codes in use, and no others', () => {
  const tabled = [...readFileSync(join(root, 'docs/errors.md'), 'utf8').matchAll(/^\| `?([A-Z0-9_]+)`? \|/gm)].map((match) => match[1]!);
  const areas = new Set(tabled.map((code) => code.split('_')[0]!));
  const inBin = readFileSync(join(root, 'bin/holdfast.mjs'), 'utf8');
  const used = rules.errorCodes([...src, parseModule('bin/holdfast.mjs', inBin)], areas);
  expect(
    [...used].filter(([code]) => !tabled.includes(code)),
    'used but not in docs/errors.md',
  ).toEqual([]);
  const everything =
    inBin +
    src
      .filter((module) => !rules.isTest(module))
      .map(({ source }) => source)
      .join('\n');
  expect(
    tabled.filter((code) => !everything.includes(code)),
    'in docs/errors.md but not used',
  ).toEqual([]);
  expect(tabled, 'tabled once').toEqual([...new Set(tabled)]);
});

describe('the rules catch what they forbid', () => {
  // Rule, path and text of a module that breaks it; a harmless twin that does not.
  test.each<[string, Rule, string, string, string]>([
    [
      'sideways',
      rules.layersPointDown,
      'src/coordination/a.ts',
      "import { x } from '../engine/engine.ts';",
      "import { x } from '../core/clock.ts';",
    ],
    [
      'upwards by type',
      rules.layersPointDown,
      'src/core/a.ts',
      "import type { X } from '../agent/agent.ts';",
      '// import type { X } from "../agent/agent.ts"',
    ],
    ['upwards by re-export', rules.layersPointDown, 'src/core/a.ts', "export * from '../runtime/clock.ts';", "export * from './clock.ts';"],
    [
      'upwards lazily',
      rules.layersPointDown,
      'src/api/a.ts',
      "const x = await import('../agent/agent.ts');",
      "const x = `import('../agent/agent.ts')`;",
    ],
    [
      'more than schemas',
      rules.layersPointDown,
      'src/config/a.ts',
      "import { x } from '../engine/adapters/process/index.ts';",
      "import { x } from '../engine/adapters/process/config.ts';",
    ],
    ['unknown layer', rules.layersAreListed, 'src/misc/a.ts', '', ''],
    [
      'adapter from its domain',
      rules.adaptersAreLeaves,
      'src/engine/engine.ts',
      "import('./adapters/process/index.ts')",
      "import './adapters/process/config.ts';",
    ],
    [
      'adapter from another',
      rules.adaptersAreLeaves,
      'src/engine/adapters/process/a.ts',
      "import '../postgres/server.ts';",
      "import './server.ts';",
    ],
    [
      'registry not lazy',
      rules.adaptersAreLeaves,
      'src/engine/registry.ts',
      "import { x } from './adapters/process/index.ts';",
      "const x = () => import('./adapters/process/index.ts');",
    ],
    [
      'heavy configuration',
      rules.configsAreLight,
      'src/engine/adapters/process/config.ts',
      "import pg from 'pg';",
      "import { z } from 'zod';",
    ],
    [
      'configuration for a repository',
      rules.repositoriesNeedNoConfiguration,
      'src/cli/repository/open.ts',
      "import { z } from 'zod';",
      "import type { z } from 'zod';",
    ],
    ['strange package', rules.packagesHaveHomes, 'src/core/a.ts', "import x from 'left-pad';", "import x from './left-pad.ts';"],
    ['package away from home', rules.packagesHaveHomes, 'src/core/a.ts', "import { parse } from 'yaml';", "import { z } from 'zod';"],
    [
      'file system in the domain',
      rules.domainReachesMachineByPorts,
      'src/failover/a.ts',
      "import { readFile } from 'node:fs/promises';",
      "import { join } from 'node:path';",
    ],
    ['nameless builtin', rules.nodeModulesAreNamedSo, 'src/cli/a.ts', "import fs from 'fs';", "import fs from 'node:fs';"],
    ['no extension', rules.relativeImportsHaveExtensions, 'src/core/a.ts', "import './a';", "import './a.ts';"],
    ['no such file', rules.relativeImportsHaveExtensions, 'src/core/a.ts', "import './b.ts';", "import './a.ts';"],
    ['file name', rules.filesAreKebabCase, 'src/core/someThing.ts', '', ''],
    ['long file', rules.filesAreShort, 'src/core/a.ts', '\n'.repeat(401), '\n'.repeat(400)],
    ['default export', rules.exportsAreNamed, 'src/core/a.ts', 'export default 1;', "export const text = 'export default 1';"],
    ['wall clock', rules.clocksAreAsked, 'src/core/a.ts', 'const now = new Date ();', 'const now = new Date(0);'],
  ])('%s', (_, rule, path, bad, good) => {
    expect(rule([parseModule(path, bad)])).toHaveLength(1);
    const harmless = bad === '' ? 'src/core/some-thing.ts' : path;
    expect(rule([parseModule(harmless, good)]).filter((line) => !line.startsWith(`${path} → `))).toEqual([]);
  });

  test('circles', () => {
    const pair = [parseModule('src/core/a.ts', "import { B } from './b.ts';"), parseModule('src/core/b.ts', "export { a } from './a.ts';")];
    expect(rules.nothingGoesRound(pair)).toEqual(['src/core/a.ts → src/core/b.ts → src/core/a.ts']);
    expect(rules.nothingGoesRound(pair.slice(0, 1))).toEqual([]);
    expect(rules.nothingGoesRound([parseModule('src/core/a.ts', "import type { B } from './b.ts';"), pair[1]!])).toEqual([]);
  });

  test('codes without a row', () => {
    const module = parseModule('src/core/a.ts', "throw new HoldfastError('NEW_CODE', 'x'); fail('OLD_CODE'); const x = 'NO_CODE';");
    expect([...rules.errorCodes([module], new Set(['OLD']))]).toEqual([
      ['NEW_CODE', 'src/core/a.ts:1'],
      ['OLD_CODE', 'src/core/a.ts:1'],
    ]);
  });

  test('tests may reach further', () => {
    expect(rules.layersPointDown([parseModule('src/core/a.test.ts', "import '../runtime/clock.ts';")])).toEqual([]);
  });
});

describe('the tokenizer is not misled', () => {
  const importsIn = (source: string) => parseModule('src/core/a.ts', source).imports.map(({ specifier, kind }) => `${kind} ${specifier}`);

  test.each<[string, string, string[]]>([
    [
      'forms',
      "import a, { type B } from 'a';\nimport * as c from 'c';\nimport type D from 'd';\nimport 'e';\nexport { f } from 'f';\nexport type { G } from 'g';\nexport * as h from 'h';",
      ['static a', 'static c', 'type d', 'static e', 'static f', 'type g', 'static h'],
    ],
    ['own exports', "export { a };\nexport const from = 'x';\nexport type X = { from: 'y' };\nimport 'z';", ['static z']],
    [
      'calls',
      "await import('a'); type A = typeof import('b'); let c: import('c').C; import.meta.url; x.import('d');",
      ['lazy a', 'type b', 'type c'],
    ],
    ['comments', "// import 'a'\n/* import 'b' */ import 'c';", ['static c']],
    [
      'strings and templates',
      "const s = \"import 'a'\"; const t = `import 'b' ${await import('c')} import 'd'`; import 'e';",
      ['lazy c', 'static e'],
    ],
    ['nested templates', "const t = `${`${{ a: 1 }.a}` + '}'} import 'x'`; import 'y';", ['static y']],
    ['regular expressions', "const r = /['\"`/[/]/.test(x); const q = a / b / c; import 'y';", ['static y']],
  ])('%s', (_, source, expected) => expect(importsIn(source)).toEqual(expected));

  test('lines', () =>
    expect(tokenize("a\n/*\n\n*/ `x\n` 'b'").map(({ text, line }) => `${text.trim()} ${line}`)).toEqual(['a 1', 'x 4', 'b 5']));
});
