import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { silentLogger } from '../../../core/logger.ts';
import type { MachineRuntime } from '../../../core/runtime.ts';
import { openGuard } from '../../../failover/guard/guard.ts';
import { createClock, createProcesses, createRandom } from '../../../runtime/index.ts';
import type { Engine, EngineContext } from '../../engine.ts';
import { configSchema, open } from './index.ts';

const clock = createClock();
const processes = createProcesses();
const runtime: MachineRuntime = { clock, processes, random: createRandom(), logger: silentLogger };
const { signal } = new AbortController();
const isRoot = userInfo().uid === 0;

let stateDir: string;
let engines: Engine[];
beforeEach(async () => {
  stateDir = await mkdtemp(join(tmpdir(), 'holdfast-process-'));
  await chmod(stateDir, 0o711);
  engines = [];
});
afterEach(async () => {
  for (const engine of engines) {
    await engine.adopt({ signal });
    await engine.stop('immediate', { timeoutMs: 0 });
    await engine[Symbol.asyncDispose]();
  }
  await rm(stateDir, { recursive: true });
});

async function openEngine(config: Record<string, unknown>, context: Partial<EngineContext> = {}): Promise<Engine> {
  const parsed = configSchema.parse(config);
  const engine = await open(parsed, { cluster: 'shop', service: 'mailer', node: 'db1', stateDir, account: undefined, ...context }, runtime);
  engines.push(engine);
  return engine;
}

const shell = (script: string): string[] => ['/bin/bash', '-c', script];
const start = (engine: Engine): Promise<void> => engine.startPrimary({ acknowledge: null, signal });
const inspect = (engine: Engine) => engine.inspect({ signal });
const log = (): string => readFileSync(join(stateDir, 'process.log'), 'utf8');

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}

function deaths(engine: Engine): { count: number } {
  const seen = { count: 0 };
  engine.onDeath(() => (seen.count += 1));
  return seen;
}

/** Answers TCP and HTTP with 200 until `broken` exists in its directory, then with 500. */
const server = (port: number): string[] => [
  process.execPath,
  '-e',
  `const { existsSync } = require('node:fs');
   require('node:http').createServer((request, response) => response.writeHead(existsSync('broken') ? 500 : 200).end('x')).listen(${port}, '127.0.0.1');`,
];

