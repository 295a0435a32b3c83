import { request as httpRequest, type IncomingMessage, type RequestListener } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { connect, type Socket } from 'node:net';
import { once } from 'node:events';
import { connect as connectTls } from 'node:tls';
import { afterEach, describe, expect, test } from 'vitest';
import { createAuthority, issueNodeCertificate } from '../agent/certificates.ts';
import { silentLogger } from '../core/logger.ts';
import { createClock } from './clock.ts';
import { openListener, peerProtocol, type Listener, type ListenerOptions } from './listener.ts';
import { createRandom } from './random.ts';

const clock = createClock();
const runtime = { clock, random: createRandom(), logger: silentLogger };
const authority = createAuthority({ cluster: 'shop', wallMs: clock.wallMs(), days: 1 });
const { certificate: cert, key } = issueNodeCertificate(authority, { node: 'db1', hosts: [], wallMs: clock.wallMs(), days: 1 });
const credentials = { ca: authority.certificate, cert, key };

let listener: Listener;
const sockets: Socket[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await listener[Symbol.asyncDispose]();
});

const echo: RequestListener = (request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => response.end(`${request.method} ${request.url} ${Buffer.concat(chunks).length}`));
};

async function open(options: Partial<ListenerOptions> = {}): Promise<void> {
  listener = await openListener(
    { host: '127.0.0.1', port: 0, credentials, plainPaths: ['/', '/primary', '/metrics'], ...options },
    runtime,
  );
  listener.onRequest(echo);
}

async function ask(scheme: 'http' | 'https', method: string, path: string, body = ''): Promise<{ status: number; text: string }> {
  const request = scheme === 'http' ? httpRequest : httpsRequest;
  const sent = request({ host: '127.0.0.1', port: listener.address.port, method, path, agent: false, ca: authority.certificate });
  sent.end(body);
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  const text = (await response.toArray()).join('');
  return { status: response.statusCode!, text };
}

function raw(): Socket {
  const socket = connect(listener.address.port, '127.0.0.1');
  socket.on('error', () => {});
  sockets.push(socket);
  return socket;
}

describe('one port', () => {
  test('answers everything over TLS, whether a client shows a certificate or not', async () => {
    await open();
    expect(await ask('https', 'POST', '/api/v1/services/x/switchover', 'x'.repeat(200_000))).toEqual({
      status: 200,
      text: 'POST /api/v1/services/x/switchover 200000',
    });
  });

  test('answers health checks and metrics without TLS, and nothing else', async () => {
    await open();
    expect(await ask('http', 'GET', '/primary?lag=1MB')).toEqual({ status: 200, text: 'GET /primary?lag=1MB 0' });
    expect((await ask('http', 'OPTIONS', '/')).status).toBe(200);
    expect((await ask('http', 'HEAD', '/metrics')).status).toBe(200);
    for (const [method, path] of [
      ['POST', '/primary'],
      ['GET', '/api/v1/status'],
      ['GET', '/primary/../api'],
      ['GET', '//primary'],
    ] as const) {
      const { status, text } = await ask('http', method, path);
      expect([status, (JSON.parse(text) as { code: string }).code]).toEqual([403, 'API_NEEDS_TLS']);
    }
  });

  test('keeps a connection over several requests, as a stock load balancer sends them', async () => {
    await open();
    const socket = raw();
    let received = '';
    socket.on('data', (chunk) => (received += chunk));
    for (let check = 1; check <= 3; check += 1) {
      socket.write('OPTIONS /primary HTTP/1.1\r\nHost: x\r\n\r\n');
      await expect.poll(() => received.split('HTTP/1.1 200 OK').length - 1).toBe(check);
    }
    const old = raw();
    old.write('OPTIONS / HTTP/1.0\r\n\r\n');
    expect((await old.toArray()).join('')).toMatch(/^HTTP\/1\.1 200 OK/);
  });

  test('takes bytes as slowly as they come', async () => {
    await open();
    const socket = raw();
    for (const letter of 'GET /primary HTTP/1.0\r\n\r\n') {
      socket.write(letter);
      await clock.sleep(1);
    }
    expect((await socket.toArray()).join('')).toMatch(/GET \/primary 0$/);
  });

  test('hands agents over with their certificate unjudged', async () => {
    await open();
    const seen = new Promise<string>((resolve) => {
      listener.onPeer((socket) => {
        resolve(`${socket.authorized} ${socket.getPeerX509Certificate()?.subject}`);
        socket.end('hello');
      });
    });
    const socket = connectTls({ port: listener.address.port, host: '127.0.0.1', ...credentials, ALPNProtocols: [peerProtocol] });
    sockets.push(socket);
    expect((await socket.toArray()).join('')).toBe('hello');
    expect(await seen).toBe('true CN=db1');
  });

  test('uses renewed credentials from then on', async () => {
    await open();
    const renewed = issueNodeCertificate(authority, { node: 'db1', hosts: ['renewed'], wallMs: clock.wallMs(), days: 1 });
    listener.renew({ ca: authority.certificate, cert: renewed.certificate, key: renewed.key });
    const socket = connectTls({ port: listener.address.port, host: '127.0.0.1', ca: authority.certificate });
    sockets.push(socket);
    await once(socket, 'secureConnect');
    expect(socket.getPeerX509Certificate()!.subjectAltName).toContain('renewed');
  });
});

