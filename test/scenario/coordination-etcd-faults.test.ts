import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { configSchema, type EtcdConfig } from '../../src/coordination/adapters/etcd/config.ts';
import type { EtcdStore } from '../../src/coordination/adapters/etcd/etcd-store.ts';
import { inspectStore, open } from '../../src/coordination/adapters/etcd/index.ts';
import type { CoordinationStore, Session, WatchEvent } from '../../src/coordination/store.ts';
import { Secret } from '../../src/core/secret.ts';
import { silentLogger } from '../../src/core/logger.ts';
import { createClock, createRandom } from '../../src/runtime/index.ts';
import { CutProxy, type Way } from './servers/cut-proxy.ts';
import { EtcdCluster, hasEtcd, type EtcdOptions } from './servers/etcd.ts';

const clock = createClock();
const runtime = { clock, random: createRandom(), logger: silentLogger };
const never = new AbortController().signal;
const ttlMs = 2_000;
const secret = (value: string): Secret => new Secret({ from: 'environment', name: 'X' }, value);

let names = 0;
const freshName = (): string => `f${++names}`;

function config(endpoints: readonly string[], options: Partial<EtcdConfig> = {}): EtcdConfig {
  return { ...configSchema.parse({ endpoints }), ...options };
}

/** Waits until it holds; the test's own time limit ends a wait for ever. */
async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await clock.sleep(20);
}

/** Repeats what may be repeated while the store is away. */
async function patiently<T>(call: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if ((error as { code?: string }).code !== 'COORD_UNREACHABLE') throw error;
    }
  }
}

/** What is shared by the tests of one kind of cluster. */
function cluster(options: EtcdOptions): { readonly etcd: EtcdCluster } {
  const held: { etcd?: EtcdCluster } = {};
  beforeAll(async () => {
    held.etcd = await EtcdCluster.start(clock, options);
  });
  afterAll(() => held.etcd?.[Symbol.asyncDispose]());
  return {
    get etcd() {
      return held.etcd!;
    },
  };
}

/** A client of one member through a relay. */
async function openThrough(
  stack: AsyncDisposableStack,
  etcd: EtcdCluster,
  options: Partial<EtcdConfig> = {},
): Promise<{ relay: CutProxy; store: EtcdStore }> {
  const relay = stack.use(await CutProxy.open({ port: etcd.members[0]!.port }, clock));
  const store = stack.use(await open(config([`http://127.0.0.1:${relay.port}`], options), runtime));
  return { relay, store };
}

