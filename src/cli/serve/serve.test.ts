import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, request, type IncomingMessage, type Server } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { createAuthority, issueNodeCertificate } from '../../agent/certificates.ts';
import { BasicGate, type Users } from '../../api/basic-gate.ts';
import { RestService } from '../../backup/index.ts';
import { type Logger, silentLogger } from '../../core/logger.ts';
import { createClock, createRandom } from '../../runtime/index.ts';
import { SimulatedTime } from '../../sim/index.ts';
import { MemoryLocation } from '../../storage/adapters/memory/index.ts';
import { unreachable } from '../../storage/failures.ts';
import { keepRenewed, readCertificate } from './certificate-files.ts';
import { assertProtected, isMeantForLoopback, parseListen } from './exposure.ts';
import { Figures } from './figures.ts';
import { restHandler, type Serving } from './handler.ts';
import { RequestLog } from './request-log.ts';
import { addUser, UsersFile } from './users-file.ts';

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-serve-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

describe('what is exposed', () => {
  const bare = { hasUsers: false, hasTls: false, allowNoUsers: false, allowNoTls: false };

  test.each(['127.0.0.1:8000', '127.200.1.1:0', '[::1]:8000', 'localhost:8000'])('%s is this machine alone', (listen) => {
    expect(() => assertProtected({ ...bare, address: parseListen(listen) })).not.toThrow();
  });

  test.each(['0.0.0.0:8000', '[::]:8000', '10.0.0.1:8000', 'db1:8000', '127.example.net:8000', '[::ffff:10.0.0.1]:1'])(
    '%s needs users and TLS',
    (listen) => {
      const address = parseListen(listen);
      const exposed = expect.objectContaining({ code: 'SERVE_EXPOSED' });
      for (const half of [{}, { hasUsers: true }, { hasTls: true }, { allowNoUsers: true }, { allowNoTls: true }])
        expect(() => assertProtected({ ...bare, ...half, address }), JSON.stringify(half)).toThrow(exposed);
      for (const whole of [
        { hasUsers: true, hasTls: true },
        { hasUsers: true, allowNoTls: true },
        { allowNoUsers: true, allowNoTls: true },
      ])
        expect(() => assertProtected({ ...bare, ...whole, address }), JSON.stringify(whole)).not.toThrow();
    },
  );

  test.each(['', 'here', '8000', ':8000', '1.2.3.4:99999', '::1:8000', 'a b:1'])('%j is nowhere to listen', (listen) => {
    expect(() => parseListen(listen)).toThrow(expect.objectContaining({ code: 'CLI_USAGE' }));
  });

  test.each([
    ['127.0.0.1:8000', true],
    ['127.9.9.9', true],
    ['[::1]:8000', true],
    ['localhost:8000', true],
    ['evil.example:8000', false],
    ['127.evil.example', false],
    ['localhost.evil.example', false],
    ['', false],
    [undefined, false],
  ])('a request to %j was meant for it: %j', (host, isMeant) => {
    expect(isMeantForLoopback(host)).toBe(isMeant);
  });
});

