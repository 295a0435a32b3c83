import { writeFile } from 'node:fs/promises';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { campaign, type Leader, observeLeader } from '../../src/coordination/election.ts';
import { openStore } from '../../src/coordination/registry.ts';
import type { CoordinationStore } from '../../src/coordination/store.ts';
import { silentLogger } from '../../src/core/logger.ts';
import { childrenOf, clock, HeldCommands, type Running } from './held-command.ts';

const runtime = { clock, random: { next: () => 0.5 }, logger: silentLogger };
const ttlMs = 3_000;
const lock = ['lock', 'demo', '--ttl', '3s'];
const elect = ['elect', 'demo', '--ttl', '3s'];

let commands: HeldCommands;
beforeEach(async () => {
  commands = await HeldCommands.open();
});
afterEach(() => commands[Symbol.asyncDispose]());

/** Writes its token to a file, again and again. */
const acting = (file: string, before = ':'): string => `${before}; while :; do echo "$HOLDFAST_TOKEN" >> ${file}; sleep 0.02; done`;

const openHere = (): Promise<CoordinationStore> => openStore({ embedded: commands.store }, runtime);

/** The tokens in a file; a lower one after a higher one would be the act of somebody who no longer holds. */
async function tokensInOrder(file: string): Promise<bigint[]> {
  const tokens = (await commands.lines(file)).map(BigInt);
  expect(tokens).toEqual(tokens.toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0)));
  return [...new Set(tokens)];
}

async function until(what: string, condition: () => boolean | Promise<boolean>, limitMs = 30_000): Promise<void> {
  const deadlineMs = clock.monotonicMs() + limitMs;
  while (!(await condition())) {
    if (clock.monotonicMs() > deadlineMs) throw new Error(`${what}: not within ${limitMs} ms`);
    await clock.sleep(10);
  }
}

/** Until somebody stands in line for the lock behind its holder. */
async function untilWaiting(store: CoordinationStore, count: number, queue = 'locks/demo'): Promise<void> {
  await until(`${count} in line`, async () => (await store.queue(queue)).length === count);
}

function signal(pid: number | undefined, name: NodeJS.Signals): void {
  process.kill(pid!, name);
}

describe('holdfast lock runs a command', () => {
  it('with our input and output, its token and name, and ends as it ends', async () => {
    const first = commands.start(lock, 'read line; echo "$line $HOLDFAST_NAME"; echo "$HOLDFAST_TOKEN" >&2; exit 7');
    first.process.stdin!.end('hello\n');
    const { code, stdout, stderr } = await first.finished;
    expect({ code, stdout }).toEqual({ code: 7, stdout: 'hello demo\n' });
    const second = await commands.start(lock, 'echo "$HOLDFAST_TOKEN"; kill -KILL $$').finished;
    expect(second.code).toBe(128 + 9);
    expect(BigInt(second.stdout)).toBeGreaterThan(BigInt(stderr));
    expect(commands.working()).toEqual([]);
  });

  it('or says why not: missing, not executable', async () => {
    const coordination = ['--coordination', `embedded:${commands.store}`];
    expect(await commands.run([...lock, ...coordination, '--', '/no/such/program']).finished).toMatchObject({ code: 127 });
    await writeFile(commands.path('data'), 'no program', { mode: 0o644 });
    expect(await commands.run([...lock, ...coordination, '--', commands.path('data')]).finished).toMatchObject({ code: 126 });
    expect(await commands.start([...lock, '--wait', '0s'], 'exit 0').finished, 'the lock is free again').toMatchObject({ code: 0 });
  });

  it('not at all when the lock is not free in time: exit code 1, nothing left in line', async () => {
    await using store = await openHere();
    const holder = commands.start(lock, 'echo held >> held; sleep 60');
    await commands.untilLines('held', 1);
    const began = clock.monotonicMs();
    const [now, later] = await Promise.all([
      commands.start([...lock, '--wait', '0s'], 'echo no >> ran').finished,
      commands.start([...lock, '--wait', '500ms'], 'echo no >> ran').finished,
    ]);
    expect(clock.monotonicMs() - began).toBeGreaterThan(500);
    for (const { code, stderr } of [now, later])
      expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining('COORD_LOCK_TIMEOUT') });
    expect(await commands.lines('ran')).toEqual([]);
    expect(await store.queue('locks/demo')).toHaveLength(1);
    signal(holder.process.pid, 'SIGTERM');
    expect((await holder.finished).code).toBe(128 + 15);
    expect(await store.queue('locks/demo')).toEqual([]);
  });

  it('and stops what it leaves behind before the lock is free, other process groups too', async () => {
    const { code } = await commands.start(lock, `set -m; (trap '' TERM; ${acting('acts')}) & sleep 0.5; exit 3`).finished;
    expect(code).toBe(3);
    const count = (await commands.lines('acts')).length;
    expect(count).toBeGreaterThan(0);
    await clock.sleep(200);
    expect(await commands.lines('acts')).toHaveLength(count);
  });
});