describe.runIf(hasEtcd())('etcd of one member', () => {
  const shared = cluster({});

  // Of these each has a link, clients and names of its own, and mostly waits.
  it.concurrent.each<[string, (relay: CutProxy) => void | Promise<void>]>([
    ['both ways, silently', (relay) => relay.hang('both')],
    ['on the way there', (relay) => relay.hang('to-server')],
    ['on the way back', (relay) => relay.hang('to-client')],
    ['loudly', (relay) => relay.cut()],
  ])('a holder whose link is cut %s has given up before a rival gets its place', async (_, cut) => {
    await using stack = new AsyncDisposableStack();
    const { relay, store } = await openThrough(stack, shared.etcd);
    const rival = stack.use(await open(config(shared.etcd.endpoints), runtime));
    const session = stack.use(await store.openSession({ ttlMs, name: 'holder' }));
    const queue = freshName();
    const held = await store.enqueue(queue, 'write', session);
    const heir = stack.use(await rival.openSession({ ttlMs, name: 'rival' }));
    const next = await rival.enqueue(queue, 'write', heir);
    let lostMs = Number.NaN;
    session.signal.addEventListener('abort', () => (lostMs = clock.monotonicMs()));
    await cut(relay);
    await rival.untilGone(held, { signal: never });
    const freeMs = clock.monotonicMs();
    expect(session.state).toBe('lost');
    expect(lostMs).toBeLessThan(freeMs);
    expect((await rival.queue(queue)).map(({ order }) => order)).toEqual([next.order]);
    expect(next.token).toBeGreaterThan(held.token);
    await relay.restore();
  });

  it.concurrent.each<[string, (relay: CutProxy) => void | Promise<void>]>([
    ['that is refused', (relay) => relay.cut()],
    ['that hangs', (relay) => relay.hang()],
    ['that is reset again and again', (relay) => relay.reset()],
  ])('a session lives on through a short break of the link %s', async (_, cut) => {
    await using stack = new AsyncDisposableStack();
    const { relay, store } = await openThrough(stack, shared.etcd);
    const session = stack.use(await store.openSession({ ttlMs: 6_000, name: 'holder' }));
    for (let round = 0; round < 3; round += 1) {
      await cut(relay);
      await clock.sleep(1_200);
      await relay.restore();
      const before = session.validUntilMs;
      await until(() => session.validUntilMs > before + 50);
    }
    expect(session.state).toBe('live');
    expect(await store.isSessionAlive(session.id)).toBe(true);
  });

  it('a session lives through a quick restart of the server, and both agree that it does', async () => {
    await using stack = new AsyncDisposableStack();
    const store = stack.use(await open(config(shared.etcd.endpoints), runtime));
    const session = stack.use(await store.openSession({ ttlMs: 10_000, name: 'holder' }));
    const before = session.validUntilMs;
    await shared.etcd.members[0]!.restart();
    await until(() => session.validUntilMs > before + 500);
    expect(session.state).toBe('live');
    expect(await store.isSessionAlive(session.id)).toBe(true);
  });

  it('an entry whose answer was lost finds its own place again, and takes no second one', async () => {
    await using stack = new AsyncDisposableStack();
    const { relay, store } = await openThrough(stack, shared.etcd);
    const witness = stack.use(await open(config(shared.etcd.endpoints), runtime));
    const session = stack.use(await store.openSession({ ttlMs: 20_000, name: 'holder' }));
    const queue = freshName();
    relay.hang('to-client');
    const entering = store.enqueue(queue, 'write', session);
    await until(async () => (await witness.queue(queue)).length === 1);
    relay.reset();
    await relay.restore();
    const ticket = await entering;
    const { token: _, ...shown } = ticket;
    expect(await witness.queue(queue)).toEqual([shown]);
    const after = await store.enqueue(queue, 'write', session);
    expect(after.order).toBeGreaterThan(ticket.order);
  });

  it('an entry that never arrived is made once, after the link is back', async () => {
    await using stack = new AsyncDisposableStack();
    const { relay, store } = await openThrough(stack, shared.etcd);
    const session = stack.use(await store.openSession({ ttlMs: 20_000, name: 'holder' }));
    const queue = freshName();
    relay.hang('to-server');
    const entering = store.enqueue(queue, 'write', session);
    await clock.sleep(300);
    relay.reset();
    await relay.restore();
    const ticket = await entering;
    expect((await store.queue(queue)).map(({ order }) => order)).toEqual([ticket.order]);
  });

  it('an entry that nobody waits for any more leaves nothing, though its request arrives late', async () => {
    await using stack = new AsyncDisposableStack();
    const { relay, store } = await openThrough(stack, shared.etcd);
    const witness = stack.use(await open(config(shared.etcd.endpoints), runtime));
    const session = stack.use(await store.openSession({ ttlMs: 20_000, name: 'holder' }));
    const queue = freshName();
    for (const way of ['to-server', 'to-client'] satisfies Way[]) {
      relay.hang(way);
      const abort = new AbortController();
      const entering = store.enqueue(queue, 'write', session, { signal: abort.signal });
      await clock.sleep(100);
      abort.abort(new Error('not wanted any more'));
      await expect(entering).rejects.toThrow('not wanted any more');
      // Not reset: what was held back arrives now, entry and clearing in whatever order.
      await relay.restore();
      await until(async () => (await witness.queue(queue)).length === 0);
      const ticket = await patiently(() => store.enqueue(queue, 'write', session));
      expect((await witness.queue(queue)).map(({ order }) => order)).toEqual([ticket.order]);
      await store.leave(ticket);
    }
    await clock.sleep(1_500);
    expect(await witness.queue(queue)).toEqual([]);
  });

  it('a lease that an operator revokes ends the session, soon and for good', async () => {
    await using stack = new AsyncDisposableStack();
    const store = stack.use(await open(config(shared.etcd.endpoints), runtime));
    const session = await store.openSession({ ttlMs, name: 'holder' });
    await store.swap(freshName(), 'x', 'absent', { session });
    await shared.etcd.etcdctl('lease', 'revoke', session.id.slice(0, 16));
    await expect(store.enqueue(freshName(), 'write', session)).rejects.toMatchObject({ code: 'COORD_SESSION_LOST' });
    expect(session.signal.aborted).toBe(true);
    const other = await store.openSession({ ttlMs, name: 'another' });
    await shared.etcd.etcdctl('lease', 'revoke', other.id.slice(0, 16));
    const validUntilMs = other.validUntilMs;
    await until(() => other.signal.aborted);
    expect(clock.monotonicMs(), 'it heard of it, and did not only run out').toBeLessThan(validUntilMs);
    expect(await store.isSessionAlive(other.id)).toBe(false);
  });

  it('a session key that is deleted ends the session, though its lease lives on', async () => {
    await using store = await open(config(shared.etcd.endpoints), runtime);
    const session = await store.openSession({ ttlMs, name: 'holder' });
    await shared.etcd.etcdctl('del', `/holdfast/sessions/${session.id}`);
    await until(() => session.signal.aborted);
    expect(await store.isSessionAlive(session.id)).toBe(false);
  });

  it('a process that was stopped beyond its TTL does not act when it goes on', async () => {
    await using stack = new AsyncDisposableStack();
    const store = stack.use(await open(config(shared.etcd.endpoints), runtime));
    const queue = freshName();
    const child = spawn(
      process.execPath,
      [fileURLToPath(new URL('./servers/etcd-holder.ts', import.meta.url)), shared.etcd.endpoints[0]!, queue],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    stack.defer(() => void child.kill('SIGKILL'));
    const said: { held?: string; acts?: number; lost?: string }[] = [];
    createInterface(child.stdout).on('line', (line) => said.push(JSON.parse(line) as object));
    await until(() => (said.at(-1)?.acts ?? 0) > 50);
    const [place] = await store.queue(queue);
    expect(String(place!.order)).toBe(said[0]!.held);
    child.kill('SIGSTOP');
    await store.untilGone(place!, { signal: never });
    await using rival = await store.openSession({ ttlMs, name: 'rival' });
    expect((await store.enqueue(queue, 'write', rival)).token).toBeGreaterThan(place!.order);
    const acts = said.length;
    child.kill('SIGCONT');
    await until(() => said.at(-1)?.lost !== undefined);
    expect(said.at(-1)).toEqual({ lost: 'COORD_SESSION_LOST' });
    // One act may have been between its check and its deed when the process stopped: against that the token helps.
    expect(said.length - acts).toBeLessThanOrEqual(2);
  });

  it('a watch that was away during large changes gets them in fragments, and all of them', async () => {
    await using stack = new AsyncDisposableStack();
    const { relay, store } = await openThrough(stack, shared.etcd);
    const writer = stack.use(await open(config(shared.etcd.endpoints), runtime));
    const root = freshName();
    const events = store.watch(root, { signal: never });
    expect((await events.next()).value).toMatchObject({ type: 'snapshot', entries: [] });
    await relay.cut();
    for (let n = 0; n < 24; n += 1) await writer.swap(`${root}/${n}`, String(n % 10).repeat(250_000), 'absent');
    await relay.restore();
    for (let n = 0; n < 24; n += 1) {
      const { value } = await events.next();
      expect(value).toMatchObject({ type: 'put', entry: { key: `${root}/${n}` } });
    }
    await events.return(undefined);
  });

  it('lists more than one page, with the largest values', async () => {
    await using store = await open(config(shared.etcd.endpoints), runtime);
    const root = freshName();
    for (let n = 0; n < 110; n += 1) await store.swap(`${root}/${String(n).padStart(3, '0')}`, 'v'.repeat(200_000), 'absent');
    const entries = await store.list(root);
    expect(entries.map(({ key }) => key)).toEqual(Array.from({ length: 110 }, (_, n) => `${root}/${String(n).padStart(3, '0')}`));
  });

  it('is told apart from what is no etcd, or not there', async () => {
    const gone = await CutProxy.open({ port: 1 }, clock);
    const refusedAt = `http://127.0.0.1:${gone.port}`;
    await gone[Symbol.asyncDispose]();
    const soon = { requestTimeout: 600 };
    const unreachable = { code: 'COORD_UNREACHABLE', retryable: true };
    await expect(open(config([refusedAt], soon), runtime)).rejects.toMatchObject({
      ...unreachable,
      hint: expect.stringMatching(/running/) as string,
    });
    await expect(open(config(['http://no-such-host.invalid:2379'], soon), runtime)).rejects.toMatchObject({
      ...unreachable,
      hint: expect.stringMatching(/does not resolve/) as string,
    });
    const secure = shared.etcd.endpoints[0]!.replace('http:', 'https:');
    await expect(open(config([secure], soon), runtime)).rejects.toMatchObject({
      ...unreachable,
      hint: expect.stringMatching(/TLS/) as string,
    });
    await using store = await open(config([refusedAt, ...shared.etcd.endpoints], soon), runtime);
    expect(await store.get('a')).toBeUndefined();
  });

  it('is inspected: one member, of a version with known flaws', async () => {
    const { members, findings } = await inspectStore(config(shared.etcd.endpoints), runtime, { ttlMs: 10_000, signal: never });
    expect(members).toMatchObject([{ role: 'leader', version: expect.stringMatching(/^3\.\d+\.\d+/) as string, alarms: [] }]);
    expect(findings.filter(({ level }) => level === 'problem')).toEqual([]);
    expect(findings.map(({ message }) => message)).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/one member/),
        expect.stringMatching(/below \/holdfast may be read and written/),
        expect.stringMatching(/10000 ms is granted/),
      ]),
    );
    const short = await inspectStore(config(shared.etcd.endpoints), runtime, { ttlMs: 200, signal: never });
    expect(short.findings.map(({ message }) => message)).toContainEqual(expect.stringMatching(/200 ms becomes 2000 ms/));
    if (members[0]!.version !== '3.4.23') return;
    for (const issue of ['20547', '20418'])
      expect(findings).toContainEqual(expect.objectContaining({ level: 'warning', message: expect.stringContaining(issue) as string }));
  });
});

