import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { afterEach, describe, expect, test } from 'vitest';
import { createAuthority, issueNodeCertificate } from '../../agent/certificates.ts';
import { HoldfastError } from '../../core/errors.ts';
import { silentLogger } from '../../core/logger.ts';
import type { LinkStatus, PeerNetwork } from '../../core/peer-network.ts';
import { createClock } from '../clock.ts';
import { openListener, peerProtocol, type Listener } from '../listener.ts';
import { createRandom } from '../random.ts';
import { encodeFrame } from './frames.ts';
import { openPeerNetwork, type PeerTiming } from './network.ts';

const clock = createClock();
const runtime = { clock, random: createRandom(), logger: silentLogger };
const wallMs = clock.wallMs();
const dayMs = 86_400_000;
const authority = createAuthority({ cluster: 'shop', wallMs, days: 10 });

function credentialsFor(node: string, options: { authority?: typeof authority; wallMs?: number; days?: number } = {}) {
  const signer = options.authority ?? authority;
  const { certificate: cert, key } = issueNodeCertificate(signer, {
    node,
    hosts: [],
    wallMs: options.wallMs ?? wallMs,
    days: options.days ?? 1,
  });
  return { ca: authority.certificate, cert, key };
}

interface Agent extends AsyncDisposable {
  readonly network: PeerNetwork;
  readonly listener: Listener;
}

const open = new Set<AsyncDisposable>();
afterEach(async () => {
  for (const each of [...open].toReversed()) await each[Symbol.asyncDispose]();
  open.clear();
});

interface AgentOptions {
  node: string;
  peers?: readonly { host: string; port: number }[];
  port?: number;
  cluster?: string;
  credentials?: ReturnType<typeof credentialsFor>;
  timing?: Partial<PeerTiming>;
}

async function startAgent(options: AgentOptions): Promise<Agent> {
  const { node, port = 0, cluster = 'shop', credentials = credentialsFor(node), timing = {} } = options;
  const listener = await openListener({ host: '127.0.0.1', port, credentials, plainPaths: [] }, runtime);
  // One's own address is recognised in the list, and by another name too as long as one's own certificate is good.
  const own =
    options.credentials === undefined ? [listener.address, { host: 'localhost', port: listener.address.port }] : [listener.address];
  const network = openPeerNetwork(
    {
      cluster,
      node,
      peers: [...(options.peers ?? []), ...own],
      credentials: () => credentials,
      listener,
      timing: { patientMs: 200, ...timing },
    },
    runtime,
  );
  const agent = {
    network,
    listener,
    [Symbol.asyncDispose]: async () => {
      open.delete(agent);
      await network[Symbol.asyncDispose]();
      await listener[Symbol.asyncDispose]();
    },
  };
  open.add(agent);
  return agent;
}

/** A port that is free now. */
async function freeAddress(): Promise<{ host: string; port: number }> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  return { host: '127.0.0.1', port };
}

async function startCluster(...nodes: string[]): Promise<Record<string, Agent>> {
  const addresses = await Promise.all(nodes.map(freeAddress));
  const agents = await Promise.all(nodes.map((node, index) => startAgent({ node, port: addresses[index]!.port, peers: addresses })));
  for (const agent of agents) {
    const others = nodes.filter((node) => node !== agent.network.self);
    await expect.poll(() => statuses(agent)).toEqual(Object.fromEntries(others.map((node) => [node, 'connected'])));
  }
  return Object.fromEntries(nodes.map((node, index) => [node, agents[index]!]));
}

function statuses(agent: Agent): Record<string, LinkStatus> {
  return Object.fromEntries(agent.network.links().map((link) => [link.node ?? link.address, link.status]));
}

function seenBy(agent: Agent): string[] {
  const seen: string[] = [];
  agent.network.onLinkChange((link) => seen.push(`${link.node ?? '?'} ${link.status}`));
  return seen;
}

async function soleLink(agent: Agent, status: LinkStatus) {
  await expect.poll(() => agent.network.links().map((link) => link.status), { timeout: 5_000 }).toEqual([status]);
  return agent.network.links()[0]!;
}

const coded = (code: string, message?: RegExp) =>
  expect.objectContaining({ code, ...(message === undefined ? {} : { message: expect.stringMatching(message) as unknown }) }) as unknown;

