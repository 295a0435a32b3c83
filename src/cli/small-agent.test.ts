import { spawnSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';

const PROGRAM = new URL('../../bin/holdfast.mjs', import.meta.url).pathname;
const NO_CONFIG = ['--config', '/nowhere/holdfast.yaml'];

interface Start {
  readonly pid: number;
  readonly flags: readonly string[];
  readonly arenas: string | null;
}

/** How Node was started for this command line, each time, and how it ended. */
function starts(args: readonly string[], options = ''): { starts: Start[]; status: number | null } {
  const tell = `process.stdout.write(JSON.stringify({pid:process.pid,flags:process.execArgv,arenas:process.env.MALLOC_ARENA_MAX??null})+"\\n")`;
  const env: NodeJS.ProcessEnv = { ...process.env, NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(tell)} ${options}` };
  delete env['MALLOC_ARENA_MAX'];
  const { stdout, status } = spawnSync(process.execPath, [PROGRAM, ...args], { env, encoding: 'utf8' });
  const lines = stdout.split('\n').filter((line) => line.startsWith('{"pid"'));
  return { starts: lines.map((line) => JSON.parse(line) as Start), status };
}

describe.runIf(process.platform === 'linux')('an agent', { timeout: 60_000 }, () => {
  test('begins anew in the same process with a small heap, and says what is wrong as ever', () => {
    const { starts: seen, status } = starts(['agent', ...NO_CONFIG]);
    expect(seen).toHaveLength(2);
    expect(seen[1]).toEqual({ pid: seen[0]!.pid, flags: ['--max-semi-space-size=1', '--optimize-for-size'], arenas: '1' });
    expect(status).toBe(2);
  });

  test('leaves the choice to whoever made it', () => {
    const { starts: seen, status } = starts(['agent', ...NO_CONFIG], '--max-semi-space-size=8');
    expect(seen).toMatchObject([{ flags: [], arenas: null }]);
    expect(status).toBe(2);
  });

  test('is the only command that does', () => {
    expect(starts(['--version']).starts).toHaveLength(1);
  });
});