describe('a file of users', () => {
  test('is made for its owner alone, and takes changes of passwords', async () => {
    const path = join(directory, 'made');
    await addUser(path, 'alice', 'first password');
    await addUser(path, 'bob', 'of bob, long');
    const before = readFileSync(path, 'utf8');
    await addUser(path, 'alice', 'second password');
    const after = readFileSync(path, 'utf8');
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(after.split('\n').map((line) => line.split(':')[0])).toEqual(['bob', 'alice', '']);
    expect(after).not.toContain(before.split('\n')[0]);
    expect(after).toContain(before.split('\n')[1]);
    for (const [name, password] of [
      ['a:b', 'long enough'],
      ['', 'long enough'],
      ['carol', 'short'],
    ] as const)
      await expect(addUser(path, name, password)).rejects.toMatchObject({ code: 'CLI_USAGE' });
    expect(readFileSync(path, 'utf8')).toBe(after);
  });

  test('counts from the next second on when it changed; what is no such file leaves those who were known', async () => {
    const path = join(directory, 'changing');
    const line = (name: string): string => `${name}:$scrypt$ln=4,r=8,p=1$AAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAA\n`;
    writeFileSync(path, line('alice') + line('bob'), { mode: 0o600 });
    const time = new SimulatedTime();
    const told: string[] = [];
    const logger: Logger = { ...silentLogger, error: (event) => void told.push(event) };
    const file = await UsersFile.open(path, { clock: time.clock(), random: createRandom(), logger });
    const names = async (): Promise<string[]> => [...(await file.current()).keys()];
    writeFileSync(path, line('bob'));
    expect(await names()).toEqual(['alice', 'bob']);
    await time.advance(1_000);
    expect(await names()).toEqual(['bob']);
    writeFileSync(path, 'nonsense');
    for (const _ of [1, 2, 3]) {
      await time.advance(1_000);
      expect(await names()).toEqual(['bob']);
    }
    rmSync(path);
    await time.advance(1_000);
    expect(await names()).toEqual(['bob']);
    expect(told).toEqual(['rest.users.unreadable', 'rest.users.unreadable']);
    writeFileSync(path, line('carol'), { mode: 0o600 });
    await time.advance(1_000);
    expect(await names()).toEqual(['carol']);
  });

  test.each(['', '# nobody\n'])('%j lets nobody in, so it is refused', async (content) => {
    const path = join(directory, 'empty');
    writeFileSync(path, content, { mode: 0o600 });
    const runtime = { clock: createClock(), random: createRandom(), logger: silentLogger };
    await expect(UsersFile.open(path, runtime)).rejects.toMatchObject({ code: 'SERVE_USERS_INVALID' });
    writeFileSync(path, 'x');
    chmodSync(path, 0o666);
    await expect(UsersFile.open(path, runtime)).rejects.toThrow('others may change it');
    await expect(UsersFile.open(join(directory, 'absent'), runtime)).rejects.toMatchObject({ code: 'SERVE_USERS_INVALID' });
  });

  test('a key that everybody may read is not used', async () => {
    const path = join(directory, 'key');
    writeFileSync(path, 'x', { mode: 0o644 });
    await expect(readCertificate({ cert: path, key: path })).rejects.toMatchObject({ code: 'SERVE_CERTIFICATE_INVALID' });
  });
});

describe('a certificate', () => {
  test('that was replaced is used within a minute; one that does not fit its key is not', async () => {
    const wallMs = createClock().wallMs();
    const authority = createAuthority({ cluster: 'copies', wallMs, days: 1 });
    const issue = () => issueNodeCertificate(authority, { node: 'server', hosts: ['127.0.0.1'], wallMs, days: 1 });
    const paths = { cert: join(directory, 'cert.pem'), key: join(directory, 'key.pem') };
    const [first, second] = [issue(), issue()];
    writeFileSync(paths.cert, first.certificate);
    writeFileSync(paths.key, first.key, { mode: 0o600 });
    const time = new SimulatedTime();
    const [used, told]: [string[], string[]] = [[], []];
    const server = { renew: ({ cert }: { cert: string }) => void used.push(cert) };
    const logger = { ...silentLogger, info: (event: string) => void told.push(event), warn: (event: string) => void told.push(event) };
    const stop = new AbortController();
    const kept = keepRenewed(server, paths, { clock: time.clock(), random: createRandom(), logger }, stop.signal);
    await expect.poll(() => time.pending).toBe(1);
    writeFileSync(paths.cert, second.certificate);
    await time.advance(60_000);
    await expect.poll(() => told).toEqual(['rest.certificate.unreadable']);
    await expect.poll(() => time.pending).toBe(1);
    writeFileSync(paths.key, second.key);
    await time.advance(60_000);
    await expect.poll(() => used).toEqual([second.certificate]);
    stop.abort(new Error('the end'));
    await expect(kept).rejects.toThrow('the end');
  });
});

/** A memory whose lists fail in their midst. */
class Failing extends MemoryLocation {
  override async *list(...args: Parameters<MemoryLocation['list']>): AsyncGenerator<{ key: string; sizeBytes: number }> {
    for (let n = 0; n < 20_000; n++) yield { key: `index/${n.toString(16).padStart(64, '0')}`, sizeBytes: 1 };
    yield* super.list(...args);
    throw unreachable('here', 'cut');
  }
}

