import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import { root } from '../architecture/modules.ts';

const bug = 'the database runs a quorum before the store knows of it';

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function start(args: readonly string[]): { readonly child: ChildProcess; readonly ended: Promise<Ended> } {
  const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
  const exited = new Promise<number | null>((resolve) => {
    child.on('exit', resolve);
  });
  const ended = Promise.all([exited, text(child.stdout), text(child.stderr)]).then(([code, stdout, stderr]) => ({ code, stdout, stderr }));
  return { child, ended };
}

const sim = (...args: string[]): Promise<Ended> => start([join('test', 'simulation', 'main.ts'), ...args]).ended;

describe('npm run sim', () => {
  test('counts what the seeds came to, and what it prints does not hang on the number of threads', async () => {
    const [one, two] = await Promise.all([
      sim('--seeds', '6', '--workers', '1', '--json'),
      sim('--seeds', '6', '--workers', '2', '--json'),
    ]);
    expect([one.code, two.code]).toEqual([0, 0]);
    const tallies = [one, two].map((run) => JSON.parse(run.stdout) as { clusterHours: number; faults: object });
    expect(tallies[0]).toMatchObject({ from: 1, seeds: 6, violationCount: 0, interrupted: false });
    expect(tallies[1]).toEqual({ ...tallies[0], clusterHours: expect.closeTo(tallies[0]!.clusterHours, 9) });
  });

  test('tells of a violation the seed, what happened, and the command that replays it', async () => {
    const many = await sim('--seeds', '2', '--workers', '1', '--planted', bug);
    expect(many.code).toBe(1);
    expect(many.stdout).toMatch(/\nviolations +2\n\nseed 1: .*which the roster does not have/);
    expect(many.stdout).toContain(`  replay: npm run sim -- --seed 1 --planted '${bug}'\n`);
    const again = await sim('--seed', '1', '--planted', bug);
    expect(again.code).toBe(1);
    const told = /\nseed 1: (?<told>.*)\n/.exec(many.stdout)!.groups!['told']!;
    expect(again.stdout).toContain(`!!!    ${told}\n`);
    expect(again.stdout.endsWith(`\nseed 1: ${told}\n`)).toBe(true);
  });

  test('replays a seed with its whole trace', async () => {
    const { code, stdout } = await sim('--seed', '7');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^ +0\.0000 world +begins seed=7 members=\d/);
    expect(stdout).toMatch(/\n.* world +ALL FAULTS END\n/);
    expect(stdout.endsWith('\n\nseed 7: no violation\n')).toBe(true);
  });

  test('shows what was done when it is interrupted', async () => {
    const { child, ended } = start([join('test', 'simulation', 'main.ts'), '--seeds', '1000000', '--workers', '1']);
    child.stderr!.once('data', () => child.kill('SIGINT'));
    const { code, stdout } = await ended;
    expect(code).toBe(130);
    expect(stdout).toMatch(/^Interrupted after \d+ of 1000000 seeds\.\n\nseeds /);
  });

  test.each([
    ['--seeds', '0'],
    ['--seeds', '1e3'],
    ['--seeds', 'many'],
    ['--seed', '-1'],
    ['--workers', '0'],
    ['--seed', '1', '--seeds', '2'],
    ['--planted', 'nothing of that name'],
    ['--nonsense'],
    ['stray'],
  ])('refuses %s %s', async (...args) => {
    const { code, stdout, stderr } = await sim(...args.filter((one) => one !== undefined));
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(/^error: .+\n\nRuns whole simulated clusters/s);
  });

  test('takes a rejection that nobody handles for a violation', async () => {
    const script = `
      import { runSeed } from './test/simulation/run.ts';
      import { engineWith, faithful } from './test/simulation/variation.ts';
      const engine = (real) => engineWith(real, { inspect: (options) => {
        void Promise.reject(new Error('nobody handles this'));
        return real.inspect(options);
      } });
      console.log((await runSeed(1, { variation: { ...faithful, engine } })).violation?.message);
    `;
    const { code, stdout } = await start(['--input-type=module', '--eval', script]).ended;
    expect([code, stdout.split('\n')[0]]).toEqual([0, 'thrown and not caught: Error: nobody handles this']);
  });
}, 60_000);