describe('signals', () => {
  it('go to the command, which decides', async () => {
    const script = `trap 'echo usr1 >> seen' USR1; trap 'echo hup >> seen' HUP; trap 'exit 5' INT; echo ready >> seen; while :; do sleep 0.05; done`;
    const running = commands.start(lock, script);
    await commands.untilLines('seen', 1);
    signal(running.process.pid, 'SIGUSR1');
    await commands.untilLines('seen', 2);
    signal(running.process.pid, 'SIGHUP');
    expect(await commands.untilLines('seen', 3)).toEqual(['ready', 'usr1', 'hup']);
    signal(running.process.pid, 'SIGINT');
    expect((await running.finished).code).toBe(5);
  });

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const)('%s ends the waiting, with exit code %d', async (name, code) => {
    await using store = await openHere();
    const holder = commands.start(lock, 'echo held >> held; sleep 60');
    await commands.untilLines('held', 1);
    const waiter = commands.start(lock, 'echo no >> ran');
    await untilWaiting(store, 2);
    signal(waiter.process.pid, 'SIGUSR1');
    await clock.sleep(100);
    signal(waiter.process.pid, name);
    expect((await waiter.finished).code).toBe(code);
    expect(await store.queue('locks/demo')).toHaveLength(1);
    expect(await commands.lines('ran')).toEqual([]);
    signal(holder.process.pid, 'SIGTERM');
    await holder.finished;
  });
});

