import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { fileURLToPath } from 'node:url';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));

/** What a figure means nothing without. */
export interface Machine {
  readonly cores: number;
  readonly processor: string;
  readonly memoryBytes: number;
  readonly kernel: string;
  readonly loadAverage: readonly number[];
  readonly node: string;
  /** Commit of the sources; `+` behind it when they were changed since. */
  readonly commit: string;
}

export async function describeMachine(): Promise<Machine> {
  const [first] = cpus();
  const git = async (...args: string[]): Promise<string> =>
    (await run('git', args, { cwd: root }).catch(() => ({ stdout: '' }))).stdout.trim();
  return {
    cores: cpus().length,
    processor: first?.model ?? 'unknown',
    memoryBytes: totalmem(),
    kernel: release(),
    loadAverage: loadavg(),
    node: process.versions.node,
    commit: `${await git('rev-parse', '--short', 'HEAD')}${(await git('status', '--porcelain', '--', 'src')) === '' ? '' : '+'}`,
  };
}

/** The first line that a program says of its version. */
export async function versionOf(program: string, ...args: string[]): Promise<string> {
  const { stdout, stderr } = await run(program, args);
  return `${stdout}${stderr}`.trim().split('\n')[0] ?? '';
}

/** The programs that are not on PATH, nor below /usr/sbin, where servers are. */
export function missingPrograms(names: readonly string[]): string[] {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin'];
  return names.filter((name) => (name.startsWith('/') ? !existsSync(name) : !folders.some((folder) => existsSync(join(folder, name)))));
}