describe('a cluster', () => {
  test('asks and answers; the name is that of the certificate; oneself is left out', async () => {
    const { a, b, c } = await startCluster('a', 'b', 'c');
    b!.network.handle('echo', async (from, body) => ({ from, body }));
    expect(await a!.network.request('b', 'echo', { x: 1 }, { timeoutMs: 1_000 })).toEqual({ from: 'a', body: { x: 1 } });
    expect(await c!.network.request('b', 'echo', 'ü'.repeat(100_000), { timeoutMs: 1_000 })).toEqual({
      from: 'c',
      body: 'ü'.repeat(100_000),
    });
    expect(Object.keys(statuses(a!))).toEqual(['b', 'c']);
  });

  test('keeps one connection per pair, that dialled by the smaller name, and loses no question on the way there', async () => {
    for (let round = 0; round < 5; round += 1) {
      const [addressA, addressB] = await Promise.all([freeAddress(), freeAddress()]);
      const [toA, toB] = [await startRelay(addressA), await startRelay(addressB)];
      // The one that starts first finds nobody and is found; which of the two that is alternates.
      const options = [
        { node: 'a', port: addressA.port, peers: [toB.address] },
        { node: 'b', port: addressB.port, peers: [toA.address] },
      ];
      if (round % 2 === 1) options.reverse();
      const agents = await Promise.all(options.map(startAgent));
      for (const agent of agents) agent.network.handle('echo', async (_from, body) => body);
      for (const agent of agents) await soleLink(agent, 'connected');
      for (let n = 0; n < 100; n += 1) {
        const answers = agents.map((agent) =>
          agent.network.request(agent.network.self === 'a' ? 'b' : 'a', 'echo', n, { timeoutMs: 1_000 }),
        );
        expect(await Promise.all(answers)).toEqual([n, n]);
      }
      await expect.poll(() => [toB.connections(), toA.connections()]).toEqual([1, 0]);
      for (const agent of agents) await agent[Symbol.asyncDispose]();
    }
  });

  test('hands every broadcast to every other', async () => {
    const { a, b, c } = await startCluster('a', 'b', 'c');
    const heard: string[] = [];
    for (const agent of [a!, b!, c!])
      agent.network.handle('state', async (from, body) => void heard.push(`${agent.network.self}<${from} ${String(body)}`));
    b!.network.broadcast('state', 7);
    await expect.poll(() => heard.toSorted()).toEqual(['a<b 7', 'c<b 7']);
  });
});

describe('a question', () => {
  test('that the other refuses carries its code and message, and nothing more', async () => {
    const { a, b } = await startCluster('a', 'b');
    b!.network.handle('fence', async () => {
      throw new HoldfastError('TERM_TOO_LOW', 'promised 7 already', { cause: new Error('secret') });
    });
    b!.network.handle('broken', async () => {
      throw new TypeError('boo');
    });
    const refusal = await a!.network.request('b', 'fence', {}, { timeoutMs: 1_000 }).catch((error: unknown) => error);
    expect(refusal).toEqual(coded('PEER_REFUSED', /'b' refused: promised 7 already \(TERM_TOO_LOW\)/));
    expect((refusal as Error).cause).toEqual(coded('TERM_TOO_LOW', /^promised 7 already$/));
    expect(JSON.stringify(refusal) + String((refusal as Error).cause)).not.toContain('secret');
    await expect(a!.network.request('b', 'broken', {}, { timeoutMs: 1_000 })).rejects.toThrow(coded('PEER_REFUSED', /INTERNAL/));
    await expect(a!.network.request('b', 'unheard-of', {}, { timeoutMs: 1_000 })).rejects.toThrow(
      coded('PEER_REFUSED', /PEER_UNKNOWN_KIND/),
    );
  });

  test('ends by its time limit, its signal, the loss of the connection, and for whom is not connected', async () => {
    const { a, b } = await startCluster('a', 'b');
    b!.network.handle('never', () => new Promise(() => {}));
    await expect(a!.network.request('b', 'never', {}, { timeoutMs: 30 })).rejects.toThrow(coded('PEER_TIMEOUT'));
    const stop = new AbortController();
    const asked = a!.network.request('b', 'never', {}, { timeoutMs: 10_000, signal: stop.signal });
    stop.abort(new Error('enough'));
    await expect(asked).rejects.toThrow('enough');
    const lost = a!.network.request('b', 'never', {}, { timeoutMs: 10_000 }).catch((error: unknown) => error);
    await b![Symbol.asyncDispose]();
    expect(await lost).toEqual(coded('PEER_UNREACHABLE', /stopping/));
    await expect(a!.network.request('b', 'never', {}, { timeoutMs: 10_000 })).rejects.toThrow(coded('PEER_UNREACHABLE'));
    await expect(a!.network.request('z', 'never', {}, { timeoutMs: 10_000 })).rejects.toThrow(
      coded('PEER_UNREACHABLE', /never been connected/),
    );
  });

  test('is refused when too many wait', async () => {
    const { a, b } = await startCluster('a', 'b');
    b!.network.handle('never', () => new Promise(() => {}));
    const asked = Array.from({ length: 300 }, () =>
      a!.network.request('b', 'never', {}, { timeoutMs: 300 }).catch((error: HoldfastError) => error.message),
    );
    const messages = (await Promise.all(asked)) as string[];
    expect(messages.filter((message) => message.includes('256 questions')).length).toBe(44);
    expect(messages.filter((message) => message.includes('PEER_BUSY')).length).toBe(192);
    expect(messages.filter((message) => message.includes('within 300 ms')).length).toBe(64);
  });

  test('too large is a fault of the one who asks, and ends nothing', async () => {
    const { a, b } = await startCluster('a', 'b');
    b!.network.handle('echo', async (_from, body) => body);
    await expect(a!.network.request('b', 'echo', 'x'.repeat(2_000_000), { timeoutMs: 1_000 })).rejects.toThrow(
      coded('PEER_MESSAGE_TOO_LARGE'),
    );
    expect(await a!.network.request('b', 'echo', 1, { timeoutMs: 1_000 })).toBe(1);
  });
});

