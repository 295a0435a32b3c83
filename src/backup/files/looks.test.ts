import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createLooks } from './looks.ts';

let directory = '';
let paths: string[] = [];
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-looks-'));
  paths = Array.from({ length: 100 }, (_, number) => join(directory, `${number}`));
  for (const [number, path] of paths.entries()) if (number % 10 !== 3) writeFileSync(path, 'x'.repeat(number));
  symlinkSync(paths[7]!, paths[3]!);
});
afterAll(() => rmSync(directory, { recursive: true }));

/** A clock by which each look takes that long. */
function slowBy(ms: number): { monotonicMs(): number } {
  let now = 0;
  return { monotonicMs: () => (now += ms * 32) };
}

test.each([
  ['by threads', false, 0],
  ['at once', true, 0],
  ['by threads after the first were slow', true, 1],
])('what files are is told in their order, %s', async (_, mayBlock, slowMs) => {
  const looks = createLooks(slowBy(slowMs), mayBlock);
  const outcomes = await looks.at(paths, () => false);
  expect(outcomes).toHaveLength(paths.length);
  for (const [number, outcome] of outcomes.entries()) {
    if (number === 3) expect('stats' in outcome && outcome.stats.isSymbolicLink()).toBe(true);
    else if (number % 10 === 3) expect(outcome).toMatchObject({ error: { code: 'ENOENT' } });
    else expect(outcome).toMatchObject({ stats: { size: BigInt(number) } });
  }
  const [followed] = await looks.at([paths[3]!], (path) => path === paths[3]);
  expect(followed).toMatchObject({ stats: { size: 7n } });
  expect(await looks.at([], () => false)).toEqual([]);
});
