import {
  Server,
  ServerCredentials,
  status as grpcStatuses,
  type ServiceDefinition,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import http from 'node:http';
import http2 from 'node:http2';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { expect, it } from 'vitest';
import { createClock } from '../../../runtime/index.ts';
import { openConnection, type Connection } from './connection.ts';
import { Deadline } from './deadline.ts';
import { CallFailure } from './failure.ts';
import { MESSAGE_BYTES_MAX } from './frames.ts';

const clock = createClock();
const never = new AbortController().signal;
const asIs = { requestSerialize: bytes, requestDeserialize: bytes, responseSerialize: bytes, responseDeserialize: bytes };

function bytes(value: Buffer): Buffer {
  return value;
}

const service: ServiceDefinition = {
  echo: { path: '/test/Echo', requestStream: false, responseStream: false, ...asIs },
  fail: { path: '/test/Fail', requestStream: false, responseStream: false, ...asIs },
  hang: { path: '/test/Hang', requestStream: false, responseStream: false, ...asIs },
  flood: { path: '/test/Flood', requestStream: true, responseStream: true, ...asIs },
  talk: { path: '/test/Talk', requestStream: true, responseStream: true, ...asIs },
};

/** A gRPC server of another implementation, with a method for each way to answer. */
async function startGrpc(handlers: Partial<UntypedServiceImplementation>): Promise<{ url: string } & AsyncDisposable> {
  const server = new Server({ 'grpc.max_receive_message_length': -1, 'grpc.max_send_message_length': -1 });
  server.addService(service, handlers as UntypedServiceImplementation);
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => (error ? reject(error) : resolve(bound))),
  );
  return { url: `http://127.0.0.1:${port}`, [Symbol.asyncDispose]: async () => server.forceShutdown() };
}

/** Any TCP server. */
async function startTcp(onSocket: (socket: Socket) => void): Promise<{ url: string } & AsyncDisposable> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => {}));
    onSocket(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

/** An HTTP/2 server that answers every request by hand. */
async function startHttp2(onStream: (stream: http2.ServerHttp2Stream) => void): Promise<{ url: string } & AsyncDisposable> {
  const sessions = new Set<http2.ServerHttp2Session>();
  const server = http2.createServer();
  server.on('session', (session) => sessions.add(session));
  server.on('stream', (stream) => onStream(stream.on('error', () => {})));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: async () => {
      for (const session of sessions) session.destroy();
      server.close();
    },
  };
}

async function dial(url: string, limitMs = 5_000): Promise<Connection> {
  using deadline = new Deadline(clock, limitMs, 'no connection', []);
  return await openConnection(url, {}, clock, deadline.signal);
}

const failure = (kind: string, message: RegExp): object =>
  expect.objectContaining({ kind, message: expect.stringMatching(message) as string });

it('exchanges messages of every size with another implementation', async () => {
  await using server = await startGrpc({
    echo: ({ request }: { request: Buffer }, reply: (error: null, value: Buffer) => void) => reply(null, request),
  });
  using connection = await dial(server.url);
  for (const size of [0, 1, 16_383, 16_384, 70_000, 3_000_000]) {
    const message = Buffer.alloc(size, 'x');
    expect((await connection.unary('/test/Echo', message, {}, never)).equals(message), `${size} bytes`).toBe(true);
  }
  const many = await Promise.all(Array.from({ length: 100 }, (_, n) => connection.unary('/test/Echo', Buffer.from(String(n)), {}, never)));
  expect(many.map(String)).toEqual(Array.from({ length: 100 }, (_, n) => String(n)));
});

it('tells the status and message of a refusal, in any script', async () => {
  const details = 'etcdserver: ключ – 100 % 不可\n';
  await using server = await startGrpc({
    fail: (_: unknown, reply: (error: object) => void) => reply({ code: grpcStatuses.FAILED_PRECONDITION, details }),
  });
  using connection = await dial(server.url);
  await expect(connection.unary('/test/Fail', Buffer.alloc(0), {}, never)).rejects.toMatchObject({
    kind: 'status',
    status: 9,
    message: details,
  });
  await expect(connection.unary('/test/NoSuchMethod', Buffer.alloc(0), {}, never)).rejects.toMatchObject({ kind: 'status', status: 12 });
  expect(connection.usable).toBe(true);
});

