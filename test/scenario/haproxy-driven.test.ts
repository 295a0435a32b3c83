import { chmod } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { silentLogger } from '../../src/core/logger.ts';
import { configSchema } from '../../src/routing/adapters/haproxy/config.ts';
import { HaproxyDriver } from '../../src/routing/adapters/haproxy/haproxy-driver.ts';
import { describeRouterContract, type RouterUnderTest } from '../../src/routing/contract.ts';
import { eventually, TestClient, TestMember } from '../../src/routing/contract/tcp.ts';
import { DrivenRouter, type Driver, type Observed, type Order } from '../../src/routing/driven-router.ts';
import type { RouteView } from '../../src/routing/router.ts';
import { createClock, createRandom } from '../../src/runtime/index.ts';
import { temporaryDirectory } from './demo-process.ts';
import { documentedHaproxy, Haproxy, haproxyProgram } from './servers/haproxy.ts';
import { freePorts } from './servers/server-process.ts';

const clock = createClock();
const runtime = { clock, random: createRandom(), logger: silentLogger };

interface Running {
  readonly haproxy: Haproxy;
  readonly socket: string;
  readonly write: { host: string; port: number };
  readonly read: { host: string; port: number };
}

async function start(resources: AsyncDisposableStack, change: (text: string) => string = (text) => text): Promise<Running> {
  const directory = resources.use(await temporaryDirectory());
  const socket = join(directory.path, 'admin.sock');
  const [write, read] = (await freePorts(2)) as [number, number];
  const text = await documentedHaproxy({ socket, write, read });
  const haproxy = resources.use(await Haproxy.start(join(directory.path, 'haproxy.cfg'), change(text), write));
  return { haproxy, socket, write: { host: '127.0.0.1', port: write }, read: { host: '127.0.0.1', port: read } };
}

/** Tells when the router has done what it was last told. */
class Watched implements Driver {
  readonly #inner: Driver;
  #ended = 0;
  #begun = 0;

  constructor(inner: Driver) {
    this.#inner = inner;
  }

  async carryOut(order: Order, signal: AbortSignal): Promise<Observed> {
    const turn = ++this.#begun;
    const observed = await this.#inner.carryOut(order, signal);
    this.#ended = turn;
    return observed;
  }