describe.runIf(hasEtcd())('etcd of three members', () => {
  const shared = cluster({ members: 3 });

  /** A session that must live through what `upset` does, and calls that must go on meanwhile. */
  async function livesThrough(upset: (etcd: EtcdCluster) => Promise<void>, heal: (etcd: EtcdCluster) => Promise<void>): Promise<void> {
    await using stack = new AsyncDisposableStack();
    const { etcd } = shared;
    // It connects to the first endpoint that is listed.
    const chance = { ...runtime, random: { next: () => 0 } };
    const store = stack.use(await open(config(etcd.endpoints), chance));
    const session = stack.use(await store.openSession({ ttlMs: 6_000, name: 'holder' }));
    const queue = freshName();
    const ticket = await store.enqueue(queue, 'write', session);
    const watched: WatchEvent[] = [];
    const stop = new AbortController();
    const watching = follow(store, queue, watched, stop.signal);
    await until(() => watched.length > 0);
    stack.defer(() => heal(etcd));
    await upset(etcd);
    for (let n = 0; n < 20; n += 1) await writeOnce(store, `${queue}/${n}`);
    const before = session.validUntilMs;
    await until(() => session.signal.aborted || session.validUntilMs > before + 50);
    expect(session.state).toBe('live');
    expect((await patiently(() => store.queue(queue))).map(({ order }) => order)).toEqual([ticket.order]);
    await until(() => watched.filter(({ type }) => type === 'put').length === 20);
    stop.abort();
    await watching;
  }

  async function follow(store: CoordinationStore, key: string, seen: WatchEvent[], signal: AbortSignal): Promise<void> {
    for await (const event of store.watch(key, { signal })) seen.push(event);
  }

  /** Writes a key although answers may get lost. */
  async function writeOnce(store: CoordinationStore, key: string): Promise<void> {
    await patiently(async () => {
      const result = await store.swap(key, 'x', 'absent');
      if (!result.swapped) expect(result.current?.value).toBe('x');
    });
  }

  it('goes on when the member it is connected to is killed', async () => {
    await livesThrough(
      async (etcd) => etcd.members[0]!.kill(),
      async (etcd) => {
        for (const member of etcd.members) member.start();
        await etcd.ready();
      },
    );
  });

  it('goes on when the member it is connected to is frozen', async () => {
    await livesThrough(
      async (etcd) => etcd.members[0]!.pause(),
      async (etcd) => {
        for (const member of etcd.members) member.continue();
        await etcd.ready();
      },
    );
  });

  it('goes on when the leader is killed', async () => {
    await livesThrough(
      async (etcd) => (await etcd.leader()).kill(),
      async (etcd) => {
        for (const member of etcd.members) member.start();
        await etcd.ready();
      },
    );
  });

  it('goes on when the leader is frozen', async () => {
    await livesThrough(
      async (etcd) => (await etcd.leader()).pause(),
      async (etcd) => {
        for (const member of etcd.members) member.continue();
        await etcd.ready();
      },
    );
  });

  it('goes on when the leadership is moved, again and again', async () => {
    await livesThrough(
      async (etcd) => {
        for (let n = 0; n < 4; n += 1) await etcd.moveLeader();
      },
      async () => {},
    );
  });

  it('is away while the majority is: suspended, then lost; and comes back', { timeout: 60_000 }, async () => {
    await using stack = new AsyncDisposableStack();
    const { etcd } = shared;
    const store = stack.use(await open(config(etcd.endpoints, { requestTimeout: 2_000 }), runtime));
    const session: Session = stack.use(await store.openSession({ ttlMs: 4_000, name: 'holder' }));
    await Promise.all(etcd.members.slice(1).map((member) => member.pause()));
    try {
      await until(() => session.state !== 'live');
      expect(session.state).toBe('suspended');
      await expect(store.get('a')).rejects.toMatchObject({ code: 'COORD_UNREACHABLE' });
      const inspection = await inspectStore(config(etcd.endpoints), runtime, { ttlMs, signal: never });
      expect(inspection.members.filter(({ role }) => role === 'unreachable')).toHaveLength(2);
      await until(() => session.signal.aborted);
    } finally {
      for (const member of etcd.members) member.continue();
      await etcd.ready();
    }
    await using next = await patiently(() => store.openSession({ ttlMs: 4_000, name: 'next' }));
    expect(next.state).toBe('live');
    expect(session.state).toBe('lost');
  });

  it('is inspected: who leads, who is down, who is not listed', async () => {
    const { etcd } = shared;
    const healthy = await inspectStore(config(etcd.endpoints), runtime, { ttlMs: 10_000, signal: never });
    expect(healthy.members.map(({ role }) => role).toSorted()).toEqual(['follower', 'follower', 'leader']);
    expect(healthy.findings).toContainEqual(
      expect.objectContaining({ level: 'ok', message: expect.stringMatching(/3 members: m\d/) as string }),
    );
    const follower = etcd.members.find((member) =>
      healthy.members.some(({ endpoint, role }) => endpoint === member.url && role === 'follower'),
    )!;
    await follower.kill();
    try {
      const { members, findings } = await inspectStore(config(etcd.endpoints), runtime, { ttlMs: 10_000, signal: never });
      expect(members.filter(({ role }) => role === 'unreachable').map(({ endpoint }) => endpoint)).toEqual([follower.url]);
      expect(findings).toContainEqual(
        expect.objectContaining({ level: 'problem', message: expect.stringContaining(follower.url) as string }),
      );
    } finally {
      follower.start();
      await etcd.ready();
    }
    const partly = await inspectStore(config(etcd.endpoints.slice(0, 1)), runtime, { ttlMs: 10_000, signal: never });
    expect(partly.findings).toContainEqual(
      expect.objectContaining({ level: 'warning', message: expect.stringMatching(/1 of 3 members/) as string }),
    );
  });
});

