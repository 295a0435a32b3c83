import { createServer as createTlsServer, connect as connectTls } from 'node:tls';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { silentLogger } from '../../../core/logger.ts';
import { createClock } from '../../../runtime/clock.ts';
import { createRandom } from '../../../runtime/random.ts';
import { eventually, TestClient, TestMember } from '../../contract/tcp.ts';
import type { Router, RouteView } from '../../router.ts';
import { configSchema, type ProxyConfig } from './config.ts';
import { proxy } from './index.ts';
import { fatalError } from './startup.ts';
import { authenticationOk, backendKey, cancelRequest, gssRequest, readyForQuery, sslRequest, startupMessage } from './test-wire.ts';

const clock = createClock();
const runtime = { clock, random: createRandom(), logger: silentLogger };
const anyPort = { host: '127.0.0.1', port: 0 };
const defaults: ProxyConfig = configSchema.parse({ write: '127.0.0.1:1' });

/** A server that answers what clients begin with as `state` says, and keeps what it was told. */
class FakePostgres implements AsyncDisposable {
  state: 'ready' | 'starting' | 'mute' | 'hangs up' = 'ready';
  tls: 'none' | 'yes' = 'none';
  /** Does not close when the other side has. */
  keepsOpen = false;
  readonly heard: Buffer[] = [];
  readonly secret: Buffer = Buffer.from('a1a2a3a4', 'hex');
  readonly member: TestMember;

  static async start(node: string): Promise<FakePostgres> {
    const serve = (socket: Socket): void => fake.#serve(socket);
    const fake: FakePostgres = new FakePostgres(await TestMember.start(node, (socket) => serve(socket)));
    return fake;
  }

  private constructor(member: TestMember) {
    this.member = member;
  }

  get processId(): number {
    return this.member.port;
  }