describe('a stranger', () => {
  test.each([
    ['says nothing', ''],
    ['begins a handshake and stops', '\x16\x03\x01'],
    ['begins a handshake that is none', '\x16\x03\x01\x00\x05hello'],
    ['talks nonsense', 'nonsense\r\n\r\n'],
    ['never ends its headers', 'GET / HTTP/1.1\r\nX: '],
  ])('that %s is cut off', async (_name, bytes) => {
    await open({ limits: { handshakeMs: 200, headersMs: 200 } });
    const socket = raw();
    socket.write(bytes, 'latin1');
    socket.resume();
    await once(socket, 'close');
  });

  test('with too many connections gets no more, and others are still served after they end', async () => {
    await open({ limits: { connectionsPerAddressMax: 3 } });
    const held = [raw(), raw(), raw()];
    await Promise.all(held.map((socket) => once(socket, 'connect')));
    await clock.sleep(50);
    const refused = raw();
    refused.resume();
    await once(refused, 'close');
    for (const socket of held) socket.destroy();
    await expect.poll(async () => (await ask('http', 'GET', '/').catch(() => undefined))?.status).toBe(200);
  });

  test('with endless headers gets an error', async () => {
    await open();
    const socket = raw();
    socket.write(`GET / HTTP/1.1\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`);
    expect((await socket.toArray()).join('')).toMatch(/^HTTP\/1\.1 431/);
  });
});

test('a port in use is told, with what to do', async () => {
  await open();
  const again = openListener({ host: '127.0.0.1', port: listener.address.port, credentials, plainPaths: [] }, runtime);
  await expect(again).rejects.toThrow(
    expect.objectContaining({ code: 'LISTEN_PORT_IN_USE', hint: expect.stringContaining('ss -ltnp') as unknown }),
  );
  const elsewhere = openListener({ host: '192.0.2.1', port: 0, credentials, plainPaths: [] }, runtime);
  await expect(elsewhere).rejects.toThrow(expect.objectContaining({ code: 'LISTEN_FAILED' }));
});

test('ends at once, whoever is connected', async () => {
  await open();
  const connected = [raw(), connectTls({ port: listener.address.port, host: '127.0.0.1', ca: authority.certificate })];
  for (const socket of connected) socket.on('error', () => {});
  await once(connected[1]!, 'secureConnect');
  const closed = Promise.all(connected.map((socket) => once(socket.resume(), 'close')));
  await listener[Symbol.asyncDispose]();
  await closed;
});