describe.runIf(hasEtcd())('etcd with authentication', () => {
  const shared = cluster({ auth: true, tokenTtlS: 1 });
  const holdfast = { username: 'holdfast', password: secret('secret') };

  it('is used for longer than a token lives, without the user noticing', { timeout: 60_000 }, async () => {
    await using stack = new AsyncDisposableStack();
    const { relay, store } = await openThrough(stack, shared.etcd, holdfast);
    const session = stack.use(await store.openSession({ ttlMs: 6_000, name: 'holder' }));
    const key = freshName();
    const events = store.watch(key, { signal: never });
    await events.next();
    for (let round = 0; round < 3; round += 1) {
      await clock.sleep(1_800);
      const current = await store.get(key);
      expect((await store.swap(key, String(round), current?.revision ?? 'absent', { session })).swapped).toBe(true);
      expect((await events.next()).value).toMatchObject({ type: 'put', entry: { value: String(round) } });
    }
    // A watch that has to be made anew with a token that ran out meanwhile.
    await relay.cut();
    await clock.sleep(1_300);
    await relay.restore();
    await until(() => session.state === 'live' || session.signal.aborted);
    const writer = stack.use(await open(config(shared.etcd.endpoints, holdfast), runtime));
    const current = await writer.get(key);
    expect((await writer.swap(key, 'after', current!.revision)).swapped).toBe(true);
    expect((await events.next()).value).toMatchObject({ entry: { value: 'after' } });
    expect(session.state).toBe('live');
  });

  it('goes on after a restart, which forgets all tokens', async () => {
    await using stack = new AsyncDisposableStack();
    const store = stack.use(await open(config(shared.etcd.endpoints, holdfast), runtime));
    const session = stack.use(await store.openSession({ ttlMs: 20_000, name: 'holder' }));
    const key = freshName();
    const events = store.watch(key, { signal: never });
    await events.next();
    await shared.etcd.members[0]!.restart();
    const before = session.validUntilMs;
    await patiently(() => store.get(key));
    await until(() => session.validUntilMs > before + 50);
    expect((await patiently(() => store.swap(key, 'x', 'absent'))).swapped).toBe(true);
    expect((await events.next()).value).toMatchObject({ type: 'put', entry: { value: 'x' } });
  });

  it('refuses strangers, and says what to do', async () => {
    const denied = (hint: RegExp): object => ({ code: 'COORD_DENIED', retryable: false, hint: expect.stringMatching(hint) as string });
    const { endpoints } = shared.etcd;
    await expect(open(config(endpoints), runtime)).rejects.toMatchObject(denied(/set username and password/));
    await expect(open(config(endpoints, { ...holdfast, password: secret('wrong') }), runtime)).rejects.toMatchObject(
      denied(/Check username/),
    );
    await expect(open(config(endpoints, { ...holdfast, username: 'nobody' }), runtime)).rejects.toMatchObject(denied(/Check username/));
    await expect(open(config(endpoints, { ...holdfast, prefix: '/elsewhere' }), runtime)).rejects.toMatchObject(denied(/role/));
  });

  it('is inspected', async () => {
    const good = await inspectStore(config(shared.etcd.endpoints, holdfast), runtime, { ttlMs: 10_000, signal: never });
    expect(good.findings.filter(({ level }) => level === 'problem')).toEqual([]);
    const elsewhere = await inspectStore(config(shared.etcd.endpoints, { ...holdfast, prefix: '/elsewhere' }), runtime, {
      ttlMs: 10_000,
      signal: never,
    });
    expect(elsewhere.findings).toContainEqual(
      expect.objectContaining({ level: 'problem', message: expect.stringMatching(/permission denied/) as string }),
    );
  });
});

