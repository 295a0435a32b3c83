import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, chownSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { silentLogger } from '../../core/logger.ts';
import type { ProcessIdentity } from '../../core/processes.ts';
import type { MachineRuntime } from '../../core/runtime.ts';
import type { GuardTarget } from '../../engine/engine.ts';
import { createClock, createProcesses, createRandom } from '../../runtime/index.ts';
import type { Fence } from '../fencing.ts';
import { guardScript, recordBytes } from './guard-script.ts';
import { GuardHome, type Strike } from './home.ts';
import { openGuard, renewShare, type GuardOptions } from './guard.ts';

const clock = createClock();
const processes = createProcesses();
const runtime: MachineRuntime = { clock, processes, random: createRandom(), logger: silentLogger };
const isRoot = userInfo().uid === 0;
const nobody = { uid: 65534, gid: 65534, name: 'nobody' };

let stateDir: string;
let data: string;
let target: GuardTarget;
let started: ProcessIdentity[];
let guards: Fence[];
let agents: ChildProcess[];
beforeEach(async () => {
  stateDir = await mkdtemp(join(tmpdir(), 'holdfast-guard-'));
  data = join(stateDir, 'data');
  mkdirSync(join(data, 'base'), { recursive: true });
  target = { by: 'directory', directory: data, mainPidFile: join(data, 'postmaster.pid') };
  [started, guards, agents] = [[], [], []];
});
afterEach(async () => {
  for (const agent of agents) agent.kill('SIGKILL');
  for (const guard of guards) {
    await guard.end();
    await guard[Symbol.asyncDispose]();
  }
  for (const identity of started) processes.kill(identity, 'SIGKILL');
  for (const identity of processes.withWorkingDirectory(stateDir)) processes.kill(identity, 'SIGKILL');
  await rm(stateDir, { recursive: true });
});

async function open(options: Partial<GuardOptions> = {}, on: MachineRuntime = runtime): Promise<Fence> {
  const guard = await openGuard({ stateDir, target, ...options }, on);
  guards.push(guard);
  return guard;
}

async function start(command: string, cwd: string, on: Parameters<typeof processes.startDetached>[2] = {}): Promise<ProcessIdentity> {
  const { identity } = await processes.startDetached('/bin/bash', ['-c', command], { cwd, ...on });
  started.push(identity);
  return identity;
}

/** A database of sorts: a main process with children that will not listen, one of them working deeper, one an orphan. */
async function startDatabase(): Promise<ProcessIdentity[]> {
  const stubborn = `trap '' TERM HUP INT; while :; do sleep 1; done`;
  const main = await start(`( cd base && ${stubborn} ) & setsid bash -c "${stubborn}" & ( bash -c "${stubborn}" & ) ; ${stubborn}`, data);
  await writeFile(join(data, 'postmaster.pid'), `${main.pid}\n${data}\n1700000000\n5432\n`);
  await expect.poll(() => members().length).toBeGreaterThanOrEqual(4);
  return [main];
}

function members(): ProcessIdentity[] {
  return processes.withWorkingDirectory(data);
}

function untilGone(): Promise<void> {
  return expect.poll(() => members(), { timeout: 5_000, interval: 5 }).toEqual([]);
}

/** The guard's own record of its kill, which comes after it. */
async function untilStrike(): Promise<Strike> {
  for (;;) {
    const strike = await new GuardHome(stateDir).takeStrike();
    if (strike !== undefined) return strike;
    await clock.sleep(5);
  }
}

/** Looks until just before `bootMs`; a look that took until then proves nothing, however loaded the machine is. */
async function expectAliveUntil(bootMs: number, look: () => readonly ProcessIdentity[] = members): Promise<void> {
  while (clock.bootMs() < bootMs) {
    const seen = look().length;
    if (clock.bootMs() < bootMs) expect(seen, `${bootMs - clock.bootMs()} ms before the deadline`).toBeGreaterThan(0);
    await clock.sleep(20);
  }
}