describe('a process', () => {
  test('runs as the primary while it is told to, in a session of its own, in its own directory, with its environment', async () => {
    const engine = await openEngine({
      command: shell('echo "$PWD $HOLDFAST_SERVICE $HOLDFAST_NODE $COLOUR"; sleep 60 & wait'),
      env: { COLOUR: 'red' },
    });
    expect(await inspect(engine)).toEqual({
      data: 'present',
      running: false,
      accepting: false,
      role: 'none',
      position: { timeline: 0, lsn: 0n },
      replicas: [],
      pendingRestart: false,
    });
    await start(engine);
    const { pid, ...state } = await inspect(engine);
    expect(state).toMatchObject({ running: true, accepting: true, role: 'primary', acknowledge: null });
    expect(processes.inSession(pid!)).toHaveLength(2);
    expect(log()).toBe(`${join(stateDir, 'work')} mailer db1 red\n`);
    await start(engine);
    expect((await inspect(engine)).pid, 'starting twice is no matter').toBe(pid);
    expect(await engine.stop('clean', { timeoutMs: 5_000 })).toEqual({ timeline: 0, lsn: 0n });
    expect(processes.inSession(pid!)).toEqual([]);
    expect((await inspect(engine)).running).toBe(false);
  });

  test('is asked to end, and killed with all its children when it does not', async () => {
    const engine = await openEngine({
      command: shell(`trap 'echo asked' TERM; (trap '' TERM; while :; do sleep 1; done) & while :; do wait; done`),
      stopTimeout: '300ms',
    });
    await start(engine);
    const { pid } = await inspect(engine);
    expect(await engine.stop('clean', { timeoutMs: 60_000 })).toBeUndefined();
    expect(processes.inSession(pid!)).toEqual([]);
    expect(log()).toContain('asked');
  });

  test('that ends well leaves nobody behind', async () => {
    const engine = await openEngine({
      command: shell(`trap 'exit 0' TERM; (trap '' TERM; while :; do sleep 1; done) & while :; do sleep 0.05; done`),
    });
    await start(engine);
    const { pid } = await inspect(engine);
    expect(await engine.stop('clean', { timeoutMs: 5_000 })).toBeDefined();
    expect(processes.inSession(pid!)).toEqual([]);
  });

  test('that stands still is ended all the same', async () => {
    const engine = await openEngine({ command: shell(`trap 'exit 0' TERM; while :; do sleep 0.05; done`) });
    await start(engine);
    const { pid } = await inspect(engine);
    process.kill(pid!, 'SIGSTOP');
    expect(await engine.stop('clean', { timeoutMs: 5_000 })).toBeDefined();
    await start(engine);
    process.kill((await inspect(engine)).pid!, 'SIGSTOP');
    await engine.stop('immediate', { timeoutMs: 0 });
    expect((await inspect(engine)).running).toBe(false);
  });

  test('that dies is reported at once, and what it leaves is killed', async () => {
    const engine = await openEngine({ command: shell('(trap "" TERM; while :; do sleep 1; done) & while :; do sleep 1; done') });
    await start(engine);
    const seen = deaths(engine);
    const { pid } = await inspect(engine);
    process.kill(pid!, 'SIGKILL');
    await expect.poll(() => seen.count).toBe(1);
    expect(processes.inSession(pid!)).toEqual([]);
    expect(await inspect(engine)).toMatchObject({
      running: false,
      role: 'none',
      failure: { code: 'ENGINE_DIED', message: 'mailer died: it was ended by SIGKILL' },
    });
    await start(engine);
    expect(await inspect(engine)).toMatchObject({ running: true });
    expect(await inspect(engine)).not.toHaveProperty('failure');
    await clock.sleep(200);
    expect(seen.count).toBe(1);
  });

  test('that is stopped on purpose is not reported', async () => {
    const engine = await openEngine({ command: ['sleep', '60'] });
    await start(engine);
    const seen = deaths(engine);
    await engine.stop('clean', { timeoutMs: 1_000 });
    await clock.sleep(150);
    expect(seen.count).toBe(0);
  });
});