it('carries a conversation both ways, and its end', async () => {
  await using server = await startGrpc({
    talk: (call: NodeJS.ReadWriteStream) => {
      call.on('data', (message: Buffer) => call.write(Buffer.from(String(message).toUpperCase())));
      call.on('end', () => call.end());
    },
  });
  using connection = await dial(server.url);
  using call = connection.start('/test/Talk', {});
  for (const word of ['one', 'two', 'three']) {
    call.send(Buffer.from(word));
    expect(String(await call.next())).toBe(word.toUpperCase());
  }
  call.send(Buffer.from('last'), true);
  expect(String(await call.next())).toBe('LAST');
  expect(await call.next()).toBeUndefined();
});

it('stops waiting with its signal, and tells the server', async () => {
  const cancelled = Promise.withResolvers<void>();
  await using server = await startGrpc({ hang: (call: NodeJS.EventEmitter) => call.on('cancelled', () => cancelled.resolve()) });
  using connection = await dial(server.url);
  const abort = new AbortController();
  const call = connection.unary('/test/Hang', Buffer.alloc(0), {}, abort.signal);
  const reason = new Error('enough');
  setImmediate(() => abort.abort(reason));
  await expect(call).rejects.toBe(reason);
  await cancelled.promise;
  await expect(connection.unary('/test/Hang', Buffer.alloc(0), {}, AbortSignal.abort(reason))).rejects.toBe(reason);
});

it('lets a slow reader hold the server back, instead of storing what it sends', async () => {
  let sentBytes = 0;
  await using server = await startGrpc({
    flood: (call: NodeJS.WritableStream & NodeJS.EventEmitter & { cancelled: boolean }) => {
      const chunk = Buffer.alloc(64 * 1024);
      const pour = (): void => {
        while (!call.cancelled && sentBytes < 400_000_000) {
          sentBytes += chunk.length;
          if (!call.write(chunk)) return void call.once('drain', pour);
        }
      };
      pour();
    },
  });
  using connection = await dial(server.url);
  using call = connection.start('/test/Flood', {});
  expect((await call.next())?.length).toBe(64 * 1024);
  await clock.sleep(700);
  const whileIdle = sentBytes;
  expect(whileIdle).toBeLessThan(16_000_000);
  for (let n = 0; n < 500; n += 1) expect((await call.next())?.length).toBe(64 * 1024);
  expect(sentBytes).toBeGreaterThan(whileIdle);
});

it('refuses a giant answer by its announced length, without storing it', async () => {
  let sentBytes = 0;
  await using server = await startHttp2((stream) => {
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' });
    const header = Buffer.alloc(5);
    header.writeUInt32BE(MESSAGE_BYTES_MAX * 100, 1);
    const chunk = Buffer.alloc(256 * 1024);
    const pour = (): void => {
      while (!stream.destroyed && !stream.closed) {
        sentBytes += chunk.length;
        if (!stream.write(chunk)) return void stream.once('drain', pour);
      }
    };
    stream.write(header, pour);
  });
  using connection = await dial(server.url);
  const before = process.memoryUsage.rss();
  await expect(connection.unary('/x/Y', Buffer.alloc(0), {}, never)).rejects.toEqual(failure('nonsense', /3355443200 bytes/));
  await clock.sleep(200);
  expect(process.memoryUsage.rss() - before).toBeLessThan(100_000_000);
  expect(sentBytes).toBeLessThan(50_000_000);
});

it.each<[string, (stream: http2.ServerHttp2Stream) => void, string, RegExp]>([
  [
    'a web page',
    (stream) => (stream.respond({ ':status': 200, 'content-type': 'text/html' }), stream.end('<html>')),
    'nonsense',
    /not gRPC/,
  ],
  ['404', (stream) => stream.respond({ ':status': 404 }, { endStream: true }), 'nonsense', /status 404/],
  [
    'no status at the end',
    (stream) => (stream.respond({ ':status': 200, 'content-type': 'application/grpc' }), stream.end()),
    'lost',
    /ended before/,
  ],
  ['a reset', (stream) => stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR), 'lost', /./],
  ['a refused stream', (stream) => stream.close(http2.constants.NGHTTP2_REFUSED_STREAM), 'unsent', /./],
  [
    'half a message',
    (stream) => {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
      stream.end(Buffer.from([0, 0, 0, 0, 9, 1]));
    },
    'nonsense',
    /ends within a message/,
  ],
  [
    'OK without a message',
    (stream) => stream.respond({ ':status': 200, 'content-type': 'application/grpc', 'grpc-status': '0' }, { endStream: true }),
    'nonsense',
    /not exactly one/,
  ],
  [
    'a status that is no number',
    (stream) =>
      stream.respond(
        { ':status': 200, 'content-type': 'application/grpc', 'grpc-status': 'x', 'grpc-message': '%zz' },
        { endStream: true },
      ),
    'status',
    /%zz/,
  ],
])('says what is wrong with an answer that is %s', async (_, respond, kind, message) => {
  await using server = await startHttp2(respond);
  using connection = await dial(server.url);
  await expect(connection.unary('/x/Y', Buffer.alloc(0), {}, never)).rejects.toEqual(failure(kind, message));
});