describe('the fate of a peer', () => {
  test('that dies is seen as reset, then refused; when it is back it is connected again', async () => {
    const addresses = await Promise.all([freeAddress(), freeAddress()]);
    const a = await startAgent({ node: 'a', port: addresses[0].port, peers: addresses });
    const b = await startAgent({ node: 'b', port: addresses[1].port, peers: addresses });
    await soleLink(a, 'connected');
    await soleLink(b, 'connected');
    const seen = seenBy(a);
    // Without a goodbye, as after SIGKILL: the kernel closes everything.
    await b.listener[Symbol.asyncDispose]();
    await expect.poll(() => seen.slice(0, 2)).toEqual(['b reset', 'b refused']);
    await b[Symbol.asyncDispose]();
    await startAgent({ node: 'b', port: addresses[1].port, peers: addresses });
    await soleLink(a, 'connected');
    expect(seen).toEqual(['b reset', 'b refused', 'b connected']);
  });

  test('that falls silent is given up, and tried again', async () => {
    const { port } = (await silentServer()).address() as AddressInfo;
    const a = await startAgent({ node: 'a', peers: [{ host: '127.0.0.1', port }], timing: { dialMs: 100 } });
    const link = await soleLink(a, 'unreachable');
    expect(link.detail).toBe('no answer within 100 ms');
  });

  test('that stops in the middle of the conversation is given up after the idle time', async () => {
    const b = await startAgent({ node: 'b' });
    const relay = await startRelay(b.listener.address);
    const a = await startAgent({ node: 'a', peers: [relay.address], timing: { idleMs: 200, dialMs: 200 } });
    await soleLink(a, 'connected');
    await clock.sleep(500);
    expect(a.network.links()[0]!.status, 'an idle but healthy connection stays').toBe('connected');
    const seen = seenBy(a);
    relay.pause();
    expect((await soleLink(a, 'unreachable')).detail).toMatch(/nothing was heard for 200 ms|no answer/);
    expect(seen[0]).toBe('b unreachable');
    relay.resume();
    await soleLink(a, 'connected');
  });

  test('that is slow gets the latest state of each kind, not all of them', async () => {
    const b = await startAgent({ node: 'b', timing: { idleMs: 60_000 } });
    const relay = await startRelay(b.listener.address);
    const a = await startAgent({ node: 'a', peers: [relay.address], timing: { idleMs: 60_000 } });
    await soleLink(a, 'connected');
    await soleLink(b, 'connected');
    const heard: number[] = [];
    b.network.handle('state', async (_from, body) => void heard.push((body as { n: number }).n));
    relay.pause();
    for (let n = 1; n <= 2_000; n += 1) {
      a.network.broadcast('state', { n, filling: 'x'.repeat(10_000) });
      if (n % 20 === 0) await clock.sleep(1);
    }
    relay.resume();
    await expect.poll(() => heard.at(-1), { timeout: 5_000 }).toBe(2_000);
    expect(heard.length).toBeLessThan(1_900);
    expect(heard).toEqual(heard.toSorted((x, y) => x - y));
  });

  test('whose handler is slow gets the first and the latest', async () => {
    const { a, b } = await startCluster('a', 'b');
    const heard: unknown[] = [];
    const gate = Promise.withResolvers<void>();
    b!.network.handle('state', async (_from, body) => {
      heard.push(body);
      if (heard.length === 1) await gate.promise;
      if (heard.length === 2) throw new Error('of no consequence');
    });
    b!.network.handle('echo', async (_from, body) => body);
    for (let n = 1; n <= 50; n += 1) {
      a!.network.broadcast('state', n);
      await a!.network.request('b', 'echo', n, { timeoutMs: 1_000 });
    }
    expect(heard).toEqual([1]);
    gate.resolve();
    await expect.poll(() => heard).toEqual([1, 50]);
    a!.network.broadcast('state', 51);
    await expect.poll(() => heard).toEqual([1, 50, 51]);
  });

  test('that is not configured here is an observer while it is connected', async () => {
    const b = await startAgent({ node: 'b' });
    const a = await startAgent({ node: 'a', peers: [b.listener.address] });
    expect((await soleLink(b, 'connected')).node).toBe('a');
    a.network.handle('echo', async (_from, body) => body);
    expect(await b.network.request('a', 'echo', 1, { timeoutMs: 1_000 })).toBe(1);
    await a[Symbol.asyncDispose]();
    await expect.poll(() => b.network.links()).toEqual([]);
  });

  test('that is listed twice is told so', async () => {
    const b = await startAgent({ node: 'b' });
    const relay = await startRelay(b.listener.address);
    const a = await startAgent({ node: 'a', peers: [b.listener.address, relay.address] });
    await expect
      .poll(() =>
        a.network
          .links()
          .map((link) => link.status)
          .toSorted(),
      )
      .toEqual(['connected', 'rejected']);
    expect(a.network.links().find((link) => link.status === 'rejected')!.detail).toMatch(
      /this is 'b', as 127\.0\.0\.1:\d+ is: name each node once/,
    );
  });
});

