import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import type { Address } from '../../../core/address.ts';
import { silentLogger } from '../../../core/logger.ts';
import { createClock, createRandom } from '../../../runtime/index.ts';
import { configSchema, inspectStore, open } from './index.ts';
import { Connection, HANDSHAKE_BYTES_MAX } from './connection.ts';
import { isTooOld } from './ensemble.ts';
import { parseServerReport } from './four-letter.ts';
import { FRAME_BYTES_MAX } from './frames.ts';
import { JuteWriter } from './jute.ts';
import { exists } from './protocol.ts';

// What a stranger on the port can send: servers of our own that misbehave on purpose.

const clock = createClock();
const runtime = { clock, random: createRandom(), logger: silentLogger };
const never = new AbortController().signal;

class Stranger implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  constructor(server: Server) {
    this.#server = server;
    server.on('connection', (socket) => {
      this.#sockets.add(
        socket
          .on('error', () => {})
          .on('close', () => this.#sockets.delete(socket))
          .resume(),
      );
    });
  }

  static async start(greet: (socket: Socket) => void): Promise<Stranger> {
    const server = createServer();
    const stranger = new Stranger(server);
    server.on('connection', greet);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return stranger;
  }

  get address(): Address {
    return { host: '127.0.0.1', port: (this.#server.address() as AddressInfo).port };
  }

  get connections(): number {
    return this.#sockets.size;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

function connect({ address }: { address: Address }, options: { limitMs?: number; replyLimitMs?: number } = {}): Promise<Connection> {
  return Connection.open(address, {
    clock,
    tls: undefined,
    digest: undefined,
    limitMs: options.limitMs ?? 5_000,
    replyLimitMs: options.replyLimitMs ?? 5_000,
    signal: never,
    ttlMs: 4_000,
    session: undefined,
    lastZxid: 0n,
    seen: { zxid: 0n },
    onEvent: () => {},
  });
}

const welcome = new JuteWriter().int(0).int(4_000).long(1n).bytes(Buffer.alloc(16)).bool(false).frame();
/** Says yes to the first frame, and `answer` to every further one. */
const answering = (answer: (request: Buffer) => Buffer) => (socket: Socket) => {
  let first = true;
  socket.on('data', (chunk: Buffer) => {
    socket.write(first ? welcome : answer(chunk));
    first = false;
  });
};
const reply = (xid: number, code = 0): JuteWriter => new JuteWriter().int(xid).long(1n).int(code);

describe('a port that speaks something else', () => {
  it.each<[string, (socket: Socket) => void]>([
    ['HTTP', (socket) => void socket.once('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'))],
    ['SSH', (socket) => void socket.write('SSH-2.0-OpenSSH_9.2p1\r\n')],
    ['zeros', (socket) => void socket.write(Buffer.alloc(100))],
    ['a frame longer than any answer', (socket) => void socket.write(Buffer.from('7fffffff', 'hex'))],
    [
      'a first frame longer than that of ZooKeeper',
      (socket) => void socket.write(new JuteWriter().bytes(Buffer.alloc(HANDSHAKE_BYTES_MAX)).frame()),
    ],
    ['goodbye at once', (socket) => void socket.end()],
    ['nothing', () => {}],
  ])('%s: says so in time, and holds no connection', { timeout: 20_000 }, async (_, greet) => {
    await using stranger = await Stranger.start(greet);
    await expect(connect(stranger, { limitMs: 300 })).rejects.toMatchObject({ name: 'ZooKeeperFailure' });
    const config = configSchema.parse({ servers: [`127.0.0.1:${stranger.address.port}`] });
    await expect(open(config, runtime, {})).rejects.toMatchObject({ code: 'COORD_UNREACHABLE', retryable: true });
    await expect.poll(() => stranger.connections).toBe(0);
  });

  it('is told apart by the inspection', async () => {
    await using stranger = await Stranger.start((socket) => void socket.once('data', () => socket.end('-ERR unknown command\r\n')));
    const server = `127.0.0.1:${stranger.address.port}`;
    const { servers, findings } = await inspectStore(configSchema.parse({ servers: [server] }), runtime, { ttlMs: 10_000, signal: never });
    expect(servers).toMatchObject([
      { server, role: 'unreachable', detail: expect.stringContaining("does not speak ZooKeeper's protocol") },
    ]);
    expect(findings).toMatchObject([{ level: 'problem' }]);
  });

  it('is not waited for when nothing listens', async () => {
    const stranger = await Stranger.start(() => {});
    const { address } = stranger;
    await stranger[Symbol.asyncDispose]();
    await expect(connect({ address })).rejects.toMatchObject({ kind: 'away', hint: expect.stringContaining('Nothing listens there') });
  });
});

describe('the answer to srvr', () => {
  const address = { host: 'zk1', port: 2181 };

  it.each([
    [
      'Zookeeper version: 3.8.0-${mvngit.commit.id}, built on 2024-12-29 17:54 UTC\nMode: standalone\n',
      { role: 'standalone', version: '3.8.0' },
    ],
    [
      'Zookeeper version: 3.6.3--6401e4ad2087061bc6b9f80dec2d69f2e3c8660a, built on 04/08/2021 16:35 GMT\nMode: leader\n',
      { role: 'leader', version: '3.6.3' },
    ],
    ['Zookeeper version: 3.10.0-SNAPSHOT, built on x\nMode: read-only\n', { role: 'read-only', version: '3.10.0' }],
    ['Zookeeper version: 3.9.2\nMode: something new\n', { role: 'unknown', version: '3.9.2' }],
    ['This ZooKeeper instance is not currently serving requests\n', { role: 'idle', version: '' }],
    ['srvr is not executed because it is not in the whitelist.\n', { role: 'unknown', version: '' }],
  ])('%j', (answer, report) => {
    expect(parseServerReport(answer, address)).toEqual(report);
  });

  it.each(['', 'Mode: leader', 'HTTP/1.1 400 Bad Request'])('%j is not ZooKeeper', (answer) => {
    expect(() => parseServerReport(answer, address)).toThrow(expect.objectContaining({ kind: 'foreign' }));
  });

  it.each([
    ['', false],
    ['3.4.13', true],
    ['3.5.10', true],
    ['3.6.0', false],
    ['3.10.1', false],
    ['4.0.0', false],
  ])('version %j is too old: %j', (version, tooOld) => {
    expect(isTooOld(version)).toBe(tooOld);
  });
});

describe('a server that misbehaves later', () => {
  it.each<[string, (request: Buffer) => Buffer]>([
    ['answers what nobody asked', () => reply(77).frame()],
    ['answers in another order', () => reply(2).frame()],
    ['ends an answer within a field', () => reply(1).long(1n).frame()],
    ['announces more than is accepted', () => Buffer.from((FRAME_BYTES_MAX + 1).toString(16).padStart(8, '0'), 'hex')],
    ['announces less than nothing', () => Buffer.from('80000000', 'hex')],
    ['sends an event that ends within a field', () => reply(-1).int(1).frame()],
  ])('%s: the connection is given up', async (_, answer) => {
    await using stranger = await Stranger.start(answering(answer));
    const connection = await connect(stranger);
    await expect(connection.submit(exists('/a'))).rejects.toMatchObject({ kind: 'foreign' });
    expect(connection.closed.aborted).toBe(true);
    await expect(connection.submit(exists('/a'))).rejects.toMatchObject({ kind: 'away' });
  });

  it('goes silent: what was asked fails within the limit, as lost', async () => {
    await using stranger = await Stranger.start(answering(() => Buffer.alloc(0)));
    const connection = await connect(stranger, { replyLimitMs: 200 });
    const [first, second, ping] = [connection.submit(exists('/a')), connection.submit(exists('/b')), connection.ping()];
    for (const asked of [first, second, ping])
      await expect(asked).rejects.toMatchObject({ kind: 'lost', message: expect.stringContaining('no answer for 200 ms') });
  });

  it('drips an answer: that is no answer', async () => {
    await using stranger = await Stranger.start(
      answering(() => {
        const whole = reply(1).bytes(Buffer.alloc(1_000)).frame();
        return whole.subarray(0, 10);
      }),
    );
    const connection = await connect(stranger, { replyLimitMs: 200 });
    await expect(connection.submit(exists('/a'))).rejects.toMatchObject({ kind: 'lost' });
  });

  it('refuses a session that it does not know: that is the end of it', async () => {
    const gone = new JuteWriter().int(0).int(0).long(0n).bytes(Buffer.alloc(16)).bool(false).frame();
    await using stranger = await Stranger.start((socket) => void socket.once('data', () => socket.write(gone)));
    await expect(connect(stranger)).rejects.toMatchObject({ kind: 'expired' });
  });
});
