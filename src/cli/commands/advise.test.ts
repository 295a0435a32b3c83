import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { checkText } from '../../config/load.ts';
import type { Advice } from '../../model/advice/advise.ts';
import { evaluateModel } from '../../model/file/evaluate.ts';
import { readModelFile } from '../model/read.ts';

const bin = fileURLToPath(new URL('../../../bin/holdfast.mjs', import.meta.url));
let directory: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-advise-'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function holdfast(...words: string[]): Promise<{ readonly code: number; readonly out: string; readonly error: string }> {
  return new Promise((done) => {
    execFile(process.execPath, [bin, 'advise', ...words], { timeout: 60_000, maxBuffer: 1 << 26 }, (error, out, problems) => {
      done({ code: error ? Number(error.code) : 0, out, error: problems });
    });
  });
}

function write(name: string, needs: string): string {
  const path = join(directory, name);
  writeFileSync(
    path,
    `needs: { ${needs} }
data: { size: 50GiB, change: 20GiB/day }
worth: { downtime: 2000/h, history: 3000/h, data: 2000000 }
team: { hour: 90 }
search: { members: [1, 3], stores: [etcd], copies: [cloud], backup: [1d], journal: [10s], drills: [none, 30d] }
`,
  );
  return path;
}

test('tells people, and writes what it found', async () => {
  const out = join(directory, 'designs');
  const page = join(directory, 'page.html');
  const { code, out: told, error } = await holdfast(write('met.yaml', 'rto: 1s'), '--write', out, '--html', page);
  expect([code, error]).toEqual([0, '']);
  expect(told).toMatch(/DESIGN +USD A YEAR +AVAILABILITY/);
  expect(told).toMatch(/weakest part +\w/);
  expect(told).toContain('needs.rto');
  expect(readFileSync(page, 'utf8')).toMatch(/^<!doctype html>[\s\S]+<\/html>\n$/);
  const designs = readdirSync(out);
  expect(designs.length).toBeGreaterThan(0);
  for (const design of designs) {
    expect(readdirSync(join(out, design)).toSorted()).toEqual(['db1.yaml', 'db2.yaml', 'db3.yaml', 'model.yaml']);
    for (const node of ['db1', 'db2', 'db3']) expect(checkText(join(out, design, `${node}.yaml`)).config.node.name).toBe(node);
    expect(evaluateModel(readModelFile(join(out, design, 'model.yaml'))).structure!.longRun!.unavailability).toBeGreaterThan(0);
  }
});

test('tells machines; where nothing meets the needs, the answer is no', async () => {
  const { code, out } = await holdfast(write('unmet.yaml', 'rto: 1ms'), '--json');
  const advice = JSON.parse(out) as Advice;
  expect([code, advice.meeting]).toEqual([1, 0]);
  expect(advice.front[0]!.misses).toEqual(['needs.rto']);
});

test('refuses what makes no sense', async () => {
  const file = write('same.yaml', 'rto: 1s');
  const [onto, only, bad] = await Promise.all([
    holdfast(file, '--html', file),
    holdfast(file, '--only', '3m'),
    holdfast(write('bad.yaml', 'rto: 1'), '--html', join(directory, 'never.html')),
  ]);
  expect([onto.code, onto.error]).toEqual([2, expect.stringContaining('would overwrite')]);
  expect([only.code, only.error]).toEqual([2, expect.stringContaining('--write')]);
  expect([bad.code, bad.error]).toEqual([2, expect.stringMatching(/bad\.yaml:1:\d+ {2}needs\.rto: must be a duration above 0/)]);
  expect(existsSync(join(directory, 'never.html'))).toBe(false);
});