describe('is rejected, and both sides say why:', () => {
  const foreign = createAuthority({ cluster: 'shop', wallMs, days: 10 });
  const cases: [string, Partial<AgentOptions>, RegExp, RegExp][] = [
    [
      'another cluster',
      { cluster: 'shap' },
      /it belongs to cluster 'shap', this agent to 'shop'/,
      /it refuses this agent: you belong to cluster 'shap', a to 'shop'|it belongs to cluster 'shop', this agent to 'shap'/,
    ],
    [
      'a certificate of another node',
      { credentials: credentialsFor('c') },
      /it calls itself 'b', but its certificate is for c/,
      /you call yourself 'b', but your certificate is for c/,
    ],
    [
      'an expired certificate',
      { credentials: credentialsFor('b', { wallMs: wallMs - 5 * dayMs, days: 1 }) },
      /its certificate has expired: make a new one/,
      /your certificate has expired: make a new one/,
    ],
    [
      'a certificate from the future',
      { credentials: credentialsFor('b', { wallMs: wallMs + dayMs, days: 3 }) },
      /its certificate is not valid yet: set the clocks/,
      /your certificate is not valid yet/,
    ],
    [
      'a certificate of another CA',
      { credentials: credentialsFor('b', { authority: foreign }) },
      /its certificate is not signed by the CA of this side/,
      /your certificate is not signed by the CA/,
    ],
  ];
  test.each(cases)('%s', async (_name, options, ours, theirs) => {
    const addresses = await Promise.all([freeAddress(), freeAddress()]);
    const a = await startAgent({ node: 'a', port: addresses[0].port, peers: addresses });
    const b = await startAgent({ node: 'b', port: addresses[1].port, peers: addresses, ...options });
    expect((await soleLink(a, 'rejected')).detail).toMatch(ours);
    expect((await soleLink(b, 'rejected')).detail).toMatch(theirs);
    await expect(a.network.request('b', 'x', {}, { timeoutMs: 100 })).rejects.toThrow(coded('PEER_UNREACHABLE'));
  });

  test('a second agent of the same name', async () => {
    const a = await startAgent({ node: 'a' });
    const twin = await startAgent({ node: 'a', peers: [a.listener.address] });
    expect((await soleLink(twin, 'rejected')).detail).toMatch(/two agents call themselves 'a'/);
    expect(a.network.links()).toEqual([]);
  });

  test('something else that listens there', async () => {
    const plain = createServer((socket) => socket.end('SSH-2.0-OpenSSH_9.2p1\r\n')).listen(0, '127.0.0.1');
    open.add({ [Symbol.asyncDispose]: async () => void plain.close() });
    await once(plain, 'listening');
    const a = await startAgent({ node: 'a', peers: [{ host: '127.0.0.1', port: (plain.address() as AddressInfo).port }] });
    expect((await soleLink(a, 'rejected')).detail).toMatch(/no Holdfast agent speaks there/);
  });
});