it('takes no port for etcd that does not speak HTTP/2', async () => {
  await using web = await startTcp((socket) => socket.on('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')));
  await expect(dial(web.url)).rejects.toMatchObject({ kind: 'unsent', hint: expect.stringMatching(/HTTP\/2/) as string });
  await using postgres = await startTcp((socket) => socket.write(Buffer.from([0x45, 0, 0, 0, 0x10])));
  await expect(dial(postgres.url, 1_000)).rejects.toBeInstanceOf(CallFailure);
  await using closing = await startTcp((socket) => socket.destroy());
  await expect(dial(closing.url)).rejects.toMatchObject({ kind: 'unsent' });
  await using silent = await startTcp(() => {});
  await expect(dial(silent.url, 300)).rejects.toMatchObject({ kind: 'timeout' });
  await using plain = await startTcp((socket) => socket.on('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')));
  await expect(dial(plain.url.replace('http:', 'https:'))).rejects.toMatchObject({
    kind: 'unsent',
    hint: expect.stringMatching(/does not speak TLS/) as string,
  });
  const server = http.createServer((_, response) => response.end('hello'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    await expect(dial(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)).rejects.toMatchObject({ kind: 'unsent' });
  } finally {
    server.close();
  }
});

it('says who is not there', async () => {
  const gone = await startTcp(() => {});
  await gone[Symbol.asyncDispose]();
  await expect(dial(gone.url)).rejects.toMatchObject({
    kind: 'unsent',
    message: expect.stringContaining(gone.url) as string,
    hint: expect.stringMatching(/Nothing listens/) as string,
  });
  await expect(dial('http://no-such-host.invalid:2379')).rejects.toMatchObject({
    kind: 'unsent',
    hint: expect.stringMatching(/does not resolve/) as string,
  });
});

it('gives up a connection whose other end fell silent, soon after something was asked', async () => {
  const relayed: Socket[] = [];
  await using server = await startGrpc({
    echo: ({ request }: { request: Buffer }, reply: (error: null, value: Buffer) => void) => reply(null, request),
  });
  const port = Number(new URL(server.url).port);
  const { connect } = await import('node:net');
  await using relay = await startTcp((socket) => {
    const upstream = connect(port, '127.0.0.1');
    relayed.push(upstream.on('error', () => {}));
    socket.pipe(upstream);
    upstream.pipe(socket);
  });
  using connection = await dial(relay.url);
  await connection.unary('/test/Echo', Buffer.from('x'), {}, never);
  for (const socket of relayed) socket.unpipe().pause();
  using deadline = new Deadline(clock, 6_000, 'no answer', []);
  await expect(connection.unary('/test/Echo', Buffer.from('x'), {}, deadline.signal)).rejects.toMatchObject({ kind: 'lost' });
  expect(connection.usable).toBe(false);
  await expect(connection.unary('/test/Echo', Buffer.from('x'), {}, never)).rejects.toMatchObject({ kind: 'unsent' });
  for (const socket of relayed) socket.destroy();
});

it('does not give up a server that is only slow', async () => {
  await using server = await startGrpc({
    echo: ({ request }: { request: Buffer }, reply: (error: null, value: Buffer) => void) =>
      void clock.after(2_500, () => reply(null, request)),
  });
  using connection = await dial(server.url);
  expect(String(await connection.unary('/test/Echo', Buffer.from('slow'), {}, never))).toBe('slow');
  expect(connection.usable).toBe(true);
});