describe('a start', () => {
  test.each([
    ['that ends at once', { command: shell('echo no license >&2; exit 3') }, /mailer did not start: it ended at once; it said: no license/],
    [
      'that is never well',
      { command: shell('echo thinking; sleep 60'), startTimeout: '400ms', health: { command: ['false'], interval: '50ms' } },
      /not well within 400 ms: the health command ended with 1; it said: thinking/,
    ],
  ])('%s fails, says why, and leaves nothing', async (_name, config, message) => {
    const engine = await openEngine(config);
    await expect(start(engine)).rejects.toThrow(
      expect.objectContaining({ code: 'ENGINE_NOT_STARTED', message: expect.stringMatching(message) as unknown }),
    );
    expect(await inspect(engine)).toMatchObject({ running: false, failure: { code: 'ENGINE_NOT_STARTED' } });
    expect(await readdir(stateDir)).not.toContain('pid');
  });

  test('that is given up leaves nothing', async () => {
    const engine = await openEngine({ command: ['sleep', '60'], health: { command: ['false'], interval: '50ms' } });
    const giveUp = new AbortController();
    const starting = engine.startPrimary({ acknowledge: null, signal: giveUp.signal });
    await expect.poll(async () => (await inspect(engine)).running).toBe(true);
    const { pid } = await inspect(engine);
    giveUp.abort(new Error('given up'));
    await expect(starting).rejects.toThrow('given up');
    expect(processes.inSession(pid!)).toEqual([]);
  });

  test('Safety: nothing runs once an immediate stop has returned, whenever it comes. Method: stops at all moments of a start.', async () => {
    const mark = join(stateDir, 'mark');
    const engine = await openEngine({ command: shell(`while :; do echo x >> ${mark}; done`) });
    for (let delayMs = 0; delayMs < 40; delayMs += 2) {
      const starting = start(engine).then(
        () => 'started',
        (error: { code: string }) => error.code,
      );
      await clock.sleep(delayMs);
      await engine.stop('immediate', { timeoutMs: 0 });
      const size = (await readFile(mark, 'utf8').catch(() => '')).length;
      expect(await starting).toMatch(/ENGINE_STOPPED|ENGINE_NOT_STARTED/);
      await clock.sleep(20);
      expect((await readFile(mark, 'utf8').catch(() => '')).length).toBe(size);
    }
  });

  test.each([
    ['a program that is not there', { command: ['/no/such/program'] }, /'\/no\/such\/program' of process\.command is not there/],
    ['a program that is not in PATH', { command: ['no-such-program'] }, /'no-such-program'/],
    [
      'a user that is not there',
      { command: ['sleep', '1'], user: 'no-such-user' },
      /no user 'no-such-user'|can not run mailer as no-such-user/,
    ],
  ])('is refused before anything is touched: %s', async (_name, config, message) => {
    await expect(openEngine(config)).rejects.toThrow(
      expect.objectContaining({ code: 'ENGINE_UNSUITABLE', message: expect.stringMatching(message) as unknown }),
    );
    expect(await readdir(stateDir)).toEqual([]);
  });

  test.skipIf(!isRoot)('takes on its user (needs root)', async () => {
    const health = { command: shell('[ "$(id -un)" = nobody ] && [ "$PWD" = / ]'), interval: '50ms' };
    const engine = await openEngine({ user: 'nobody', cwd: '/', command: shell('id -un; exec sleep 60'), health });
    await start(engine);
    await expect.poll(log).toBe('nobody\n');
  });
});

describe('a health check', () => {
  test('over HTTP decides when it has started, and when it has died', async () => {
    const port = await freePort();
    const health = { http: `http://127.0.0.1:${port}/health`, interval: '50ms', timeout: '500ms', failures: 3 };
    const engine = await openEngine({ command: server(port), health, listen: `127.0.0.1:${port}` });
    await start(engine);
    expect(await inspect(engine)).toMatchObject({ running: true, accepting: true });
    expect(engine.address).toEqual({ node: 'db1', host: '127.0.0.1', port });
    expect(await engine.reachable(engine.address, { timeoutMs: 1_000 })).toBe('answers');
    const seen = deaths(engine);
    const { pid } = await inspect(engine);
    await writeFile(join(stateDir, 'work', 'broken'), '');
    await expect.poll(() => seen.count, { timeout: 5_000 }).toBe(1);
    expect(processes.identify(pid!)).toBeUndefined();
    expect((await inspect(engine)).failure?.message).toMatch(/3 health checks in a row failed: http:.* answers 500/);
    expect(await engine.reachable(engine.address, { timeoutMs: 1_000 })).toBe('refused');
    expect(await engine.reachable({ node: 'x', host: 'x', port: 0 }, { timeoutMs: 1_000 })).toBe('silent');
  });

  test('over TCP notices a process that has stopped listening', async () => {
    const port = await freePort();
    const script = `const server = require('node:net').createServer().listen(${port}, '127.0.0.1'); setInterval(() => require('node:fs').existsSync('broken') && server.close(), 20);`;
    const engine = await openEngine({
      command: [process.execPath, '-e', script],
      health: { tcp: `127.0.0.1:${port}`, interval: '50ms', failures: 2 },
    });
    await start(engine);
    const seen = deaths(engine);
    await writeFile(join(stateDir, 'work', 'broken'), '');
    await expect.poll(() => seen.count, { timeout: 5_000 }).toBe(1);
    expect((await inspect(engine)).failure?.message).toMatch(/2 health checks in a row failed: it refuses connections/);
  });

  test('that hangs counts as failed, a few failures do not count', async () => {
    const script =
      'n=$(cat n 2>/dev/null || echo 0); echo $((n + 1)) > n; case $n in 1|2) exit 1;; esac; [ -e hang ] && exec sleep 60; exit 0';
    const engine = await openEngine({
      command: ['sleep', '60'],
      health: { command: shell(script), interval: '50ms', timeout: '200ms', failures: 3 },
    });
    await start(engine);
    const seen = deaths(engine);
    const count = (): number => Number(readFileSync(join(stateDir, 'work', 'n'), 'utf8'));
    await expect.poll(count).toBeGreaterThan(5);
    expect(seen.count).toBe(0);
    await writeFile(join(stateDir, 'work', 'hang'), '');
    await expect.poll(() => seen.count, { timeout: 5_000 }).toBe(1);
  });
});

