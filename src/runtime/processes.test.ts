import { mkdir, mkdtemp, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { spawnSync } from 'node:child_process';
import { userInfo, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ProcessIdentity } from '../core/processes.ts';
import { createClock } from './clock.ts';
import { createProcesses } from './processes.ts';

const processes = createProcesses();
const clock = createClock();
const isRoot = userInfo().uid === 0;
const nobody = { uid: 65534, gid: 65534, name: 'nobody' };

let directory: string;
let started: ProcessIdentity[] = [];
beforeEach(async () => void (directory = await mkdtemp(join(tmpdir(), 'holdfast-processes-'))));
afterEach(async () => {
  // Each leads a session, and may have left somebody in it.
  for (const identity of started.flatMap((leader) => [leader, ...processes.inSession(leader.pid)])) processes.kill(identity, 'SIGKILL');
  started = [];
  await rm(directory, { recursive: true });
});

async function startDetached(command: string, options: Parameters<typeof processes.startDetached>[2] = {}) {
  const child = await processes.startDetached('/bin/sh', ['-c', command], options);
  started.push(child.identity);
  return child;
}

async function eventually(condition: () => boolean): Promise<void> {
  for (let tries = 0; tries < 500 && !condition(); tries += 1) await clock.sleep(10);
  expect(condition()).toBe(true);
}

describe('run', () => {
  test('gives back output, exit code and signal, and passes input', async () => {
    expect(await processes.run('/bin/sh', ['-c', 'cat; echo oops >&2; exit 3'], { timeoutMs: 5_000, input: 'hello' })).toEqual({
      code: 3,
      stdout: 'hello',
      stderr: 'oops\n',
      truncated: false,
    });
    expect((await processes.run('/bin/sh', ['-c', 'kill -9 $$'], { timeoutMs: 5_000 })).code).toBe(137);
  });

  test('does not mind a program that reads no input', async () => {
    expect((await processes.run('/bin/true', [], { timeoutMs: 5_000, input: 'x'.repeat(1_000_000) })).code).toBe(0);
  });

  test('hands down none of our own environment', async () => {
    process.env['HOLDFAST_TEST_SECRET'] = 'sesame';
    try {
      const { stdout } = await processes.run('/usr/bin/env', [], { timeoutMs: 5_000, env: { EXTRA: '1' } });
      expect(stdout).toContain('EXTRA=1\n');
      expect(stdout).toContain('LANG=C\n');
      expect(stdout).not.toContain('sesame');
    } finally {
      delete process.env['HOLDFAST_TEST_SECRET'];
    }
  });

  test('runs nobody’s shell start-up files', async () => {
    const mark = join(directory, 'mark');
    for (const name of ['.bashrc', '.profile', '.bash_profile']) await writeFile(join(directory, name), `touch ${mark}\n`);
    for (const input of [{}, { input: 'x' }]) {
      const { code } = await processes.run('bash', ['-c', `test ! -e ${mark}`], { timeoutMs: 5_000, env: { HOME: directory }, ...input });
      expect(code).toBe(0);
    }
  });

  test('keeps output within its bound', async () => {
    const result = await processes.run('/bin/sh', ['-c', 'head -c 100000 /dev/zero'], { timeoutMs: 5_000, outputBytesMax: 1_000 });
    expect([result.stdout.length, result.truncated]).toEqual([1_000, true]);
  });

  test('ends what runs too long, with its children', async () => {
    const file = join(directory, 'pid');
    await expect(processes.run('/bin/sh', ['-c', `sleep 60 & echo $! > ${file}; wait`], { timeoutMs: 300 })).rejects.toThrow(
      expect.objectContaining({ code: 'PROCESS_TIMEOUT' }),
    );
    const grandchild = Number(await readFile(file, 'utf8'));
    await eventually(() => processes.identify(grandchild) === undefined);
  });

  test('ends with its signal', async () => {
    const stop = new AbortController();
    const running = processes.run('/bin/sleep', ['60'], { timeoutMs: 60_000, signal: stop.signal });
    stop.abort(new Error('no longer wanted'));
    await expect(running).rejects.toThrow('no longer wanted');
  });

  test('does not wait for a grandchild that keeps the pipes', async () => {
    const { stdout } = await processes.run('/bin/sh', ['-c', 'sleep 30 & echo $!'], { timeoutMs: 20_000 });
    const identity = processes.identify(Number(stdout))!;
    started.push(identity);
    expect(processes.isAlive(identity)).toBe(true);
  });

  test.each([
    ['a program that is not there', '/no/such/program', {}, /'\/no\/such\/program' could not be started: .*ENOENT/],
    ['a directory that is not there', '/bin/true', { cwd: '/no/such/place' }, /its working directory '\/no\/such\/place' is not there/],
    ['a file that is no program', '/etc/passwd', {}, /EACCES/],
  ])('says what is wrong: %s', async (_name, binary, options, message) => {
    const failure = expect.objectContaining({ code: 'PROCESS_NOT_STARTED', message: expect.stringMatching(message) as unknown }) as unknown;
    await expect(processes.run(binary, [], { timeoutMs: 1_000, ...options })).rejects.toThrow(failure);
    await expect(processes.startDetached(binary, [], options)).rejects.toThrow(failure);
  });

  test.skipIf(!isRoot)('takes on an account and leaves every group of ours (needs root)', async () => {
    const { stdout } = await processes.run('/bin/sh', ['-c', 'id -u; id -g; id -G; echo $USER; umask'], {
      timeoutMs: 5_000,
      account: nobody,
      cwd: '/',
    });
    expect(stdout.split('\n').slice(0, 4)).toEqual(['65534', '65534', '65534', 'nobody']);
    // Started by someone who does have supplementary groups, the child still gets none.
    const script = `import { createProcesses } from ${JSON.stringify(new URL('./processes.ts', import.meta.url).href)};
      process.setgroups([0, 4, 27]);
      const result = await createProcesses().run('/bin/sh', ['-c', 'grep ^Groups /proc/self/status'], { timeoutMs: 5000, cwd: '/', account: ${JSON.stringify(nobody)} });
      console.log(JSON.stringify([process.getgroups(), result.stdout.trim()]));`;
    const outcome = spawnSync(process.execPath, ['--input-type=module-typescript', '-e', script], { encoding: 'utf8' });
    const [ours, theirs] = JSON.parse(outcome.stdout) as [number[], string];
    expect(ours).toEqual(expect.arrayContaining([4, 27]));
    expect(theirs).toBe('Groups:');
  });
});

describe('detached', () => {
  test('leads its own session, writes to its log, and its end is seen', async () => {
    const logFile = join(directory, 'log');
    const child = await startDetached('echo hello; echo oops >&2; cut -d" " -f6 /proc/self/stat; exit 7', { logFile });
    expect(await child.exited).toEqual({ code: 7, signal: null });
    expect(await readFile(logFile, 'utf8')).toBe(`hello\noops\n${child.identity.pid}\n`);
  });

  test('is known even when it ended at once', async () => {
    const child = await startDetached('exit 0');
    expect(child.identity.startTicks).toBeGreaterThan(0);
    await child.exited;
    expect(processes.isAlive(child.identity)).toBe(false);
  });

  test('survives the death of its starter', async () => {
    const script = `import { createProcesses } from ${JSON.stringify(new URL('./processes.ts', import.meta.url).href)};
      const child = await createProcesses().startDetached('/bin/sh', ['-c', 'while :; do echo alive; sleep 0.05; done'], { logFile: ${JSON.stringify(join(directory, 'log'))} });
      console.log(JSON.stringify(child.identity));
      process.kill(process.pid, 'SIGKILL');`;
    const outcome = spawnSync(process.execPath, ['--input-type=module-typescript', '-e', script], { encoding: 'utf8' });
    expect(outcome.signal).toBe('SIGKILL');
    const identity = JSON.parse(outcome.stdout) as ProcessIdentity;
    started.push(identity);
    expect(processes.isAlive(identity)).toBe(true);
    await writeFile(join(directory, 'log'), '');
    for (let tries = 0; tries < 500 && (await readFile(join(directory, 'log'), 'utf8')) === ''; tries += 1) await clock.sleep(10);
    expect(await readFile(join(directory, 'log'), 'utf8')).toContain('alive');
  });

  test('does not write its log through a symbolic link', async () => {
    await symlink(join(directory, 'elsewhere'), join(directory, 'log'));
    await expect(startDetached('echo hello', { logFile: join(directory, 'log') })).rejects.toThrow(
      expect.objectContaining({ code: 'PROCESS_NOT_STARTED' }),
    );
  });
});

describe('watching', () => {
  test('a name with spaces and parentheses does not confuse', async () => {
    const odd = join(directory, 'a) S 1 (b');
    await symlink('/bin/sleep', odd);
    const child = await processes.startDetached(odd, ['60'], {});
    started.push(child.identity);
    expect(processes.identify(child.identity.pid)).toEqual(child.identity);
    expect(processes.inSession(child.identity.pid)).toEqual([child.identity]);
  });

  test('a zombie is not alive, a stopped process is', async () => {
    const stopped = await startDetached('sleep 60');
    processes.kill(stopped.identity, 'SIGSTOP');
    expect(processes.isAlive(stopped.identity)).toBe(true);
    const file = join(directory, 'pid');
    await startDetached(`sh -c 'echo $$ > ${file}; exit' & exec sleep 60`);
    await eventually(() => spawnSync('/bin/cat', [file]).stdout.length > 1);
    const zombie = Number(await readFile(file, 'utf8'));
    await eventually(() => spawnSync('/bin/grep', ['^State:.Z', `/proc/${zombie}/status`]).status === 0);
    expect(processes.identify(zombie)).toBeUndefined();
  });

  test('another process with the same pid is neither alive nor killed', async () => {
    const child = await startDetached('sleep 60');
    const stale = { pid: child.identity.pid, startTicks: child.identity.startTicks - 1 };
    expect(processes.isAlive(stale)).toBe(false);
    expect(processes.kill(stale, 'SIGKILL')).toBe(false);
    expect(processes.isAlive(child.identity)).toBe(true);
    expect(processes.kill(child.identity, 'SIGKILL')).toBe(true);
    expect((await child.exited).signal).toBe('SIGKILL');
    expect(processes.kill(child.identity, 'SIGKILL')).toBe(false);
  });

  test('finds who works in or below a directory, through links and after it was moved', async () => {
    const data = join(directory, 'data');
    await mkdir(join(data, 'base'), { recursive: true });
    await mkdir(join(directory, 'data-other'));
    await symlink(data, join(directory, 'link'));
    const [inside, below, beside] = await Promise.all([
      startDetached('sleep 60 & wait', { cwd: data }),
      startDetached('exec sleep 60', { cwd: join(data, 'base') }),
      startDetached('exec sleep 60', { cwd: join(directory, 'data-other') }),
    ]);
    const found = (where: string) => processes.withWorkingDirectory(where).map((identity) => identity.pid);
    await eventually(() => found(join(directory, 'link')).length === 3);
    expect(found(data)).toEqual(expect.arrayContaining([inside.identity.pid, below.identity.pid]));
    expect(found(data)).not.toContain(beside.identity.pid);
    await rename(data, join(directory, 'moved'));
    expect(found(join(directory, 'moved'))).toHaveLength(3);
    expect(found(data)).toEqual([]);
    for (const { pid } of processes.withWorkingDirectory(directory)) started.push(processes.identify(pid)!);
  });

  test('finds a whole session', async () => {
    const leader = await startDetached('sleep 60 & sleep 60 & wait');
    await eventually(() => processes.inSession(leader.identity.pid).length === 3);
    started.push(...processes.inSession(leader.identity.pid));
  });
});