describe.runIf(hasEtcd())('etcd with TLS and client certificates', () => {
  const shared = cluster({ tls: true });

  it('is used by those whose certificate it trusts and who trust its own', async () => {
    const { ca, client } = shared.etcd.certificates!;
    await using store = await open(config(shared.etcd.endpoints, { tls: { ca, ...client } }), runtime);
    await using session = await store.openSession({ ttlMs, name: 'holder' });
    expect((await store.enqueue(freshName(), 'write', session)).token).toBeGreaterThan(0n);
    const { findings } = await inspectStore(config(shared.etcd.endpoints, { tls: { ca, ...client } }), runtime, {
      ttlMs: 10_000,
      signal: never,
    });
    expect(findings.filter(({ level }) => level === 'problem')).toEqual([]);
  });

  it('refuses all others, and says what to do', async () => {
    const { endpoints } = shared.etcd;
    const { ca, client, stranger } = shared.etcd.certificates!;
    const soon = { requestTimeout: 1_000 };
    const denied = (hint: RegExp): object => ({ code: 'COORD_DENIED', retryable: false, hint: expect.stringMatching(hint) as string });
    await expect(
      open(config(endpoints, { ...soon, tls: { ca: stranger.ca, ...client } }), runtime),
      'an authority that signed it not',
    ).rejects.toMatchObject(denied(/tls\.ca/));
    await expect(open(config(endpoints, soon), runtime), 'no authority of ours').rejects.toMatchObject(denied(/tls\.ca/));
    await expect(open(config(endpoints, { ...soon, tls: { ca } }), runtime), 'no certificate').rejects.toMatchObject(denied(/tls\.cert/));
    await expect(
      open(config(endpoints, { ...soon, tls: { ca, cert: stranger.cert, key: stranger.key } }), runtime),
      'a certificate of another authority',
    ).rejects.toMatchObject(denied(/tls\.cert/));
    await expect(
      open(config(endpoints, { ...soon, tls: { ca, cert: client.cert, key: stranger.key } }), runtime),
      'the key of another',
    ).rejects.toMatchObject(denied(/belong together/));
    await expect(open(config(endpoints, { ...soon, tls: { ca: '/no/such/file' } }), runtime), 'no file').rejects.toMatchObject(
      denied(/path/),
    );
    await expect(open(config([endpoints[0]!.replace('https:', 'http:')], soon), runtime), 'no TLS').rejects.toMatchObject({
      code: 'COORD_UNREACHABLE',
      hint: expect.stringMatching(/https/) as string,
    });
  });
});
