import { afterEach, describe, expect, it } from 'vitest';
import type { Clock } from '../core/clock.ts';
import { eventually, TestClient, TestMember } from './contract/tcp.ts';
import type { Router, RouteView, Target } from './router.ts';

/** In what routers differ. */
export interface RouterTraits {
  /** Knows how many clients wait, takes no more than a limit, and refuses each when its time is over. Otherwise they wait unseen. */
  readonly countsHeld: boolean;
  /** Is the agent's own process: it ends with the router. */
  readonly endsWithRouter: boolean;
  /** How clients see that they are cut, and that a server resets them. */
  readonly cutBy: 'ECONNRESET' | 'end';
}

/** A router under test, and where its clients connect. */
export interface RouterUnderTest {
  readonly router: Router;
  readonly write: { readonly host: string; readonly port: number };
  readonly read: { readonly host: string; readonly port: number };
  /** Resolves when the last view is in force, where that takes a while. */
  readonly settled: () => Promise<void>;
}

export interface RouterHarness {
  readonly clock: Clock;
  readonly traits: RouterTraits;
  /**
   * A router with both ports, passing on any TCP. Replicas more than 1000 bytes behind are not read from, the leader only when there is
   * no replica; `holdMs` for up to 3 clients. What it needs besides lives until `resources` are disposed of.
   */
  open(options: { holdMs: number }, resources: AsyncDisposableStack): Promise<RouterUnderTest>;
}

