import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually, freshName, untilReachable, within } from '../../src/coordination/contract/harness.ts';
import type { CoordinationStore, Ticket } from '../../src/coordination/store.ts';
import { CutProxy } from './servers/cut-proxy.ts';
import { clock, connect, never } from './servers/zookeeper-clients.ts';
import { hasZooKeeper, ZooKeeperEnsemble } from './servers/zookeeper.ts';

const lost = { code: 'COORD_SESSION_LOST' };

describe.runIf(hasZooKeeper())('a client of ZooKeeper that is cut off or stopped (needs java and the package zookeeper)', () => {
  let ensemble: ZooKeeperEnsemble;
  let direct: CoordinationStore;
  beforeAll(async () => {
    ensemble = await ZooKeeperEnsemble.start(clock);
    direct = await connect(ensemble.addresses);
  });
  afterAll(async () => {
    await direct[Symbol.asyncDispose]();
    await ensemble[Symbol.asyncDispose]();
  });

  /** A client behind a relay. */
  async function relayed(stack: AsyncDisposableStack): Promise<{ link: CutProxy; store: CoordinationStore }> {
    const link = stack.use(await CutProxy.open({ port: ensemble.servers[0]!.port }, clock));
    return { link, store: stack.use(await connect([`127.0.0.1:${link.port}`])) };
  }

  /** Lets a call reach the server, and not its answer back; then breaks the connection. */
  async function loseAnswer(link: CutProxy, reached: () => Promise<boolean>): Promise<void> {
    await eventually(clock, 20_000, 'the request has reached the server', reached);
    link.reset();
    await link.restore();
  }

  it('finds the place whose creation was answered into a broken connection, and takes no second', { timeout: 60_000 }, async () => {
    await using stack = new AsyncDisposableStack();
    const { link, store } = await relayed(stack);
    const session = stack.use(await store.openSession({ ttlMs: 8_000, name: 'lost answer' }));
    const queue = freshName();
    // Also when the queue itself is created only now, and not for the first of a session's places.
    for (let places = 1; places <= 3; places++) {
      link.hang('to-client');
      const enqueuing = store.enqueue(queue, 'write', session);
      if (places === 1) {
        // The creation of the queue comes first: its answers go through.
        await clock.sleep(50);
        link.reset();
        await link.restore();
      } else await loseAnswer(link, async () => (await direct.queue(queue)).length === places);
      const ticket = await within(clock, 20_000, 'the place', enqueuing);
      const seen = await direct.queue(queue);
      expect(seen).toHaveLength(places);
      expect(seen.at(-1)).toEqual({ key: ticket.key, label: 'write', order: ticket.order, sessionId: session.id });
    }
    expect(session.state).toBe('live');
  });

  it('leaves the place again that nobody waits for any more', { timeout: 60_000 }, async () => {
    await using stack = new AsyncDisposableStack();
    const { link, store } = await relayed(stack);
    const session = stack.use(await store.openSession({ ttlMs: 8_000, name: 'given up' }));
    const queue = freshName();
    await store.leave(await store.enqueue(queue, 'write', session));
    for (const breaks of [true, false]) {
      link.hang('to-client');
      const abort = new AbortController();
      const enqueuing = store.enqueue(queue, 'write', session, { signal: abort.signal });
      enqueuing.catch(() => {});
      await eventually(clock, 20_000, 'the place is taken', async () => (await direct.queue(queue)).length === 1);
      abort.abort(new Error('given up'));
      await expect(enqueuing).rejects.toThrow('given up');
      if (breaks) link.reset();
      await link.restore();
      await eventually(clock, 20_000, 'the place is left', async () => (await direct.queue(queue)).length === 0);
    }
    expect(session.state).toBe('live');
  });

  it('does not take the place of an earlier session for its own', { timeout: 60_000 }, async () => {
    await using stack = new AsyncDisposableStack();
    const { link, store } = await relayed(stack);
    const session = await store.openSession({ ttlMs: 2_000, name: 'expires' });
    const queue = freshName();
    await store.leave(await store.enqueue(queue, 'write', session));
    link.hang('to-client');
    const enqueuing = store.enqueue(queue, 'write', session);
    enqueuing.catch(() => {});
    await eventually(clock, 20_000, 'the place is taken', async () => (await direct.queue(queue)).length === 1);
    await expect(within(clock, 20_000, 'the end of the session', enqueuing)).rejects.toMatchObject(lost);
    link.reset();
    await link.restore();
    const heir = stack.use(await untilReachable(clock, 20_000, () => store.openSession({ ttlMs: 2_000, name: 'heir' })));
    const ticket = await store.enqueue(queue, 'write', heir);
    expect(ticket.sessionId).toBe(heir.id);
    await eventually(clock, 20_000, 'only the own place is left', async () => {
      const [first, ...others] = await direct.queue(queue);
      return first?.key === ticket.key && others.length === 0;
    });
  });

  it.each(['to-server', 'to-client', 'both'] as const)(
    'stops holding in time when the link is dead %s, and others get it',
    { timeout: 60_000 },
    async (way) => {
      await using stack = new AsyncDisposableStack();
      const { link, store } = await relayed(stack);
      const session = await store.openSession({ ttlMs: 2_000, name: 'half cut' });
      const queue = freshName();
      const ticket = await store.enqueue(queue, 'write', session);
      let goneMs = Infinity;
      const waiting = direct.untilGone(ticket, { signal: never }).then(() => (goneMs = clock.monotonicMs()));
      await clock.sleep(600);
      link.hang(way);
      const cutMs = clock.monotonicMs();
      await eventually(clock, 20_000, 'it stops holding', () => session.signal.aborted);
      expect(goneMs).toBe(Infinity);
      expect(clock.monotonicMs() - cutMs).toBeLessThan(2_000);
      // Even where our packets still arrive, we do not keep it alive for long.
      await within(clock, 16_000, 'the place is gone', waiting);
    },
  );

  it('is suspended by a reset, goes on as the same session, and keeps what it holds', { timeout: 60_000 }, async () => {
    await using stack = new AsyncDisposableStack();
    const { link, store } = await relayed(stack);
    const session = stack.use(await store.openSession({ ttlMs: 4_000, name: 'reset' }));
    const ticket = await store.enqueue(freshName(), 'write', session);
    let gone = false;
    const abort = new AbortController();
    void direct.untilGone(ticket, { signal: abort.signal }).then(
      () => (gone = true),
      () => {},
    );
    for (let n = 0; n < 3; n++) {
      await link.cut();
      await eventually(clock, 20_000, 'suspended', () => session.state === 'suspended');
      await link.restore();
      await eventually(clock, 20_000, 'live again', () => session.state === 'live');
      await clock.sleep(500);
    }
    const untilMs = session.validUntilMs;
    await clock.sleep(2_500);
    expect(session.validUntilMs).toBeGreaterThan(untilMs);
    expect(gone).toBe(false);
    abort.abort();
  });

  it('does no act after others hold, when its process was stopped past its session', { timeout: 60_000 }, async () => {
    const queue = freshName();
    await using holder = await Holder.start({ server: ensemble.addresses[0]!, queue, ttlMs: 2_000 });
    const [ticket] = await direct.queue(queue);
    await clock.sleep(700);
    expect(holder.acts.length).toBeGreaterThan(10);
    holder.signal('SIGSTOP');
    await within(clock, 20_000, 'the place is gone', direct.untilGone(ticket as Ticket, { signal: never }));
    const heldMs = clock.bootMs();
    holder.signal('SIGCONT');
    expect(await within(clock, 20_000, 'the holder hears of it', holder.verdict)).toBe('COORD_SESSION_LOST lost');
    // The clock since boot ticks every 10 ms.
    expect(holder.acts.filter((actMs) => actMs > heldMs - 10)).toEqual([]);
  });
});

/** test/scenario/zookeeper-holder.ts in a process of its own. */
class Holder implements AsyncDisposable {
  readonly acts: number[] = [];
  readonly verdict: Promise<string>;
  readonly #held: Promise<void>;
  readonly #child = spawn(process.execPath, [fileURLToPath(new URL('zookeeper-holder.ts', import.meta.url))], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  readonly #exited = new Promise<void>((resolve) => this.#child.once('close', () => resolve()));

  private constructor(task: object) {
    const held = Promise.withResolvers<void>();
    const verdict = Promise.withResolvers<string>();
    this.#held = held.promise;
    this.verdict = verdict.promise;
    createInterface({ input: this.#child.stdout }).on('line', (line) => {
      const [word, ...rest] = line.split(' ');
      if (word === 'held') held.resolve();
      else if (word === 'act') this.acts.push(Number(rest[0]));
      else verdict.resolve(rest.join(' '));
    });
    this.#child.stdin.end(JSON.stringify(task));
  }

  static async start(task: { server: string; queue: string; ttlMs: number }): Promise<Holder> {
    const holder = new Holder(task);
    await within(clock, 20_000, 'the holder holds', holder.#held);
    return holder;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#exited;
  }
}
