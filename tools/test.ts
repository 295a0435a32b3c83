// Runs the unit tests, then the scenarios, and ends with one plain line: `tests: N passed, N failed, N skipped`.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';
import { addCounts, countReport, failures, nothing, summaryLine } from './test-counts.ts';

const vitest = fileURLToPath(new URL('../node_modules/vitest/vitest.mjs', import.meta.url));

const installMsMax = 600_000;

async function main(args: readonly string[]): Promise<number> {
  const chosen = args.some((argument) => argument === '--project' || argument.startsWith('--project='));
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-test-'));
  try {
    let total = nothing;
    const failed: string[] = [];
    for (const project of chosen
      ? [[]]
      : [
          ['--project', 'unit'],
          ['--project', 'scenario'],
        ]) {
      if (project.includes('scenario')) await untilEnded(Number(process.env['HOLDFAST_SCENARIOS_AFTER'] ?? 0));
      const { code, report } = await runVitest([...project, ...args], join(folder, `${project[1] ?? 'chosen'}.json`));
      total = addCounts(total, countReport(report, code));
      failed.push(...failures(report));
    }
    if (total.passed + total.failed + total.skipped === 0) {
      process.stdout.write('No test matched.\n');
      total = { ...total, failed: 1 };
    }
    for (const one of failed) process.stdout.write(`\n${one}\n`);
    process.stdout.write(`${summaryLine(total)}\n`);
    return total.failed === 0 ? 0 : 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function runVitest(args: readonly string[], reportFile: string): Promise<{ code: number; report: string | undefined }> {
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${reportFile}`];
  const code = await run([vitest, 'run', '--passWithNoTests', ...reporters, ...args]);
  return { code, report: readReport(reportFile) };
}

/** What installs something for the scenarios: whether that succeeded, they tell. @param pid 0: nothing does */
async function untilEnded(pid: number): Promise<void> {
  const end = performance.now() + installMsMax;
  while (isRunning(pid) && performance.now() < end) await sleep(200);
}

function isRunning(pid: number): boolean {
  try {
    return pid > 0 && process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** Undefined when vitest ended before it could write one. */
function readReport(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

function run(args: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { stdio: 'inherit' });
    const forward = (signal: NodeJS.Signals): boolean => child.kill(signal);
    const signals = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const;
    for (const signal of signals) process.on(signal, forward);
    child.on('error', reject);
    child.on('exit', (code) => {
      for (const signal of signals) process.off(signal, forward);
      resolve(code ?? 1);
    });
  });
}

process.exitCode = await main(process.argv.slice(2));