/** What every router must do, whatever it is made of. */
export function describeRouterContract(name: string, harness: RouterHarness): void {
  describe(`${name} keeps the contract of a router`, () => {
    const { clock, traits } = harness;
    let resources = new AsyncDisposableStack();
    afterEach(async () => {
      await resources.disposeAsync();
      resources = new AsyncDisposableStack();
    });

    const start = async (...nodes: string[]): Promise<TestMember[]> =>
      Promise.all(nodes.map(async (node) => resources.use(await TestMember.start(node))));
    const open = async (holdMs = 10_000): Promise<RouterUnderTest> => {
      const opened = await harness.open({ holdMs }, resources);
      resources.use(opened.router);
      return opened;
    };
    const publish = async ({ router, settled }: RouterUnderTest, one: RouteView): Promise<void> => {
      router.publish(one);
      await settled();
    };
    const connect = async (under: RouterUnderTest, port: 'write' | 'read' = 'write'): Promise<TestClient> =>
      resources.use(await TestClient.connect(under[port]));
    const hears = (client: TestClient, text: string): Promise<void> =>
      eventually(clock, () => client.text === text, `a client hears '${text}', not '${client.text}' (${client.ending ?? 'open'})`);
    const ends = (client: TestClient): Promise<void> => eventually(clock, () => client.ending !== undefined, 'a client is cut');
    /** Where they can not be counted, it is enough that they are neither served nor sent away for a while. */
    const held = async ({ router }: RouterUnderTest, ...clients: TestClient[]): Promise<void> => {
      if (traits.countsHeld)
        return eventually(clock, () => router.status().connections.held === clients.length, `${clients.length} clients are held`);
      await clock.sleep(50);
      expect(clients.map(({ text, ending }) => ({ text, ending }))).toEqual(clients.map(() => ({ text: '', ending: undefined })));
    };

    it('takes writers to the leader and carries bytes both ways', async () => {
      const [a] = await start('a');
      const under = await open();
      await publish(under, view(1, a));
      const client = await connect(under);
      client.say('hello');
      await hears(client, 'a\nhello');
      const status = under.router.status();
      expect(status).toMatchObject({ term: 1, holding: false, connections: { read: 0, held: 0 }, cutTotal: 0, refusedTotal: 0 });
      await eventually(clock, () => under.router.status().connections.write === 1, 'it is counted');
    });

    it('cuts all writers at a new term, also when the new leader is not known yet', async () => {
      const [a] = await start('a');
      const under = await open();
      await publish(under, view(1, a));
      const clients = [await connect(under), await connect(under)];
      for (const client of clients) await hears(client, 'a\n');
      await publish(under, view(2, undefined));
      for (const client of clients) await ends(client);
      expect(clients.map((client) => client.ending)).toEqual([traits.cutBy, traits.cutBy]);
      await eventually(clock, () => a!.sockets.size === 0, 'the old leader loses its connections');
      expect(under.router.status()).toMatchObject({ term: 2, cutTotal: 2 });
      await eventually(clock, () => under.router.status().connections.write === 0, 'they are not counted any more');
    });

    it('keeps writers while views of their term come', async () => {
      const [a, b] = await start('a', 'b');
      const under = await open();
      await publish(under, view(1, a));
      const client = await connect(under);
      await hears(client, 'a\n');
      await publish(under, view(1, a, [replica(b!, 5)]));
      await publish(under, view(1, undefined));
      await publish(under, view(1, a));
      client.say('still');
      await hears(client, 'a\nstill');
    });

    it('ignores views of a lower term, and another leader within a term', async () => {
      const [a, b] = await start('a', 'b');
      const under = await open();
      await publish(under, view(5, a));
      const client = await connect(under);
      await hears(client, 'a\n');
      await publish(under, view(4, b));
      await publish(under, view(5, b));
      await hears(await connect(under), 'a\n');
      expect(client.ending).toBeUndefined();
      expect(under.router.status().term).toBe(5);
    });

    it('holds writers while there is no leader, and lets them go to the new one', async () => {
      const [a, b] = await start('a', 'b');
      const under = await open();
      const early = await connect(under);
      await held(under, early);
      await publish(under, view(1, a));
      await hears(early, 'a\n');
      await publish(under, view(2, undefined));
      const late = await connect(under);
      late.say('first words');
      await held(under, late);
      await publish(under, view(2, b));
      await hears(late, 'b\nfirst words');
      await held(under);
    });

    it.runIf(traits.countsHeld)('holds no more than its limit, and no longer than its time', async () => {
      const under = await open(300);
      const waiting = [await connect(under), await connect(under), await connect(under)];
      await held(under, ...waiting);
      const tooMany = await connect(under);
      await ends(tooMany);
      for (const client of waiting) await ends(client);
      expect(under.router.status()).toMatchObject({ connections: { held: 0, write: 0 }, refusedTotal: 4 });
    });

    it.runIf(traits.countsHeld)('forgets a held client that leaves', async () => {
      const under = await open();
      const client = await connect(under);
      await held(under, client);
      client.socket.resetAndDestroy();
      await held(under);
    });

    it('moves a client that was on its way to the old leader, unharmed', async () => {
      const [dead, b] = await start('a', 'b');
      await dead!.die();
      const under = await open();
      await publish(under, view(1, dead));
      const client = await connect(under);
      await held(under, client);
      await publish(under, view(2, b));
      await hears(client, 'b\n');
    });

    it('tries a leader that refuses connections until it takes them', async () => {
      const [a] = await start('a');
      await a!.die();
      const under = await open();
      await publish(under, view(1, a));
      const clients = [await connect(under), await connect(under), await connect(under)];
      await held(under, ...clients);
      await a!.listen();
      for (const client of clients) await hears(client, 'a\n');
    });

    it('holds new writers during a planned hand-over, and cuts the others only at the new term', async () => {
      const [a, b] = await start('a', 'b');
      const under = await open();
      await publish(under, view(1, a));
      const old = await connect(under);
      await hears(old, 'a\n');
      await under.router.hold(1);
      await publish(under, view(1, a, [replica(b!, 0)]));
      const fresh = await connect(under);
      await held(under, fresh);
      old.say('x');
      await hears(old, 'a\nx');
      await publish(under, view(2, b));
      await hears(fresh, 'b\n');
      await ends(old);
      await hears(await connect(under), 'b\n');
    });

    it('ignores word of a hand-over that is over already', async () => {
      const [a, b] = await start('a', 'b');
      const under = await open();
      await publish(under, view(1, a));
      await publish(under, view(2, b));
      await under.router.hold(1);
      await hears(await connect(under), 'b\n');
    });

    it('does not hold longer than its time when nothing comes of a hand-over', async () => {
      const [a] = await start('a');
      const under = await open(1000);
      await publish(under, view(1, a));
      await under.router.hold(1);
      await clock.sleep(500);
      const client = await connect(under);
      await held(under, client);
      await hears(client, 'a\n');
      expect(under.router.status().refusedTotal).toBe(0);
    });

    it('resumes when a planned hand-over is given up', async () => {
      const [a] = await start('a');
      const under = await open();
      await publish(under, view(1, a));
      await under.router.hold(1);
      const client = await connect(under);
      await held(under, client);
      under.router.resume(1);
      await hears(client, 'a\n');
    });

    it('spreads readers over replicas that are not too far behind', async () => {
      const [a, b, c, d] = await start('a', 'b', 'c', 'd');
      const under = await open();
      await publish(under, view(1, a, [replica(b!, 0), replica(c!, 1000), replica(d!, 1001)]));
      for (let round = 0; round < 4; round++) {
        const client = await connect(under, 'read');
        await eventually(clock, () => client.text !== '', 'a reader is served');
      }
      expect([a, b, c, d].map((member) => member!.sockets.size)).toEqual([0, 2, 2, 0]);
    });

    it('falls back to the leader for reading, and leaves it at a new term', async () => {
      const [a, b] = await start('a', 'b');
      const under = await open();
      await publish(under, view(1, a));
      const reader = await connect(under, 'read');
      await hears(reader, 'a\n');
      await publish(under, view(2, b));
      await ends(reader);
      await hears(await connect(under, 'read'), 'b\n');
    });

    it('keeps readers of a replica over a new term', async () => {
      const [a, b, c] = await start('a', 'b', 'c');
      const under = await open();
      await publish(under, view(1, a, [replica(b!, 0)]));
      const reader = await connect(under, 'read');
      await hears(reader, 'b\n');
      await publish(under, view(2, c, [replica(b!, 0)]));
      reader.say('on');
      await hears(reader, 'b\non');
      expect(reader.ending).toBeUndefined();
    });

    it('reads elsewhere when a replica refuses connections', async () => {
      const [a, b, c] = await start('a', 'b', 'c');
      await b!.die();
      const under = await open();
      await publish(under, view(1, a, [replica(b!, 0), replica(c!, 0)]));
      for (let round = 0; round < 4; round++) await hears(await connect(under, 'read'), 'c\n');
    });

    it('passes on the end of one direction while the other goes on', async () => {
      const upper = resources.use(
        await TestMember.start('a', (socket) => {
          let all = '';
          socket.on('data', (chunk) => (all += String(chunk))).on('end', () => socket.end(all.toUpperCase()));
        }),
      );
      const under = await open();
      await publish(under, view(1, upper));
      const client = await connect(under);
      client.socket.end('half');
      await hears(client, 'HALF');
      await eventually(clock, () => client.ending === 'end' && upper.sockets.size === 0, 'both sides end');
      await eventually(clock, () => under.router.status().connections.write === 0, 'the router forgets it');
    });

    it('passes on a reset, from either side', async () => {
      const [a] = await start('a');
      const under = await open();
      await publish(under, view(1, a));
      const left = await connect(under);
      await hears(left, 'a\n');
      left.socket.resetAndDestroy();
      await eventually(clock, () => a!.sockets.size === 0, 'the server is told');
      expect(a!.endings).toEqual(['ECONNRESET']);
      const stays = await connect(under);
      await hears(stays, 'a\n');
      for (const socket of a!.sockets) socket.resetAndDestroy();
      await ends(stays);
      expect(stays.ending).toBe(traits.cutBy);
      await eventually(clock, () => under.router.status().connections.write === 0, 'the router forgets both');
    });

    it('carries megabytes unchanged past a slow reader', async () => {
      const [a] = await start('a');
      const under = await open();
      await publish(under, view(1, a));
      const client = await connect(under);
      await hears(client, 'a\n');
      client.socket.pause();
      const block = Buffer.from(Array.from({ length: 1 << 20 }, (_, index) => (index * 7 + (index >> 8)) % 256));
      for (let count = 0; count < 8; count++) client.say(block);
      await clock.sleep(100);
      client.socket.resume();
      await eventually(clock, () => client.heard.length === 2 + 8 * block.length, 'everything comes back');
      for (let count = 0; count < 8; count++)
        expect(client.heard.subarray(2 + count * block.length, 2 + (count + 1) * block.length).equals(block)).toBe(true);
    });

    it.runIf(traits.endsWithRouter)('closes everything when it is disposed of', async () => {
      const [a] = await start('a');
      const under = await harness.open({ holdMs: 10_000 }, resources);
      await publish(under, view(1, a));
      const client = await connect(under);
      await hears(client, 'a\n');
      await publish(under, view(2, undefined));
      const waiting = await connect(under);
      await held(under, waiting);
      await under.router[Symbol.asyncDispose]();
      await ends(waiting);
      await ends(client);
      await eventually(clock, () => a!.sockets.size === 0, 'the server is left');
    });
  });
}

function view(term: number, leader: TestMember | undefined, replicas: RouteView['replicas'] = []): RouteView {
  return { term, leader: leader && target(leader), replicas };
}

function replica(member: TestMember, lagBytes: number): RouteView['replicas'][number] {
  return { ...target(member), lagBytes };
}

function target({ node, host, port }: TestMember): Target {
  return { node, host, port };
}