describe('another agent', () => {
  test('adopts what the one before it left, and is told of its death', async () => {
    const config = { command: ['sleep', '60'] };
    const first = await openEngine(config);
    await start(first);
    const { pid } = await inspect(first);
    await first[Symbol.asyncDispose]();
    const second = await openEngine(config);
    expect((await inspect(second)).running).toBe(false);
    await second.adopt({ signal });
    expect(await inspect(second)).toMatchObject({ running: true, accepting: true, pid });
    const seen = deaths(second);
    process.kill(pid!, 'SIGKILL');
    await expect.poll(() => seen.count).toBe(1);
  });

  test('adopts nothing where nothing runs, and ends what a dead main process left', async () => {
    const config = { command: shell('(trap "" TERM; while :; do sleep 1; done) & while :; do sleep 1; done') };
    const first = await openEngine(config);
    await first.adopt({ signal });
    await start(first);
    const { pid } = await inspect(first);
    await first[Symbol.asyncDispose]();
    process.kill(pid!, 'SIGKILL');
    await expect.poll(() => processes.identify(pid!)).toBeUndefined();
    expect(processes.inSession(pid!).length).toBeGreaterThan(0);
    const second = await openEngine(config);
    await second.adopt({ signal });
    expect(processes.inSession(pid!)).toEqual([]);
    expect((await inspect(second)).running).toBe(false);
  });

  test.each([
    ['of another boot', (pid: number, ticks: number) => `${pid} ${ticks} 00000000-0000-0000-0000-000000000000\n`],
    [
      'of another process with that number',
      (pid: number, ticks: number) => `${pid} ${ticks - 1} ${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8')}`,
    ],
    ['that is nonsense', (pid: number) => `${pid}\n`],
  ])('does not take a record %s for its own', async (_name, record) => {
    const { identity } = await processes.startDetached('/bin/sleep', ['60'], {});
    try {
      await writeFile(join(stateDir, 'pid'), record(identity.pid, identity.startTicks));
      const engine = await openEngine({ command: ['sleep', '60'] });
      await engine.adopt({ signal });
      expect((await inspect(engine)).running).toBe(false);
      await engine.stop('immediate', { timeoutMs: 0 });
      expect(processes.isAlive(identity)).toBe(true);
    } finally {
      processes.kill(identity, 'SIGKILL');
    }
  });

  test('may be late: the guard ends the whole session at its deadline', async () => {
    const engine = await openEngine({ command: shell('(trap "" TERM; while :; do sleep 1; done) & while :; do sleep 1; done') });
    await using guard = await openGuard({ stateDir, target: engine.guardTarget() }, runtime);
    await guard.arm(clock.bootMs() + 1_000);
    await start(engine);
    const { pid } = await inspect(engine);
    await engine[Symbol.asyncDispose]();
    expect(processes.inSession(pid!).length).toBeGreaterThan(1);
    await expect.poll(() => processes.inSession(pid!), { timeout: 5_000 }).toEqual([]);
    await guard.end();
  });
});