describe('a holder in trouble: its command has stopped before anybody else acts', () => {
  /** Two contenders: the first acts, the second stands in line. */
  async function contend(store: CoordinationStore, before = ':'): Promise<{ first: Running; second: Running }> {
    const first = commands.start(lock, acting('acts', before));
    await commands.untilLines('acts', 5);
    const second = commands.start(lock, acting('acts'));
    await untilWaiting(store, 2);
    return { first, second };
  }

  async function untilHandedOver(): Promise<void> {
    await until('the second acts', async () => new Set(await commands.lines('acts')).size === 2);
    await clock.sleep(300);
  }

  it.each([
    ['that stops when asked', ':'],
    ['that will not stop', `trap '' TERM INT HUP`],
  ])('killed (SIGKILL), with a command %s', async (_, before) => {
    await using store = await openHere();
    const { first, second } = await contend(store, before);
    signal(first.process.pid, 'SIGKILL');
    await untilHandedOver();
    expect(await tokensInOrder('acts')).toHaveLength(2);
    signal(second.process.pid, 'SIGTERM');
    await second.finished;
    await until('nothing works any more', () => commands.working().length === 0);
  });

  it('stopped (SIGSTOP) beyond its TTL: and when it goes on, it sees that it has lost', async () => {
    await using store = await openHere();
    const { first, second } = await contend(store, `trap '' TERM`);
    signal(first.process.pid, 'SIGSTOP');
    await untilHandedOver();
    expect(await tokensInOrder('acts')).toHaveLength(2);
    signal(first.process.pid, 'SIGCONT');
    expect(await first.finished).toMatchObject({ code: 75, stderr: expect.stringContaining('could not be kept') });
    await clock.sleep(200);
    expect(await tokensInOrder('acts')).toHaveLength(2);
    signal(second.process.pid, 'SIGTERM');
    await second.finished;
  });

  it('stopped together with its watchdog: the token betrays its acts, and it ends them as soon as it goes on', async () => {
    await using store = await openHere();
    const { first, second } = await contend(store, `trap '' TERM`);
    const { watchdog } = childrenOf(first);
    for (const pid of [watchdog, first.process.pid]) signal(pid, 'SIGSTOP');
    await untilHandedOver();
    // Both act now. Whoever checks tokens takes only the acts of the second.
    const tokens = (await commands.lines('acts')).map(BigInt);
    let highest = 0n;
    const taken = tokens.filter((token) => token >= highest && ((highest = token), true));
    expect(new Set(taken).size).toBe(2);
    expect(taken.length, 'the stalled one did act').toBeLessThan(tokens.length);
    for (const pid of [first.process.pid, watchdog]) signal(pid, 'SIGCONT');
    expect((await first.finished).code).toBe(75);
    const late = (await commands.lines('acts')).length;
    await clock.sleep(300);
    expect(new Set((await commands.lines('acts')).slice(late)).size, 'only the second acts').toBe(1);
    signal(second.process.pid, 'SIGTERM');
    await second.finished;
  });

  it('that can not renew, because the store does not answer: asked first, killed before the end, exit code 75', async () => {
    await using store = await openHere();
    const { first, second } = await contend(store, `trap 'echo asked >> asked' TERM`);
    using peer = new DatabaseSync(commands.store, { timeout: 5_000 });
    peer.exec('begin immediate');
    const { code, stderr } = await first.finished;
    expect({ code, stderr }).toEqual({ code: 75, stderr: expect.stringContaining('could not be kept') });
    expect(await commands.lines('asked')).toEqual(['asked']);
    peer.exec('rollback');
    await untilHandedOver();
    expect(await tokensInOrder('acts')).toHaveLength(2);
    signal(second.process.pid, 'SIGTERM');
    await second.finished;
  });

  it('whose session was ended by others: killed at once', async () => {
    await using store = await openHere();
    const { first, second } = await contend(store, `trap '' TERM`);
    using peer = new DatabaseSync(commands.store, { timeout: 5_000 });
    peer.exec('begin immediate; delete from session where id = (select session from place order by number limit 1); commit');
    expect((await first.finished).code).toBe(75);
    await untilHandedOver();
    signal(second.process.pid, 'SIGTERM');
    await second.finished;
  });

  it('is released late, but ends, when the store is away at the end', async () => {
    const holder = commands.start(lock, 'echo held >> held; read line; exit 4');
    await commands.untilLines('held', 1);
    using peer = new DatabaseSync(commands.store, { timeout: 5_000 });
    peer.exec('begin immediate');
    holder.process.stdin!.end('go on\n');
    const { code, stderr } = await holder.finished;
    peer.exec('rollback');
    expect({ code, stderr }).toEqual({ code: 4, stderr: expect.stringContaining('free only after its TTL') });
    expect(await commands.start([...lock, '--wait', '20s'], 'exit 0').finished).toMatchObject({ code: 0 });
  });
});