  #serve(socket: Socket): void {
    if (!this.keepsOpen) socket.on('end', () => socket.end());
    socket.on('data', (chunk: Buffer) => {
      this.heard.push(chunk);
      if (chunk.equals(sslRequest)) return void socket.write(this.tls === 'yes' ? 'S' : 'N');
      if (chunk.length >= 16 && chunk.readUInt32BE(4) === 80_877_102) return socket.destroy();
      if (chunk.length < 8 || chunk.readUInt32BE(4) !== 0x0003_0000) return void socket.write(chunk);
      if (this.state === 'mute') return;
      if (this.state === 'hangs up') return socket.destroy();
      if (this.state === 'starting') return void socket.end(fatalError('57P03', 'the database system is starting up', ''));
      socket.write(Buffer.concat([authenticationOk, backendKey(this.processId, this.secret), readyForQuery]));
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.member[Symbol.asyncDispose]();
  }
}

describe('the router before PostgreSQL', () => {
  let resources = new AsyncDisposableStack();
  let a: FakePostgres;
  let b: FakePostgres;
  beforeEach(async () => {
    a = resources.use(await FakePostgres.start('a'));
    b = resources.use(await FakePostgres.start('b'));
  });
  afterEach(async () => {
    await resources.disposeAsync();
    resources = new AsyncDisposableStack();
  });

  const open = async (overrides: Partial<ProxyConfig> = {}): Promise<Router> =>
    resources.use(await proxy.open('orders', { ...defaults, write: anyPort, read: anyPort, ...overrides }, runtime));
  const connect = async (router: Router, port: 'write' | 'read' = 'write'): Promise<TestClient> =>
    resources.use(await TestClient.connect(router.status()[port]!));
  const until = (condition: () => boolean, what: string): Promise<void> => eventually(clock, condition, what);
  const isServed = (client: TestClient): Promise<void> => until(() => client.heard.includes(readyForQuery), 'a client is served');
  const isHeld = (router: Router): Promise<void> => until(() => router.status().connections.held === 1, 'a client is held');
  const errorOf = async (client: TestClient): Promise<{ state: string; text: string }> => {
    await until(() => client.ending !== undefined, 'a client is sent away');
    const fields = client.heard.toString('utf8', 5).split('\0');
    expect(client.ending).toBe('end');
    expect(client.heard.readUInt32BE(1)).toBe(client.heard.length - 1);
    return {
      state: fields.find((field) => field.startsWith('C'))!.slice(1),
      text: fields.find((field) => field.startsWith('M'))!.slice(1),
    };
  };

  it('answers a request for GSS encryption itself, and for TLS as the server does', async () => {
    const router = await open();
    router.publish(view(1, a));
    const client = await connect(router);
    client.say(gssRequest);
    await until(() => client.text === 'N', 'GSS is declined');
    client.say(sslRequest);
    await until(() => client.text === 'NN', 'TLS is declined');
    client.say(startupMessage('ann'));
    await isServed(client);
    expect(Buffer.concat(a.heard)).toEqual(Buffer.concat([sslRequest, startupMessage('ann')]));
    expect(a.member.accepted).toBe(1);
  });

  it('declines TLS itself where so configured', async () => {
    const router = await open({ tls: 'refuse' });
    const client = await connect(router);
    client.say(sslRequest);
    await until(() => client.text === 'N', 'TLS is declined without a server');
    router.publish(view(1, a));
    client.say(startupMessage('ann'));
    await isServed(client);
    expect(Buffer.concat(a.heard)).toEqual(startupMessage('ann'));
  });

  it('holds before it answers anything, so that TLS is agreed on with the server that will serve', async () => {
    b.tls = 'yes';
    const router = await open();
    const client = await connect(router);
    client.say(sslRequest);
    await isHeld(router);
    expect(client.heard.length).toBe(0);
    router.publish(view(1, b));
    await until(() => client.text === 'S', 'TLS is agreed on');
    client.say('ciphertext');
    await until(() => client.text === 'Sciphertext', 'bytes go through');
  });

  it('forgets a server that has no TLS when the leadership moves before the start-up message', async () => {
    const router = await open();
    router.publish(view(1, a));
    const client = await connect(router);
    client.say(sslRequest);
    await until(() => client.text === 'N', 'TLS is declined');
    router.publish(view(2, b));
    client.say(startupMessage('ann'));
    await isServed(client);
    expect(client.heard.includes(backendKey(b.processId, b.secret))).toBe(true);
    expect(Buffer.concat(a.heard)).toEqual(sslRequest);
    await until(() => a.member.sockets.size === 0, 'the old server is left');
  });

  it('tries again while the server says that it is starting, and shows the client nothing of it', async () => {
    a.state = 'starting';
    const router = await open();
    router.publish(view(1, a));
    const client = await connect(router);
    client.say(startupMessage('ann'));
    await until(() => a.member.accepted >= 3, 'the router tries again');
    expect(client.heard.length).toBe(0);
    a.state = 'ready';
    await isServed(client);
    expect(client.heard.includes('starting')).toBe(false);
  });

  it('tries again when the server hangs up without a word', async () => {
    a.state = 'hangs up';
    const router = await open();
    router.publish(view(1, a));
    const client = await connect(router);
    client.say(startupMessage('ann'));
    await until(() => a.member.accepted >= 2, 'the router tries again');
    a.state = 'ready';
    await isServed(client);
  });

  it('moves a client whose server took its start-up message and fell silent', async () => {
    a.state = 'mute';
    const router = await open();
    router.publish(view(1, a));
    const client = await connect(router);
    client.say(startupMessage('ann'));
    await until(() => a.heard.length === 1, 'the silent server has it');
    router.publish(view(2, b));
    await isServed(client);
    expect(client.ending).toBeUndefined();
  });

  it('says why when the hold is over', async () => {
    const router = await open({ hold: { connections: 10, for: 150 } });
    const client = await connect(router);
    client.say(startupMessage('ann'));
    expect(await errorOf(client)).toEqual({ state: '57P03', text: "service 'orders' can not be reached: it has no leader; waited 150ms" });
    await a.member.die();
    router.publish(view(1, a));
    const late = await connect(router);
    late.say(startupMessage('ann'));
    expect((await errorOf(late)).text).toMatch(
      /^service 'orders' can not be reached: leader a does not take connections \(connect ECONNREFUSED .*\); waited 150ms$/,
    );
    expect(router.status().refusedTotal).toBe(2);
  });

  it('says why when too many wait, and when there are too many altogether', async () => {
    const router = await open({ hold: { connections: 0, for: 1000 }, maxConnections: 1 });
    const client = await connect(router);
    client.say(startupMessage('ann'));
    expect((await errorOf(client)).state).toBe('57P03');
    client.socket.destroy();
    router.publish(view(1, a));
    await clock.sleep(20);
    const first = await connect(router);
    first.say(startupMessage('ann'));
    await isServed(first);
    const second = await connect(router);
    expect(await errorOf(second)).toMatchObject({ state: '53300' });
    second.socket.destroy();
    first.socket.destroy();
    await until(() => router.status().connections.write === 0, 'there is room again');
    const third = await connect(router);
    third.say(startupMessage('ann'));
    await isServed(third);
  });

  it('sends nonsense away', async () => {
    const router = await open();
    router.publish(view(1, a));
    for (const nonsense of ['GET / HTTP/1.1\r\n\r\n', Buffer.alloc(64), Buffer.concat([sslRequest, startupMessage('eve')])]) {
      const client = await connect(router);
      client.say(nonsense);
      expect((await errorOf(client)).state).toBe('08P01');
    }
    const twice = await connect(router);
    twice.say(gssRequest);
    await until(() => twice.text === 'N', 'the first is answered');
    twice.say(gssRequest);
    await until(() => twice.ending !== undefined, 'the second is not');
    expect(a.member.accepted).toBe(0);
    await until(() => router.status().connections.write === 0, 'nothing is left');
  });

  it('frees the place of a client that leaves at any point of its start-up', async () => {
    a.state = 'mute';
    const router = await open();
    router.publish(view(1, a));
    for (const words of ['', startupMessage('ann').subarray(0, 9), startupMessage('ann')]) {
      const client = await connect(router);
      client.say(words);
      await clock.sleep(30);
      client.socket.destroy();
    }
    await until(() => a.member.sockets.size === 0, 'the server is left');
    await router[Symbol.asyncDispose]();
  });

  it('takes a cancellation to the server of the session, and no other', async () => {
    const router = await open();
    router.publish(view(1, a, [b]));
    const [writer, reader] = [await connect(router), await connect(router, 'read')];
    for (const client of [writer, reader]) {
      client.say(startupMessage('ann'));
      await isServed(client);
    }
    const cancel = cancelRequest(b.processId, b.secret);
    // On the other port than the session's, as when both names lead to one pool.
    const canceller = await connect(router, 'write');
    canceller.say(cancel);
    await until(() => canceller.ending === 'end', 'the request is dealt with');
    expect(b.heard.at(-1)).toEqual(cancel);
    expect(a.heard).toHaveLength(1);
  });

  it('takes a cancellation of unknown origin to every server of the port', async () => {
    const router = await open();
    router.publish(view(1, a, [b]));
    const cancel = cancelRequest(1, Buffer.from('00000000', 'hex'));
    const canceller = await connect(router, 'read');
    canceller.say(cancel);
    await until(() => canceller.ending === 'end', 'the request is dealt with');
    expect([a.heard.at(-1), b.heard.at(-1)]).toEqual([cancel, cancel]);
  });

  it('forgets cancellation keys with their sessions', async () => {
    const router = await open();
    router.publish(view(1, a, [b]));
    const reader = await connect(router, 'read');
    reader.say(startupMessage('ann'));
    await isServed(reader);
    reader.socket.destroy();
    await until(() => router.status().connections.read === 0, 'the session is over');
    const canceller = await connect(router, 'write');
    canceller.say(cancelRequest(b.processId, b.secret));
    await until(() => canceller.ending === 'end', 'the request is dealt with');
    expect(b.heard).toHaveLength(1);
  });

  it('cuts a client that does not take its answers', async () => {
    const router = await open();
    router.publish(view(1, a));
    const client = await connect(router);
    client.say(startupMessage('ann'));
    await isServed(client);
    client.socket.pause();
    client.say(Buffer.alloc(32 << 20, 'x'));
    await clock.sleep(200);
    router.publish(view(2, b));
    await until(() => router.status().connections.write === 0 && a.member.sockets.size === 0, 'it is cut all the same');
  });

  it('cuts a session that is just being closed', async () => {
    const router = await open();
    router.publish(view(1, a));
    const client = await connect(router);
    client.say(startupMessage('ann'));
    await isServed(client);
    // The server ends its half: the router is shutting down its half towards the client when the cut comes.
    for (const socket of a.member.sockets) socket.end('bye');
    await until(() => client.text.endsWith('bye'), 'the last words arrive');
    router.publish(view(2, b));
    await until(() => router.status().connections.write === 0 && a.member.sockets.size === 0, 'nothing is left');
  });

  it('passes on a client that begins with TLS at once', async () => {
    // A pre-shared key: TLS without certificates.
    const preShared = { ciphers: 'PSK-AES128-GCM-SHA256', maxVersion: 'TLSv1.2' } as const;
    const psk = Buffer.alloc(16, 7);
    const server = createTlsServer({ ...preShared, pskCallback: () => psk }, (socket) => socket.end('secret hello'));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    resources.defer(() => void server.close());
    const router = await open();
    const client = connectTls({
      ...router.status().write!,
      ...preShared,
      pskCallback: () => ({ psk, identity: 'ann' }),
      checkServerIdentity: () => undefined,
    });
    resources.defer(() => void client.destroy());
    const heard: string[] = [];
    client.on('data', (chunk) => heard.push(String(chunk)));
    await isHeld(router);
    const { port } = server.address() as { port: number };
    router.publish({ term: 1, leader: { node: 'a', host: '127.0.0.1', port }, replicas: [] });
    await once(client, 'close');
    expect(heard.join('')).toBe('secret hello');
  });
});

describe('limits', () => {
  it('closes connections on which nothing moves, and half-closed ones sooner', async () => {
    await using a = await FakePostgres.start('a');
    a.keepsOpen = true;
    await using router = await proxy.open(
      'orders',
      { ...defaults, protocol: 'tcp', write: anyPort, idle: { open: 400, halfClosed: 100 } },
      runtime,
    );
    router.publish(view(1, a));
    using idle = await TestClient.connect(router.status().write!);
    using half = await TestClient.connect(router.status().write!);
    half.socket.end();
    await eventually(clock, () => half.ending !== undefined, 'the half-closed one is closed');
    expect(idle.ending).toBeUndefined();
    idle.say('moving');
    await eventually(clock, () => idle.ending !== undefined, 'the idle one is closed');
    await eventually(clock, () => router.status().connections.write === 0, 'nothing is left');
  });

  it('tells which port is in use, and opens neither then', async () => {
    await using a = await FakePostgres.start('a');
    const taken = { host: a.member.host, port: a.member.port };
    await expect(proxy.open('orders', { ...defaults, write: anyPort, read: taken }, runtime)).rejects.toMatchObject({
      code: 'ROUTER_PORT_IN_USE',
      hint: expect.stringContaining('router.read'),
    });
    await expect(proxy.open('orders', { ...defaults, write: { host: '192.0.2.1', port: 0 } }, runtime)).rejects.toMatchObject({
      code: 'ROUTER_ADDRESS_UNUSABLE',
    });
  });

  it('reads its configuration', () => {
    expect(configSchema.parse({ write: '0.0.0.0:6432', lagMax: '1MiB', hold: { for: '5s' } })).toEqual({
      write: { host: '0.0.0.0', port: 6432 },
      tls: 'passthrough',
      hold: { connections: 1000, for: 5000 },
      connectTimeout: 2000,
      lagMax: 1 << 20,
      readFromLeader: 'fallback',
      maxConnections: 5000,
      idle: { halfClosed: 60_000 },
    });
    expect(configSchema.safeParse({}).success).toBe(false);
    expect(configSchema.safeParse({ write: '0.0.0.0:6432', colour: 'red' }).success).toBe(false);
  });
});

function view(term: number, leader: FakePostgres, replicas: readonly FakePostgres[] = []): RouteView {
  const target = ({ member: { node, host, port } }: FakePostgres) => ({ node, host, port });
  return { term, leader: target(leader), replicas: replicas.map((replica) => ({ ...target(replica), lagBytes: 0 })) };
}