  async settled(): Promise<void> {
    const next = this.#begun + 1;
    await eventually(clock, () => this.#ended >= next, 'the order is carried out');
  }

  letGo(signal: AbortSignal): Promise<void> {
    return this.#inner.letGo(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#inner[Symbol.asyncDispose]();
  }
}

function openRouter(running: Running, holdMs = 10_000): RouterUnderTest {
  const config = configSchema.parse({ socket: running.socket, write: 'orders_write', read: 'orders_read', timeout: '500ms' });
  const driver = new Watched(new HaproxyDriver('orders', config, runtime));
  const options = { kind: 'haproxy', holdMs, drainMs: 0, timeoutMs: config.timeout, lagMax: 1000, readFromLeader: 'fallback' as const };
  const router = new DrivenRouter('orders', driver, options, runtime);
  return { router, write: running.write, read: running.read, settled: () => driver.settled() };
}

if (haproxyProgram !== undefined) {
  describeRouterContract('an HAProxy that is driven', {
    clock,
    traits: { countsHeld: false, endsWithRouter: false, cutBy: 'end' },
    open: async ({ holdMs }, resources) => openRouter(await start(resources), holdMs),
  });
}

describe.skipIf(haproxyProgram === undefined)('an HAProxy driven by its runtime socket (needs haproxy)', () => {
  let resources = new AsyncDisposableStack();
  afterEach(async () => {
    await resources.disposeAsync();
    resources = new AsyncDisposableStack();
  });
  const member = async (node: string): Promise<TestMember> => resources.use(await TestMember.start(node));
  const client = async (running: Running): Promise<TestClient> => resources.use(await TestClient.connect(running.write));
  const hears = (one: TestClient, text: string): Promise<void> =>
    eventually(clock, () => one.text === text, `'${text}', not '${one.text}'`);
  const view = (term: number, leader?: TestMember): RouteView => ({
    term,
    leader: leader && { node: leader.node, host: leader.host, port: leader.port },
    replicas: [],
  });
  const opened = (running: Running): RouterUnderTest => {
    const under = openRouter(running);
    resources.use(under.router);
    return under;
  };

  test('is told again after it was restarted; until then clients wait', async () => {
    const running = await start(resources);
    const [a] = [await member('a')];
    const { router, settled } = opened(running);
    router.publish(view(3, a));
    await settled();
    await hears(await client(running), 'a\n');
    await running.haproxy.stop();
    await running.haproxy.start();
    await hears(await client(running), 'a\n');
    expect(router.status()).toMatchObject({ term: 3 });
    expect(router.status().problem).toBeUndefined();
  });

  test('of two agents the one with the higher term wins, also when the other speaks last', async () => {
    const running = await start(resources);
    const [a, b] = [await member('a'), await member('b')];
    const [late, first] = [opened(running), opened(running)];
    first.router.publish(view(7, b));
    await first.settled();
    const served = await client(running);
    await hears(served, 'b\n');
    late.router.publish(view(6, a));
    await late.settled();
    await hears(await client(running), 'b\n');
    expect(served.ending).toBeUndefined();
    expect(late.router.status()).toMatchObject({ term: 0, problem: expect.stringContaining('term 7') as string });
    // What somebody changes by hand is put right.
    await tell(running.socket, `set server orders_write/leader addr 127.0.0.1 port ${a.port}`);
    await eventually(clock, () => served.ending === undefined && first.router.status().term === 7, 'nobody is cut');
    await first.settled();
    await hears(await client(running), 'b\n');
  });

  test('thirty clients that come and go, and twenty changes of the leader: all end at the last one, and HAProxy lives', async () => {
    const running = await start(resources);
    const members = [await member('a'), await member('b')];
    const { router, settled } = opened(running);
    const over = new AbortController();
    const served: (string | undefined)[] = Array.from({ length: 30 });
    const clients = served.map(async (_, index) => {
      while (!over.signal.aborted) {
        using one = await TestClient.connect(running.write);
        while (!over.signal.aborted && one.ending === undefined) {
          served[index] = one.text;
          await clock.sleep(20);
        }
        served[index] = undefined;
      }
    });
    for (let term = 1; term <= 20; term++) {
      const leader = members[term % 2]!;
      router.publish(view(term, leader));
      await settled();
      await clock.sleep(20);
      if (term < 20) await router.hold(term);
    }
    await eventually(clock, () => served.every((text) => text === 'a\n'), 'all are served by the last leader');
    expect(members[1]!.sockets.size).toBe(0);
    expect(members[0]!.sockets.size).toBe(30);
    over.abort();
    await Promise.all(clients);
    expect(router.status().problem).toBeUndefined();
  });

  test('stands still: nothing hangs, and it does as told once it goes on', async () => {
    const running = await start(resources);
    const a = await member('a');
    running.haproxy.signal('SIGSTOP');
    const { router } = opened(running);
    router.publish(view(1, a));
    await expect.poll(() => router.status().problem ?? '', { timeout: 30_000 }).toMatch(/did not answer within 500 ms/);
    await router.hold(1);
    router.resume(1);
    running.haproxy.signal('SIGCONT');
    await hears(await client(running), 'a\n');
    await eventually(clock, () => router.status().problem === undefined, 'all is well');
  });

  test.each([
    ['no socket', (text: string) => text.replace(/stats socket \S+/, '$&.elsewhere'), /does not answer at .*no such socket.*stats socket/],
    [
      'a level below admin',
      (text: string) => text.replace('level admin', 'level operator'),
      /refuses commands.*Permission denied.*level admin/,
    ],
    ['no such backend', (text: string) => text.replace('listen orders_write', 'listen others'), /no backend 'orders_write'.*haproxy\.cfg/],
    [
      'two servers to write to',
      (text: string) => text.replace('server leader 127.0.0.1:1', '$&\n    server other 127.0.0.1:1'),
      /'orders_write' has 2 servers/,
    ],
  ])('says what is wrong with %s', async (_, change, said) => {
    const running = await start(resources, change);
    const { router } = opened(running);
    router.publish(view(1, await member('a')));
    await eventually(clock, () => said.test(router.status().problem ?? ''), `it says ${said}, not ${router.status().problem}`);
    expect(router.status().term).toBe(0);
  });

  test.skipIf(process.getuid?.() !== 0)('says what is wrong when the socket may not be opened (needs root)', async () => {
    const running = await start(resources);
    await chmod(running.socket, 0o000);
    process.seteuid!('nobody');
    try {
      const { router } = opened(running);
      router.publish(view(1, await member('a')));
      await eventually(clock, () => /may not be opened by this user.*mode 660/.test(router.status().problem ?? ''), 'it says so');
    } finally {
      process.seteuid!(0);
    }
  });
});

async function tell(path: string, command: string): Promise<void> {
  const socket = connect(path);
  socket.end(`${command}\n`);
  socket.resume();
  await new Promise((resolve) => socket.once('close', resolve));
}