describe('wrong usage is refused with exit code 2', () => {
  it.each([
    ['no command', ['lock', 'demo', '--coordination', 'embedded:x']],
    ['no such kind of store', ['lock', 'demo', '--coordination', 'redis:x', '--', 'true']],
    ['an address that is none', ['lock', 'demo', '--coordination', 'zookeeper:here', '--', 'true']],
    ['a name that is none', ['lock', '../demo', '--coordination', 'embedded:x', '--', 'true']],
    ['a TTL too short', ['lock', 'demo', '--ttl', '20ms', '--coordination', 'embedded:x', '--', 'true']],
    ['a TTL that is none', ['elect', 'demo', '--ttl', 'soon', '--coordination', 'embedded:x', '--', 'true']],
    ['a grace that is too long', ['elect', 'demo', '--ttl', '2s', '--grace', '2s', '--coordination', 'embedded:x', '--', 'true']],
    ['two stores', ['lock', 'demo', '--coordination', 'embedded:x', '--config', 'holdfast.yaml', '--', 'true']],
    ['no configuration', ['lock', 'demo', '--config', 'missing.yaml', '--', 'true']],
  ])('%s', async (_, args) => {
    const { code, stderr } = await commands.run(args).finished;
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringMatching(/^error: .+\nhint: .+/s) });
  });
});

it('takes the store from a configuration', async () => {
  await writeFile(
    commands.path('holdfast.yaml'),
    // This user may not see the node's key, and need not.
    'cluster: shop\nnode: { name: db1, listen: 127.0.0.1:7400 }\nsecurity: { ca: a.pem, cert: b.pem, key: c.key }\ncoordination: { embedded: store.db }\n',
    { mode: 0o600 },
  );
  const { code, stdout, stderr } = await commands.run([...lock, '--', 'sh', '-c', 'echo $HOLDFAST_TOKEN']).finished;
  expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: '1\n', stderr: '' });
  expect(await commands.start(lock, 'echo $HOLDFAST_TOKEN').finished).toMatchObject({ stdout: '2\n' });
});

describe('holdfast elect', () => {
  it('leads one after the other, and everybody can see who', async () => {
    await using store = await openHere();
    const abort = new AbortController();
    const seen: (Leader | undefined)[] = [];
    const observing = (async () => {
      for await (const leader of observeLeader(store, 'demo', { signal: abort.signal })) seen.push(leader);
    })();
    const first = commands.start([...elect, '--value', 'first'], acting('acts'));
    await commands.untilLines('acts', 3);
    const second = commands.start([...elect, '--value', 'second'], `echo done >> done; exit 6`);
    await untilWaiting(store, 2, 'elections/demo');
    signal(first.process.pid, 'SIGTERM');
    expect((await first.finished).code).toBe(128 + 15);
    expect((await second.finished).code, 'it ends with its command').toBe(6);
    await until('nobody leads', () => seen.length > 2 && seen.at(-1) === undefined);
    abort.abort();
    await observing;
    expect(seen.flatMap((leader) => leader?.value ?? [])).toEqual(['first', 'second']);
  });

  it('stands again when the leadership was lost, and ends with a signal', async () => {
    await using store = await openHere();
    const candidate = commands.start(elect, acting('acts'));
    await commands.untilLines('acts', 3);
    {
      using peer = new DatabaseSync(commands.store, { timeout: 5_000 });
      peer.exec('begin immediate; delete from session; delete from place; delete from entry; commit');
    }
    await until('it leads again', async () => new Set(await commands.lines('acts')).size === 2);
    expect(await tokensInOrder('acts')).toHaveLength(2);
    expect(await store.queue('elections/demo')).toHaveLength(1);
    signal(candidate.process.pid, 'SIGTERM');
    expect((await candidate.finished).code).toBe(128 + 15);
  });

  it('stands again when its command has ended, with --restart', async () => {
    const candidate = commands.start([...elect, '--restart'], 'echo "$HOLDFAST_TOKEN" >> runs; exit 1');
    const runs = await commands.untilLines('runs', 3);
    expect(new Set(runs).size).toBe(3);
    signal(candidate.process.pid, 'SIGINT');
    // Its command may be ending by itself in that very moment.
    expect([1, 128 + 2]).toContain((await candidate.finished).code);
    await using store = await openHere();
    await using _ = await campaign(store, 'demo', runtime, { value: 'next', waitMs: 0, ttlMs });
  });
});
