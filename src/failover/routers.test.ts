import { describe, expect, it } from 'vitest';
import { silentLogger } from '../core/logger.ts';
import type { Member } from './member.ts';
import { holdRouters, resumeRouters } from './routers.ts';

interface Peer {
  readonly node: string;
  readonly status?: string;
  readonly phi?: number;
  readonly drainMs?: number;
  /** What asking it comes to; never, where it is undefined. */
  readonly answer?: Promise<unknown>;
}

function setUp(own: Promise<void>, ...peers: Peer[]) {
  const asked: { node: string; timeoutMs: number }[] = [];
  const said: string[] = [];
  const network = {
    broadcast: (kind: string, body: { term: number }) => said.push(`${kind} ${body.term}`),
    request: (node: string, kind: string, body: { term: number }, { timeoutMs, signal }: { timeoutMs: number; signal: AbortSignal }) => {
      asked.push({ node, timeoutMs });
      expect([kind, body]).toEqual(['hold', { service: 'orders', term: 7 }]);
      const aborted = new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)));
      return Promise.race([peers.find((peer) => peer.node === node)!.answer ?? aborted, aborted]);
    },
  };
  const reports = peers.map(({ node, status = 'connected', phi = 0, drainMs }) => ({
    node,
    status,
    phi,
    heartbeat: { routers: drainMs === undefined ? [] : [{ service: 'orders', drainMs }] },
  }));
  const routers = { hold: () => own, resume: (term: number) => said.push(`own resume ${term}`) };
  const deps = { routers, peers: { network, reports: () => reports }, runtime: { logger: silentLogger } };
  return { member: { service: 'orders', options: { policy: { phi: 8 } }, deps } as unknown as Member, asked, said };
}

describe('holdRouters', () => {
  it('tells everybody, and waits for those only that let transactions end', async () => {
    const gate = Promise.withResolvers<void>();
    const { member, asked, said } = setUp(
      Promise.resolve(),
      { node: 'proxy', drainMs: 0 },
      { node: 'none' },
      { node: 'pooler', drainMs: 5_000, answer: gate.promise },
      { node: 'gone', drainMs: 5_000, status: 'lost' },
      { node: 'silent', drainMs: 5_000, phi: 8 },
    );
    let quiet = false;
    const held = holdRouters(member, 7, new AbortController().signal).then(() => (quiet = true));
    await new Promise(setImmediate);
    expect(said).toEqual(['hold 7']);
    expect(asked).toEqual([{ node: 'pooler', timeoutMs: 6_000 }]);
    expect(quiet).toBe(false);
    gate.resolve();
    await held;
    expect(quiet).toBe(true);
  });

  it("waits for this node's own router too", async () => {
    const own = Promise.withResolvers<void>();
    const { member } = setUp(own.promise);
    let quiet = false;
    const held = holdRouters(member, 7, new AbortController().signal).then(() => (quiet = true));
    await new Promise(setImmediate);
    expect(quiet).toBe(false);
    own.resolve();
    await held;
  });

  it('goes on without a router that fails', async () => {
    const { member } = setUp(Promise.resolve(), { node: 'pooler', drainMs: 1, answer: Promise.reject(new Error('no answer')) });
    await holdRouters(member, 7, new AbortController().signal);
  });

  it('ends at once when something more urgent comes', async () => {
    const urgent = new AbortController();
    const { member } = setUp(Promise.resolve(), { node: 'pooler', drainMs: 60_000 });
    const held = holdRouters(member, 7, urgent.signal);
    urgent.abort(new Error('stop'));
    await expect(held).rejects.toThrow('stop');
  });

  it('is taken back everywhere', () => {
    const { member, said } = setUp(Promise.resolve());
    resumeRouters(member, 7);
    expect(said).toEqual(['own resume 7', 'resume 7']);
  });
});
