import { once } from 'node:events';
import { createServer as createHttpServer, type RequestListener } from 'node:http';
import { createServer, type Server } from 'node:https';
import { createServer as createTcpServer, type AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { createAuthority, issueNodeCertificate } from '../agent/certificates.ts';
import { createApi } from '../api/server.ts';
import { TestControl } from '../api/testing/control.ts';
import { createClock } from '../runtime/clock.ts';
import { openClient } from './client.ts';

const clock = createClock();
const authority = createAuthority({ cluster: 'shop', wallMs: clock.wallMs(), days: 1 });
const node = issueNodeCertificate(authority, { node: 'db1', hosts: [], wallMs: clock.wallMs(), days: 1 });
const token = 'operator-operator-op-1';

let resources = new AsyncDisposableStack();
afterEach(async () => {
  await resources.disposeAsync();
  resources = new AsyncDisposableStack();
});

async function listen(server: Server | ReturnType<typeof createTcpServer> | ReturnType<typeof createHttpServer>): Promise<string> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  resources.defer(() => {
    if ('closeAllConnections' in server) server.closeAllConnections();
    server.close();
  });
  return `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const serve = (handler: RequestListener): Promise<string> => listen(createServer({ cert: node.certificate, key: node.key }, handler));

async function startAgent(): Promise<{ control: TestControl; url: string }> {
  const control = new TestControl();
  const api = resources.use(await createApi(control, { tokens: [{ name: 'op', role: 'operator', secret: token }], readOpen: true, clock }));
  return { control, url: await serve(api.handle) };
}

const open = (url: string, options: { ca?: string; token?: string } = { ca: authority.certificate, token }) =>
  resources.use(openClient({ url, ...options }));

describe('a client', () => {
  it('reads and commands over TLS', async () => {
    const { control, url } = await startAgent();
    control.entries = [{ term: 1, leader: 'db1', at: '2026-01-02T03:04:05.678Z', why: 'bootstrap' }];
    const client = open(url);
    expect(await client.status()).toEqual(await control.status());
    expect(await client.history('orders')).toEqual(control.entries);
    expect(await client.switchover('orders', { to: 'db2' })).toEqual({ message: 'switchover done', term: 8, leader: 'db2' });
    await client.failover('orders');
    await client.pause('orders');
    await client.resume('orders');
    await client.restart('orders', { node: 'db1' });
    expect(control.commands).toEqual([
      ['switchover', 'orders', { to: 'db2' }],
      ['failover', 'orders', {}],
      ['pause', 'orders', {}],
      ['resume', 'orders', {}],
      ['restart', 'orders', { node: 'db1' }],
    ]);
  });

  it('passes on what the agent says when it refuses', async () => {
    const { url } = await startAgent();
    await expect(open(url).reinit('orders')).rejects.toMatchObject({
      code: 'API_FORBIDDEN',
      message: expect.stringContaining('admin'),
      hint: expect.stringContaining('admin'),
    });
    await expect(open(url).history('no/such ?service')).rejects.toMatchObject({ code: 'SERVICE_UNKNOWN' });
    await expect(open(url, { ca: authority.certificate }).pause('orders')).rejects.toMatchObject({ code: 'API_DENIED' });
  });

  it('follows events until it is told to stop', async () => {
    const { control, url } = await startAgent();
    const stop = new AbortController();
    control.happen('first');
    const kinds: string[] = [];
    for await (const event of open(url).events({ afterId: 0, signal: stop.signal })) {
      kinds.push(event.kind);
      if (event.kind === 'first') control.happen('second');
      else stop.abort();
    }
    expect(kinds).toEqual(['first', 'second']);
  });

  it('goes on after the agent closed its kept connection', async () => {
    let requests = 0;
    const url = await serve((_request, response) => {
      requests++;
      response.end(
        JSON.stringify({
          cluster: 'shop',
          node: 'db1',
          version: '1',
          coordination: { kind: 'etcd', reachable: true, faultDomain: 'host' },
          services: [],
        }),
      );
      response.once('close', () => response.socket?.end());
    });
    const client = open(url);
    for (let count = 0; count < 5; count++) await client.status();
    expect(requests).toBe(5);
  });
});

describe('an error tells what is wrong', () => {
  it('nobody listens', async () => {
    const server = createTcpServer();
    const url = await listen(server);
    server.close();
    await expect(open(url).status()).rejects.toMatchObject({
      code: 'API_UNREACHABLE',
      retryable: true,
      hint: expect.stringContaining('node.listen'),
      message: expect.not.stringContaining('not known'),
    });
    await expect(open('https://no-such-host.invalid:1').status()).rejects.toMatchObject({ code: 'API_UNREACHABLE' });
  });

  it('the agent is not of this cluster, or not who it should be', async () => {
    const { url } = await startAgent();
    const other = createAuthority({ cluster: 'other', wallMs: clock.wallMs(), days: 1 });
    await expect(open(url, { ca: other.certificate }).status()).rejects.toMatchObject({
      code: 'API_NOT_TRUSTED',
      hint: expect.stringContaining('--ca'),
    });
    await expect(open(url, {}).status()).rejects.toMatchObject({ code: 'API_NOT_TRUSTED' });
    const elsewhere = url.replace('127.0.0.1', '127.0.0.2');
    const server = createServer({ cert: node.certificate, key: node.key });
    server.listen(Number(new URL(elsewhere).port), '127.0.0.2');
    await once(server, 'listening');
    resources.defer(() => void server.close());
    await expect(open(elsewhere).status()).rejects.toMatchObject({
      code: 'API_NOT_TRUSTED',
      message: expect.stringContaining('127.0.0.2'),
    });
  });

  it('who answers is no agent', async () => {
    const plain = await listen(createHttpServer((_request, response) => void response.end('hello')));
    await expect(open(plain).status()).rejects.toMatchObject({ code: 'API_MALFORMED', message: expect.stringContaining('TLS') });
    const words = await serve((_request, response) => void response.end('hello'));
    await expect(open(words).status()).rejects.toMatchObject({ code: 'API_MALFORMED', message: expect.stringContaining('JSON') });
    const teapot = await serve((_request, response) => void response.writeHead(418).end('{}'));
    await expect(open(teapot).status()).rejects.toMatchObject({ code: 'API_MALFORMED', message: expect.stringContaining('418') });
    const shape = await serve((_request, response) => void response.end('{"cluster":1}'));
    await expect(open(shape).status()).rejects.toMatchObject({ code: 'API_MALFORMED', message: expect.stringContaining('cluster') });
    const endless = await serve((_request, response) => {
      const chunk = Buffer.alloc(1024 * 1024, ' ');
      const more = (): void => void response.write(chunk, (error) => error ?? more());
      more();
    });
    await expect(open(endless).status()).rejects.toMatchObject({ code: 'API_MALFORMED', message: expect.stringContaining('longer') });
  });

  it('a connection that breaks leaves a command in doubt, and says so', async () => {
    const breaking = await serve((request) => void request.socket.destroy());
    await expect(open(breaking).switchover('orders')).rejects.toMatchObject({
      code: 'API_UNREACHABLE',
      message: expect.stringContaining('is not known'),
    });
    const half = await serve((request, response) => {
      response.writeHead(200, { 'content-length': 100 }).write('{');
      clock.after(20, () => request.socket.destroy());
    });
    await expect(open(half).status()).rejects.toMatchObject({ code: 'API_UNREACHABLE' });
  });

  it('the caller gave up', async () => {
    const silent = await serve(() => {});
    const stop = new AbortController();
    clock.after(50, () => stop.abort(new Error('enough')));
    await expect(open(silent).status({ signal: stop.signal })).rejects.toThrow('enough');
  });

  it('nothing comes', async () => {
    const silent = await serve(() => {});
    await expect(open(silent).status()).rejects.toMatchObject({ code: 'API_TIMEOUT', retryable: true });
    const mute = await listen(createTcpServer((socket) => void socket.on('error', () => {})));
    await expect(open(mute).status()).rejects.toMatchObject({ code: 'API_TIMEOUT' });
  });

  it('the address is none', () => {
    for (const url of ['db1:7400', 'http://db1:7400', 'https://user@db1:7400', 'https://db1:7400/x', '']) {
      expect(() => openClient({ url })).toThrow(expect.objectContaining({ code: 'CLI_BAD_URL' }));
    }
  });
});
