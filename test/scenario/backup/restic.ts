import { spawnSync } from 'node:child_process';

/** What a run of restic ended with. */
export interface ResticResult {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Milliseconds that a run may last on a busy machine. */
const runMsMax = 120_000;

/** Whether restic is here. With HOLDFAST_REQUIRE=all its absence is an error. */
export function hasRestic(): boolean {
  const found = spawnSync('restic', ['version']).status === 0;
  if (!found && process.env['HOLDFAST_REQUIRE'] === 'all') throw new Error('restic is absent, and HOLDFAST_REQUIRE=all');
  return found;
}

/** restic for one repository: a directory, or whatever else it takes. */
export class Restic {
  readonly path: string;
  readonly password: string;
  readonly #options: readonly string[];

  /** @param options of every run */
  constructor(path: string, password: string, options: readonly string[] = []) {
    this.path = path;
    this.password = password;
    this.#options = options;
  }

  /** Runs it whatever comes of it. */
  try(
    args: readonly string[],
    options: { readonly environment?: Readonly<Record<string, string>>; readonly input?: string } = {},
  ): ResticResult {
    const { status, stdout, stderr } = spawnSync('restic', ['--repo', this.path, '--no-cache', ...this.#options, ...args], {
      encoding: 'utf8',
      timeout: runMsMax,
      maxBuffer: 64 * 1024 * 1024,
      input: options.input ?? '',
      env: { PATH: process.env['PATH'], HOME: this.path, TZ: 'UTC', RESTIC_PASSWORD: this.password, ...options.environment },
    });
    return { status, stdout, stderr };
  }

  /** Its output. @throws Error with what it said, when it fails */
  run(...args: string[]): string {
    const { status, stdout, stderr } = this.try(args);
    if (status !== 0) throw new Error(`restic ${args.join(' ')}: ${stderr}${stdout}`);
    return stdout;
  }
}
