import { execFile, execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

const execute = promisify(execFile);

const COMMAND_MS_MAX = 10_000;
const PROGRAMS = ['ip', 'tc', 'nft', 'nsenter'];

/** Runs a system program to its end. @throws with what it said, when it fails */
export async function run(program: string, args: readonly string[], input?: string): Promise<string> {
  const running = execute(program, [...args], { timeout: COMMAND_MS_MAX });
  running.child.stdin?.end(input);
  return (await running).stdout;
}

/** What is missing for hosts on this machine; undefined when nothing is. With HOLDFAST_REQUIRE=all what is missing is an error. */
export function whyNoHosts(): string | undefined {
  const directories = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  const absent = PROGRAMS.filter((program) => !directories.some((directory) => existsSync(join(directory, program))));
  const why =
    process.getuid?.() !== 0
      ? 'needs root'
      : absent.length > 0
        ? `needs ${absent.join(', ')}`
        : mayUnshare()
          ? undefined
          : 'no network namespaces';
  if (why !== undefined && process.env['HOLDFAST_REQUIRE'] === 'all') throw new Error(`hosts: ${why} (HOLDFAST_REQUIRE=all)`);
  return why;
}

function mayUnshare(): boolean {
  try {
    execFileSync('unshare', ['--net', 'true'], { stdio: 'ignore', timeout: COMMAND_MS_MAX });
    return true;
  } catch {
    return false;
  }
}