describe('someone who is let in by certificate but', () => {
  const speak = async (agent: Agent, node: string, ...frames: (Buffer | string)[]): Promise<string> => {
    const socket = connectTls({
      ...agent.listener.address,
      ...credentialsFor(node),
      ALPNProtocols: [peerProtocol],
      checkServerIdentity: () => undefined,
    });
    socket.on('error', () => {});
    for (const frame of frames) socket.write(frame);
    const chunks: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    await once(socket, 'close');
    return Buffer.concat(chunks).toString('latin1');
  };
  const hello = { type: 'hello', protocol: 1, cluster: 'shop', node: 'z', instance: 'i' };
  const header = (length: number): Buffer => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(length);
    return bytes;
  };

  test.each<[string, (Buffer | string)[], RegExp]>([
    ['says nothing', [], /"hello"/],
    ['speaks another protocol', [encodeFrame({ ...hello, protocol: 2 })], /you speak protocol 2/],
    ['sends no JSON', [header(3), 'abc'], /a frame that is not JSON/],
    ['sends JSON that is no message', [encodeFrame([1, 2])], /a message of an unknown type/],
    ['asks before the introduction', [encodeFrame({ type: 'ask', id: 1, kind: 'x', body: 1 })], /you did not introduce yourself/],
    ['announces a giant frame as a stranger', [header(1024 * 1024)], /a frame of 1048576 bytes; 1 to 4096/],
    ['announces an empty frame', [header(0)], /a frame of 0 bytes/],
    [
      'announces a giant frame as a friend',
      [encodeFrame(hello), encodeFrame({ type: 'welcome' }), header(0xffff_ffff)],
      /a frame of 4294967295 bytes; 1 to 1048576/,
    ],
    ['introduces itself twice', [encodeFrame(hello), encodeFrame({ type: 'welcome' }), encodeFrame(hello)], /"welcome"/],
    [
      'sends a kind that is none',
      [encodeFrame(hello), encodeFrame({ type: 'welcome' }), encodeFrame({ type: 'cast', kind: '__proto__', body: 1 })],
      /a message without a kind/,
    ],
  ])('%s is cut off, and nobody else is', async (_name, frames, said) => {
    const a = await startAgent({ node: 'a', timing: { dialMs: 300 } });
    const b = await startAgent({ node: 'b', peers: [a.listener.address] });
    await soleLink(b, 'connected');
    expect(await speak(a, 'z', ...frames)).toMatch(said);
    expect(statuses(a)).toEqual({ b: 'connected' });
  });

  test('has no certificate at all is told so', async () => {
    const a = await startAgent({ node: 'a' });
    const socket = connectTls({
      ...a.listener.address,
      ca: authority.certificate,
      ALPNProtocols: [peerProtocol],
      checkServerIdentity: () => undefined,
    });
    expect((await socket.toArray()).join('')).toMatch(/you showed no certificate/);
  });
});

/** Takes connections and says nothing. */
async function silentServer(): Promise<Server> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => void sockets.add(socket.on('error', () => {}))).listen(0, '127.0.0.1');
  await once(server, 'listening');
  open.add({
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  });
  return server;
}

/** A wire between two agents that can be held still: connections stay, nothing passes. */
async function startRelay(to: { host: string; port: number }) {
  const pairs = new Set<[Socket, Socket]>();
  let paused = false;
  const server = createServer((near) => {
    const far = connect(to.port, to.host);
    const pair: [Socket, Socket] = [near, far];
    pairs.add(pair);
    near.on('close', () => pairs.delete(pair));
    for (const [from, into] of [pair, [far, near] as const]) {
      from.on('error', () => {});
      from.on('data', (chunk) => void into.write(chunk));
      from.on('close', () => into.destroy());
      if (paused) from.pause();
    }
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const relay = {
    address: { host: '127.0.0.1', port: (server.address() as AddressInfo).port },
    connections: () => pairs.size,
    pause: () => {
      paused = true;
      for (const socket of [...pairs].flat()) socket.pause();
    },
    resume: () => {
      paused = false;
      for (const socket of [...pairs].flat()) socket.resume();
    },
  };
  open.add({
    [Symbol.asyncDispose]: async () => {
      for (const socket of [...pairs].flat()) socket.destroy();
      server.close();
    },
  });
  return relay;
}
