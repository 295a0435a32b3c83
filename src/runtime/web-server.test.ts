import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, expect, test } from 'vitest';
import { silentLogger } from '../core/logger.ts';
import { createClock, createRandom } from './index.ts';
import { openWebServer, type WebServer, type WebServerOptions } from './web-server.ts';

const runtime = { clock: createClock(), random: createRandom(), logger: silentLogger };
const stack: AsyncDisposable[] = [];
afterEach(async () => {
  for (const each of stack.splice(0)) await each[Symbol.asyncDispose]();
});

/** Answers with what waits until it is let go. */
async function serverOf(
  options: Partial<WebServerOptions> = {},
): Promise<{ server: WebServer; release: () => void; asked: Promise<void> }> {
  const released = Promise.withResolvers<void>();
  const asked = Promise.withResolvers<void>();
  const server = await openWebServer(
    { host: '127.0.0.1', port: 0, ...options },
    (request, response) => {
      if (request.url === '/quick') return void response.end('quick');
      asked.resolve();
      void released.promise.then(() => response.end('done'));
    },
    runtime,
  );
  stack.push(server);
  return { server, release: released.resolve, asked: asked.promise };
}

function dial({ address }: WebServer, words: string): Socket {
  const socket = connect(address.port, address.host);
  socket.on('error', () => {});
  socket.write(words);
  return socket;
}

function ended(socket: Socket): Promise<void> {
  // The end is heard by who listens.
  socket.resume();
  return new Promise((resolve) => (socket.destroyed ? resolve() : socket.once('close', () => resolve())));
}

const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`;

test('closing lets what is under way end, and nothing begin', async () => {
  const { server, release, asked } = await serverOf();
  const idle = dial(server, get('/quick'));
  await once(idle, 'data');
  const busy = dial(server, get('/slow'));
  const answered = text(busy);
  await asked;
  const closed = server.close(60_000);
  await ended(idle);
  await ended(dial(server, get('/late')));
  release();
  expect(await answered).toContain('done');
  await closed;
});

test('closing waits no longer than it is told to', async () => {
  const { server, asked } = await serverOf();
  const busy = dial(server, get('/slow'));
  await asked;
  await server.close(50);
  await ended(busy);
});

test('who says nothing, or not all of a header, is cut; so are more connections than there may be', async () => {
  const { server } = await serverOf({ limits: { headersMs: 200, connectionsMax: 2 } });
  const half = dial(server, 'GET / HTTP/1.1\r\nHost');
  const answer = text(half);
  const silent = dial(server, '');
  await once(silent, 'connect');
  const third = dial(server, get('/quick'));
  expect(await text(third).catch(() => '')).toBe('');
  expect(await answer).toContain('408');
  await ended(silent);
});

test('headers have a bound', async () => {
  const { server } = await serverOf();
  expect(await text(dial(server, `GET /quick HTTP/1.1\r\nHost: x\r\nX: ${'a'.repeat(20_000)}\r\n\r\n`))).toContain('431');
});

test('a port that is taken is told', async () => {
  const { server } = await serverOf();
  await expect(serverOf({ port: server.address.port })).rejects.toMatchObject({ code: 'LISTEN_PORT_IN_USE' });
  await expect(serverOf({ host: '192.0.2.1' })).rejects.toMatchObject({ code: 'LISTEN_FAILED' });
});