describe('over HTTP', () => {
  const open: Server[] = [];
  afterEach(() => {
    for (const server of open.splice(0)) server.close().closeAllConnections();
  });

  /** A server, and what it logged. */
  async function serverOf(
    more: Partial<Serving> = {},
  ): Promise<{ port: number; figures: Figures; lines: [string, Record<string, unknown>][] }> {
    const lines: [string, Record<string, unknown>][] = [];
    const note = (event: string, fields = {}): void => void lines.push([event, fields]);
    const runtime = { clock: createClock(), random: createRandom(), logger: { ...silentLogger, debug: note, warn: note } };
    const location = more.location ?? new MemoryLocation('here', runtime);
    const figures = new Figures();
    const serving: Serving = {
      service: new RestService(location, runtime),
      location,
      gate: new BasicGate(runtime.clock),
      onlyLoopback: true,
      figures,
      log: new RequestLog(runtime),
      signal: new AbortController().signal,
      ...more,
    };
    const server = createServer(restHandler(serving, runtime));
    open.push(server);
    await once(server.listen(0, '127.0.0.1'), 'listening');
    return { port: (server.address() as AddressInfo).port, figures, lines };
  }

  async function ask(port: number, method: string, path: string, body?: Uint8Array): Promise<IncomingMessage> {
    const asked = request({ port, host: '127.0.0.1', method, path });
    asked.end(body);
    return ((await once(asked, 'response')) as [IncomingMessage])[0];
  }

  test('a list that fails in its midst is cut, not ended', async () => {
    const runtime = { clock: createClock() };
    const { port, figures, lines } = await serverOf({ location: new Failing('here', runtime) });
    const response = await ask(port, 'GET', '/index/');
    expect(response.statusCode).toBe(200);
    await expect(text(response)).rejects.toThrow('aborted');
    await expect.poll(() => lines.at(-1)).toMatchObject(['rest.request.failed', { status: 499, failure: expect.stringContaining('cut') }]);
    expect(figures.totals()).toMatchObject({ requests: 1, refused: 0 });
  });

  test('a client that goes away in the midst of its body leaves nothing', async () => {
    const { port, lines } = await serverOf();
    const socket = connect(port, '127.0.0.1');
    socket.write(`POST /data/${'a'.repeat(64)} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n\r\nhalf`);
    await once(socket, 'connect');
    socket.destroy();
    await expect.poll(() => lines.map(([event]) => event)).toContain('rest.request.cut');
    expect((await ask(port, 'HEAD', `/data/${'a'.repeat(64)}`)).statusCode).toBe(404);
  });

  test('who is refused hears why, and a short body does not cost the connection', async () => {
    const users: Users = new Map();
    const { port, figures } = await serverOf({ users: async () => users });
    for (const [sizeBytes, connection] of [
      [10, 'keep-alive'],
      [2_000_000, 'close'],
    ] as const) {
      const response = await ask(port, 'POST', '/config', new Uint8Array(sizeBytes));
      expect([response.statusCode, response.headers.connection]).toEqual([401, connection]);
      expect(await text(response)).toContain('user');
    }
    expect(figures.totals()).toMatchObject({ requests: 2, refused: 2 });
  });

  test('metrics have no labels of strangers', async () => {
    const { port } = await serverOf();
    await text(await ask(port, 'PATCH', '/%22%0a'));
    await text(await ask(port, 'GET', '/locks/'));
    const metrics = await text(await ask(port, 'GET', '/metrics'));
    expect(metrics).toContain('holdfast_rest_requests_total{method="other",kind="other",status="404"} 1');
    expect(metrics).toContain('holdfast_rest_requests_total{method="GET",kind="lock",status="200"} 1');
    expect(metrics).toContain('holdfast_location_ok{location="here"} 1');
  });

  test('refusals are logged within a bound', () => {
    const warnings: string[] = [];
    const time = new SimulatedTime();
    const log = new RequestLog({
      clock: time.clock(),
      random: createRandom(),
      logger: { ...silentLogger, warn: (event) => void warnings.push(event) },
    });
    const refusal = { method: 'GET', kind: 'config', status: 401, bytesIn: 0, bytesOut: 0, path: '/', from: 'x', user: undefined, ms: 1 };
    for (let n = 0; n < 500; n++) log.add(refusal);
    expect(warnings).toHaveLength(60);
  });
});
