import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { evaluateModel } from '../../model/file/evaluate.ts';
import { readModelText } from '../model/read.ts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const bin = fileURLToPath(new URL('../../../bin/holdfast.mjs', import.meta.url));
let directory: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-model-'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

interface Ended {
  readonly code: number;
  readonly out: string;
  readonly error: string;
}

function holdfast(...words: string[]): Promise<Ended> {
  return new Promise((done) => {
    execFile(process.execPath, [bin, 'model', ...words], { timeout: 60_000 }, (error, out, problems) => {
      done({ code: error ? Number(error.code) : 0, out, error: problems });
    });
  });
}

function write(name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}

const pair = `components:
  node: { mtbf: 2000h, mttr: 4h, count: 2 }
structure: { parallel: [node.*] }
`;

describe('holdfast model', () => {
  test('tells people', async () => {
    const { code, out, error } = await holdfast(write('pair.yaml', pair), '--compare', '--at', '30d', '1y');
    expect([code, error]).toEqual([0, '']);
    expect(out).toContain('Structure, by closed-form (every part is independent and stands in one place)');
    expect(out).toMatch(/availability +99\.9996\d+%/);
    expect(out).toMatch(/ALSO BY[\s\S]+markov/);
    expect(out).toContain('Taken for granted:');
  });

  test('tells machines, as JSON files too', async () => {
    const file = write('pair.json', JSON.stringify({ components: { a: { mtbf: '99h', mttr: '1h' } }, structure: 'a' }));
    const { code, out } = await holdfast(file, '--json', '--method', 'bdd');
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({
      structure: { method: 'bdd', because: 'it was asked for', longRun: { unavailability: 0.01, mtbf: 100 } },
    });
  });

  test('draws a page', async () => {
    const out = join(directory, 'pair.html');
    const file = write('drawn.yaml', pair);
    const [drawn, onto, nowhere] = await Promise.all([
      holdfast(file, '--html', out),
      holdfast(file, '--html', file),
      holdfast(file, '--html', join(directory, 'none', 'x.html')),
    ]);
    expect([drawn.code, drawn.error]).toEqual([0, '']);
    expect(drawn.out).toContain('Structure, by closed-form');
    expect(readFileSync(out, 'utf8')).toMatch(
      /^<!doctype html>[\s\S]*<title id="structure-title">Block diagram<\/title>[\s\S]*<\/html>\n$/,
    );
    expect([onto.code, onto.error]).toEqual([2, expect.stringContaining('would overwrite')]);
    expect(readFileSync(file, 'utf8')).toBe(pair);
    expect([nowhere.code, nowhere.error]).toEqual([2, expect.stringContaining('CLI_OUTPUT_UNWRITABLE')]);
  });

  test('plays in threads what no formula solves, with the answer of one thread', async () => {
    const node = '{ weibull: { shape: 2, scale: 100h }, mttr: { uniform: [1h, 9h] }, count: 2 }';
    const text = `components: { node: ${node} }\nstructure: { parallel: [node.*] }\nrepair: { crews: 1 }\nat: [500h]\nsimulation: { runs: 1000 }\n`;
    const { code, out } = await holdfast(write('played.yaml', text), '--json');
    expect(code).toBe(0);
    expect(JSON.parse(out)).toEqual(JSON.parse(JSON.stringify(evaluateModel(readModelText(text, 'played.yaml')))));
  });

  test('what is wrong with a file is told with its lines, code 2', async () => {
    const file = write('wrong.yaml', pair.replace('4h', '40%').replace('node.*', 'nod.*'));
    const { code, error } = await holdfast(file);
    expect(code).toBe(2);
    expect(error).toContain(`${file}:2:`);
    expect(error).toContain('which is a percentage');
  });

  test.each([
    [['/nowhere/model.yaml'], 'CONFIG_UNREADABLE'],
    [[], 'the model file is missing'],
    [['/dev/null'], 'is no regular file'],
    [['--schema'], ''],
  ])('wrong usage of %j', async (words, message) => {
    const { code, error, out } = await holdfast(...words);
    expect(error).toContain(message);
    expect(code).toBe(message === '' ? 0 : 2);
    if (message === '') expect(JSON.parse(out)).toMatchObject({ title: 'Holdfast model' });
  });

  test('a method that can not, a time that is none', async () => {
    const file = write('pair2.yaml', pair);
    const [magic, time, unfit] = await Promise.all([
      holdfast(file, '--method', 'magic'),
      holdfast(file, '--at', 'soon'),
      holdfast(write('shared.yaml', pair.replace('[node.*]', '[node.1, { series: [node.1, node.2] }]')), '--method', 'closed-form'),
    ]);
    expect(magic.error).toContain("there is no method 'magic'");
    expect(time.error).toContain("'soon' is no time");
    expect(unfit.error).toContain("closed-form can not solve this model: 'node.1' stands in several places");
    expect([magic.code, time.code, unfit.code]).toEqual([2, 2, 2]);
  });
});