/** Another process that holds the guard, as an agent does: renews every 50 ms for 1.5 s ahead. */
async function startAgent(): Promise<{ agent: ChildProcess; lastDeadline: () => number }> {
  const log = join(stateDir, 'deadlines');
  const script = `
    import { appendFileSync } from 'node:fs';
    import { createClock, createProcesses, createRandom } from ${JSON.stringify(new URL('../../runtime/index.ts', import.meta.url).href)};
    import { openGuard } from ${JSON.stringify(new URL('./guard.ts', import.meta.url).href)};
    import { silentLogger } from ${JSON.stringify(new URL('../../core/logger.ts', import.meta.url).href)};
    const clock = createClock();
    const runtime = { clock, processes: createProcesses(), random: createRandom(), logger: silentLogger };
    const guard = await openGuard(${JSON.stringify({ stateDir, target })}, runtime);
    const next = () => { const deadline = clock.bootMs() + 1500; appendFileSync(${JSON.stringify(log)}, deadline + '\\n'); return deadline; };
    await guard.arm(next());
    process.stdout.write('armed\\n');
    for (;;) { await clock.sleep(50); guard.renew(next()); }`;
  const agent = spawn(process.execPath, ['--input-type=module-typescript', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  agents.push(agent);
  await once(agent.stdout, 'data');
  return { agent, lastDeadline: () => Number(readFileSync(log, 'utf8').trim().split('\n').at(-1)) };
}

describe('ends everything, at its deadline and not before,', () => {
  test('when nobody renews', async () => {
    await startDatabase();
    const guard = await open();
    const deadline = clock.bootMs() + 700;
    await guard.arm(deadline);
    await expectAliveUntil(deadline);
    await untilGone();
    expect(clock.bootMs()).toBeGreaterThanOrEqual(deadline);
  });

  test('and says what it did, once; then it goes on guarding', async () => {
    const guard = await open();
    await startDatabase();
    const first = clock.bootMs() + 100;
    await guard.arm(first);
    await untilGone();
    // Its record comes after its work.
    const strike = await untilStrike();
    expect(strike.deadlineBootMs).toBe(first);
    expect(strike.beganBootMs).toBeGreaterThanOrEqual(first);
    expect(strike.doneBootMs).toBeGreaterThanOrEqual(strike.beganBootMs);
    expect(strike.processes).toBeGreaterThanOrEqual(4);
    expect(await new GuardHome(stateDir).takeStrike()).toBeUndefined();
    const { pid } = guard;
    await startDatabase();
    await clock.sleep(200);
    expect(members().length, 'a new one is not touched').toBeGreaterThan(0);
    await guard.arm(clock.bootMs() + 100);
    await untilGone();
    expect(guard.pid).toBe(pid);
  });

  test('after renewals have ended', async () => {
    await startDatabase();
    const guard = await open();
    await guard.arm(clock.bootMs() + 1_500);
    let deadline = 0;
    for (let round = 0; round < 20; round += 1) {
      await clock.sleep(50);
      guard.renew((deadline = clock.bootMs() + 1_500));
    }
    await expectAliveUntil(deadline - 1_500 * renewShare);
    await untilGone();
    expect(clock.bootMs()).toBeGreaterThanOrEqual(deadline - 1_500 * renewShare);
  });

  test.each(['SIGKILL', 'SIGSTOP'] as const)('when its agent gets %s', async (signal) => {
    await startDatabase();
    const { agent, lastDeadline } = await startAgent();
    await clock.sleep(1_000);
    expect(members().length).toBeGreaterThan(0);
    agent.kill(signal);
    const last = lastDeadline();
    await untilGone();
    expect(clock.bootMs()).toBeLessThan(last + 5_000);
    const strike = await untilStrike();
    expect(strike.deadlineBootMs).toBeLessThanOrEqual(last + 100);
    expect(strike.deadlineBootMs).toBeGreaterThan(last - 600);
    expect(strike.beganBootMs).toBeGreaterThanOrEqual(strike.deadlineBootMs);
  });

  test('even what starts processes faster than one looks', async () => {
    const main = await start('while :; do sleep 30 & done', data);
    processes.kill(main, 'SIGSTOP');
    await writeFile(join(data, 'postmaster.pid'), `${main.pid}\n`);
    const guard = await open();
    await guard.arm('never');
    await guard.arm(clock.bootMs() + 300);
    processes.kill(main, 'SIGCONT');
    const { processes: ended } = await untilStrike();
    expect(ended).toBeGreaterThan(5);
    expect(members()).toEqual([]);
  });

  test('and confirms a new deadline only when nothing is left', async () => {
    await startDatabase();
    const guard = await open();
    await guard.arm(clock.bootMs());
    await guard.arm(clock.bootMs() + 60_000);
    expect(members()).toEqual([]);
  });
});

describe('ends nothing', () => {
  test('of a deadline that never comes', async () => {
    await startDatabase();
    const guard = await open();
    await guard.arm(clock.bootMs() + 200);
    await guard.arm('never');
    await clock.sleep(500);
    expect(members().length).toBeGreaterThan(0);
  });

  test('that a stale pid file names', async () => {
    const bystander = await start('exec sleep 60', stateDir);
    await writeFile(join(data, 'postmaster.pid'), `${bystander.pid}\n`);
    const member = await start('exec sleep 60', data);
    await (await open()).arm(clock.bootMs());
    await expect.poll(() => processes.isAlive(member)).toBe(false);
    await clock.sleep(100);
    expect(processes.isAlive(bystander)).toBe(true);
  });

  test('because of nonsense in the pipe', async () => {
    await startDatabase();
    const guard = await open();
    await guard.arm(clock.bootMs() + 60_000);
    const { pid } = guard;
    const control = join(stateDir, 'guard', 'control');
    const record = (text: string): string => `${text.padEnd(recordBytes - 1)}\n`;
    const stranger = 'f'.repeat(16);
    const nonsense = [
      '\n',
      'deadline 1\n',
      record(`${stranger} deadline 1 -`),
      record(`${stranger} end - -`),
      record(`${stranger} deadline 99999999999999999999 -`),
      record(`${stranger} deadline $(kill 1) -`),
      record('* * * *'),
      record(''),
      'x'.repeat(10_000),
      '\0'.repeat(64),
      '\xff'.repeat(64),
      'torn',
    ];
    for (const text of nonsense) appendFileSync(control, text, 'latin1');
    await clock.sleep(100);
    expect(members().length).toBeGreaterThan(0);
    await guard.arm(clock.bootMs() + 500);
    appendFileSync(control, 'torn again');
    await guard.arm(clock.bootMs() + 500);
    expect(guard.pid).toBe(pid);
    await untilGone();
  });

  test('because an agent that has let go of it comes back to it', async () => {
    const [main] = await startDatabase();
    const leaving = await open();
    await leaving.arm(clock.bootMs() + 60_000);
    await leaving[Symbol.asyncDispose]();
    const next = await open();
    await next.arm('never');
    // What it had begun before it left.
    await expect(leaving.arm(clock.bootMs())).rejects.toMatchObject({ code: 'GUARD_UNAVAILABLE' });
    await clock.sleep(300);
    expect(processes.isAlive(main!)).toBe(true);
  });

  test('because an agent that was replaced says so', async () => {
    await startDatabase();
    const old = await open();
    await old.arm(clock.bootMs() + 60_000);
    const { pid } = old;
    const successor = await open();
    expect(successor.pid).toBe(pid);
    await successor.arm(clock.bootMs() + 60_000);
    old.renew(clock.bootMs());
    await clock.sleep(200);
    expect(members().length).toBeGreaterThan(0);
    const deadline = clock.bootMs() + 200;
    await successor.arm(deadline);
    old.renew(clock.bootMs() + 60_000);
    await untilGone();
    await old.end();
    expect(successor.pid, 'nor can it end it').toBe(pid);
  });
});

describe('a session', () => {
  const sessionFile = (): string => join(stateDir, 'pid');
  beforeEach(() => void (target = { by: 'session', pidFile: sessionFile() }));

  test('is ended whole', async () => {
    const leader = await start('sleep 60 & (sleep 60 & sleep 60) & trap "" TERM; while :; do sleep 1; done', stateDir);
    await writeFile(sessionFile(), `${leader.pid} ${leader.startTicks}\n`);
    await expect.poll(() => processes.inSession(leader.pid).length).toBeGreaterThanOrEqual(5);
    const deadline = clock.bootMs() + 200;
    await (await open()).arm(deadline);
    await expectAliveUntil(deadline, () => processes.inSession(leader.pid));
    await expect.poll(() => processes.inSession(leader.pid)).toEqual([]);
    expect(clock.bootMs()).toBeGreaterThanOrEqual(deadline);
  });

  test('is ended when its leader has gone already', async () => {
    const leader = await start('sleep 60 & exit', stateDir);
    await writeFile(sessionFile(), `${leader.pid} ${leader.startTicks}\n`);
    await expect.poll(() => processes.inSession(leader.pid).length).toBe(1);
    started.push(...processes.inSession(leader.pid));
    await (await open()).arm(clock.bootMs());
    await expect.poll(() => processes.inSession(leader.pid)).toEqual([]);
  });

  test('of another process that got the number is not touched', async () => {
    const other = await start('exec sleep 60', stateDir);
    await writeFile(sessionFile(), `${other.pid} ${other.startTicks - 100}\n`);
    await (await open()).arm(clock.bootMs());
    await clock.sleep(200);
    expect(processes.isAlive(other)).toBe(true);
  });
});

describe('the agent', () => {
  test('finds the guard that another left, with its deadline', async () => {
    await startDatabase();
    const first = await open();
    const deadline = clock.bootMs() + 600;
    await first.arm(deadline);
    const { pid } = first;
    await first[Symbol.asyncDispose]();
    const second = await open();
    expect(second.pid).toBe(pid);
    await expectAliveUntil(deadline);
    await untilGone();
  });

  test('is told of a kill once, be it this one or the next', async () => {
    const strikes: Strike[] = [];
    const onStrike = (strike: Strike) => void strikes.push(strike);
    const guard = await open({ onStrike });
    const first = clock.bootMs();
    await guard.arm(first);
    await expect.poll(async () => (await guard.arm('never'), strikes.map((strike) => strike.deadlineBootMs))).toEqual([first]);
    const second = clock.bootMs() + 300;
    await guard.arm(second);
    await expect
      .poll(() => readFileSync(join(stateDir, 'guard', 'guard.log'), 'latin1'), { timeout: 5_000 })
      .toContain(`deadline ${second},`);
    await open({ onStrike });
    await guard.end();
    expect(strikes.map((strike) => strike.deadlineBootMs)).toEqual([first, second]);
  });

  test('finds none, and starts none, as long as nothing is to be guarded', async () => {
    const guard = await open();
    expect(guard.pid).toBeUndefined();
    await guard.end();
    expect(
      processes.identify(Number((await readFile(join(stateDir, 'guard', 'identity'), 'utf8').catch(() => '0')).split(' ')[0])),
    ).toBeUndefined();
  });

  test('replaces a guard that was killed, at its next renewal', async () => {
    await startDatabase();
    const guard = await open();
    await guard.arm(clock.bootMs() + 60_000);
    const { pid } = guard;
    process.kill(pid!, 'SIGKILL');
    await expect.poll(() => guard.pid).toBeUndefined();
    guard.renew(clock.bootMs() + 60_000);
    await expect.poll(() => guard.pid).toBeGreaterThan(0);
    expect(guard.pid).not.toBe(pid);
    const deadline = clock.bootMs() + 300;
    await expect.poll(() => (guard.renew(deadline), members())).toEqual([]);
    expect(clock.bootMs()).toBeGreaterThanOrEqual(deadline);
  });

  test('replaces a guard that is stalled, whether it arms or renews', async () => {
    const guard = await open();
    await guard.arm(clock.bootMs() + 60_000);
    const stalled = guard.pid!;
    process.kill(stalled, 'SIGSTOP');
    await guard.arm(clock.bootMs() + 60_000);
    expect(guard.pid).not.toBe(stalled);
    expect(processes.identify(stalled)).toBeUndefined();
    const again = guard.pid!;
    process.kill(again, 'SIGSTOP');
    await expect.poll(() => (guard.renew(clock.bootMs() + 60_000), processes.identify(again)), { timeout: 6_000 }).toBeUndefined();
    await expect.poll(() => guard.pid, { timeout: 6_000 }).toBeGreaterThan(0);
  });

  test('replaces one that it finds stalled', async () => {
    const first = await open();
    await first.arm(clock.bootMs() + 60_000);
    const stalled = first.pid!;
    process.kill(stalled, 'SIGSTOP');
    const second = await open();
    expect(second.pid).toBeUndefined();
    await second.arm('never');
    expect(second.pid).toBeGreaterThan(0);
    expect(processes.identify(stalled)).toBeUndefined();
  });

  test('ends it when the database is stopped; ending twice is no matter', async () => {
    const guard = await open();
    await guard.arm(clock.bootMs() + 60_000);
    const pid = guard.pid!;
    await guard.end();
    expect(processes.identify(pid)).toBeUndefined();
    await guard.end();
    await guard.arm('never');
    expect(guard.pid).toBeGreaterThan(0);
  });

  test('starts no other by a renewal that comes after the end, only by arming', async () => {
    let starts = 0;
    const startDetached: typeof processes.startDetached = (...args) => {
      starts += 1;
      return processes.startDetached(...args);
    };
    const guard = await open({}, { ...runtime, processes: { ...processes, startDetached } });
    await guard.arm('never');
    const ending = guard.end();
    guard.renew(clock.bootMs() + 60_000);
    await ending;
    guard.renew(clock.bootMs() + 60_000);
    // Comes after all that the renewal began.
    await guard.end();
    expect(starts).toBe(1);
    await guard.arm('never');
    expect(starts).toBe(2);
    expect(guard.pid).toBeGreaterThan(0);
  });

  test('says clearly when there can be no guard', async () => {
    const noBash: MachineRuntime = {
      ...runtime,
      processes: { ...processes, startDetached: (_binary, args, options) => processes.startDetached('/no/such/bash', args, options) },
    };
    const guard = await open({}, noBash);
    await expect(guard.arm('never')).rejects.toThrow(
      expect.objectContaining({ code: 'GUARD_UNAVAILABLE', hint: expect.stringContaining('bash') as unknown }),
    );
    writeFileSync(join(stateDir, 'file'), '');
    await expect(openGuard({ stateDir: join(stateDir, 'file'), target }, runtime)).rejects.toThrow(
      expect.objectContaining({ code: 'GUARD_UNAVAILABLE' }),
    );
  });
});

describe('the guard itself', () => {
  test('ends when nobody can reach it any more, but not while it has a deadline', async () => {
    await startDatabase();
    const guard = await open();
    await guard.arm(clock.bootMs() + 500);
    const pid = guard.pid!;
    rmSync(join(stateDir, 'guard'), { recursive: true });
    await clock.sleep(200);
    expect(processes.identify(pid)).toBeDefined();
    await untilGone();
    await expect.poll(() => processes.identify(pid), { timeout: 7_000 }).toBeUndefined();
  });

  test('pets a watchdog, and takes its leave of it', async () => {
    const watchdog = join(stateDir, 'watchdog');
    const guard = await open({ watchdog });
    await guard.arm('never');
    await expect.poll(() => readFileSync(watchdog, 'utf8'), { timeout: 5_000 }).toMatch(/^\.{2,}$/);
    await guard.end();
    expect(readFileSync(watchdog, 'utf8')).toMatch(/^\.+V$/);
  });

  test('goes on without a watchdog that it can not open', async () => {
    const guard = await open({ watchdog: '/no/such/watchdog' });
    await guard.arm('never');
    expect(await readFile(join(stateDir, 'guard', 'guard.log'), 'utf8')).toContain('can not open the watchdog /no/such/watchdog');
  });

  test('needs no other program, from its start to its kill', async () => {
    expect(guardScript.replaceAll(/^ *#.*$/gm, '')).not.toMatch(/\$\((?!\()|`|<<</);
    const empty: MachineRuntime = {
      ...runtime,
      processes: {
        ...processes,
        startDetached: (_binary, args, options) =>
          processes.startDetached('/bin/bash', args, { ...options, env: { PATH: '/nonexistent' } }),
      },
    };
    await startDatabase();
    const guard = await open({}, empty);
    await guard.arm(clock.bootMs() + 100);
    await untilGone();
    await untilStrike();
    expect(await readFile(join(stateDir, 'guard', 'guard.log'), 'utf8')).toMatch(/^struck: [^\n]*\n$/);
  });

  test.skipIf(!isRoot)('works for an unprivileged agent (needs root)', async () => {
    mkdirSync(join(stateDir, 'guard'), { mode: 0o700 });
    for (const path of [stateDir, join(stateDir, 'guard'), data]) chownSync(path, nobody.uid, nobody.gid);
    const as: MachineRuntime = {
      ...runtime,
      processes: {
        ...processes,
        run: (binary, args, options) => processes.run(binary, args, { ...options, account: nobody, cwd: '/' }),
        startDetached: (binary, args, options) => processes.startDetached(binary, args, { ...options, account: nobody }),
      },
    };
    const mine = await start('sleep 60 & wait', data, { account: nobody });
    await writeFile(join(data, 'postmaster.pid'), `${mine.pid}\n`);
    // Bash reads its script as that user.
    const guard = await open(
      {},
      {
        ...as,
        processes: {
          ...as.processes,
          startDetached: (binary, args, options) => (
            chownSync(join(stateDir, 'guard', 'guard.sh'), nobody.uid, nobody.gid),
            as.processes.startDetached(binary, args, options)
          ),
        },
      },
    );
    await guard.arm(clock.bootMs() + 100);
    await untilGone();
  });
});
