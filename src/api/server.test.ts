import { request, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, describe, expect, it } from 'vitest';
import { createClock } from '../runtime/clock.ts';
import { clusterStatusSchema, errorSchema } from './schema.ts';
import { type Api, createApi, type ApiOptions, plainPathsFor } from './server.ts';
import { leaderMember, replicaMember, serve, TestControl } from './testing/control.ts';

const clock = createClock();
const tokens: ApiOptions['tokens'] = [
  { name: 'looker', role: 'viewer', secret: 'viewer-viewer-viewer-1' },
  { name: 'op', role: 'operator', secret: 'operator-operator-op-1' },
  { name: 'boss', role: 'admin', secret: 'admin-admin-admin-admin' },
];
const secretOf = (role: string): string => tokens.find((token) => token.role === role)!.secret;

let resources = new AsyncDisposableStack();
afterEach(async () => {
  await resources.disposeAsync();
  resources = new AsyncDisposableStack();
});

async function start(
  options: Partial<ApiOptions> & { secure?: boolean } = {},
): Promise<{ control: TestControl; url: string; api: Api; port: number }> {
  const control = new TestControl();
  const { secure = true, ...rest } = options;
  const api = resources.use(await createApi(control, { tokens, readOpen: true, clock, version: '1.2.3', ...rest }));
  const { url, port } = resources.use(await serve(api, { secure }));
  return { control, url, api, port };
}

interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  body: string;
}

async function ask(
  url: string,
  options: { method?: string; token?: string; body?: string; headers?: Record<string, string> } = {},
): Promise<Answer> {
  const response = await open(url, options);
  return { status: response.statusCode!, headers: response.headers, body: await text(response) };
}

function open(url: string, { method = 'GET', token, body, headers = {} }: Parameters<typeof ask>[1] = {}): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const all = {
      ...headers,
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    };
    request(url, { method, agent: false, headers: all }, resolve).on('error', reject).end(body);
  });
}

const error = (answer: Answer): { code: string; hint: string; message: string } => errorSchema.parse(JSON.parse(answer.body));

describe('health endpoints', () => {
  it('answer GET with a body, HEAD and OPTIONS without, and nothing else', async () => {
    const { url, control } = await start();
    const get = await ask(`${url}/primary`);
    expect(get.status).toBe(200);
    expect(JSON.parse(get.body)).toMatchObject({
      state: 'running',
      role: 'primary',
      patroni: { scope: 'orders', name: 'db1', version: '1.2.3' },
    });
    control.members = [replicaMember];
    for (const method of ['HEAD', 'OPTIONS']) {
      expect(await ask(`${url}/replica?lag=1MB`, { method })).toMatchObject({ status: 200, body: '' });
      expect(await ask(`${url}/`, { method })).toMatchObject({ status: 503, body: '' });
    }
    const unavailable = await ask(`${url}/primary`);
    expect(unavailable.status).toBe(503);
    expect(JSON.parse(unavailable.body)).toMatchObject({ role: 'replica' });
    expect((await ask(`${url}/primary`, { method: 'POST', body: '{}' })).status).toBe(404);
  });

  it('answer for a named service, and for the first one otherwise', async () => {
    const { url, control } = await start();
    control.members = [replicaMember, { ...leaderMember, service: 'billing' }];
    expect((await ask(`${url}/primary`)).status).toBe(503);
    expect((await ask(`${url}/orders/primary`)).status).toBe(503);
    expect((await ask(`${url}/billing/primary`)).status).toBe(200);
    expect((await ask(`${url}/billing`)).status).toBe(200);
    const unknown = await ask(`${url}/nonsense/primary`);
    expect(unknown.status).toBe(404);
    expect(error(unknown)).toMatchObject({ code: 'SERVICE_UNKNOWN' });
    control.members = [];
    expect((await ask(`${url}/primary`)).status).toBe(503);
  });

  it('tell whether the agent itself lives', async () => {
    const { url, control } = await start();
    control.members = [];
    expect((await ask(`${url}/liveness`)).status).toBe(200);
    control.live = false;
    expect((await ask(`${url}/liveness`)).status).toBe(503);
  });

  it('answer HTTP/1.0 without a Host, as load balancers ask', async () => {
    const { port } = await start({ secure: false });
    const socket = connect(port, '127.0.0.1');
    socket.write('OPTIONS /primary HTTP/1.0\r\n\r\n');
    expect(await text(socket)).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
  });

  it('need no token, whatever reading needs', async () => {
    const { url } = await start({ readOpen: false, secure: false });
    expect((await ask(`${url}/primary`)).status).toBe(200);
  });

  it('are all among the paths that are served without TLS', async () => {
    const { api } = await start();
    const served = [...api.app.printRoutes({ commonPrefix: false }).matchAll(/([\w/:-]*) \(([^)]*)\)/g)].length;
    expect(served).toBeGreaterThan(0);
    for (const path of plainPathsFor(['orders'])) {
      expect(api.app.hasRoute({ method: 'GET', url: path.replace(/^\/orders/, '/:service') }), path).toBe(true);
    }
    expect(plainPathsFor(['orders'])).toEqual(
      expect.arrayContaining(['/', '/primary', '/replica', '/liveness', '/metrics', '/orders', '/orders/primary']),
    );
    expect(plainPathsFor(['orders']).some((path) => path.startsWith('/api'))).toBe(false);
  });
});

describe('/api/v1', () => {
  it('shows the state', async () => {
    const { url, control } = await start();
    control.entries = [{ term: 1, leader: 'db1', at: '2026-01-02T03:04:05.678Z', why: 'bootstrap' }];
    const status = await ask(`${url}/api/v1/status`);
    expect(clusterStatusSchema.parse(JSON.parse(status.body))).toMatchObject({ cluster: 'shop', node: 'db1' });
    expect(status.headers).toMatchObject({ 'content-type': expect.stringContaining('application/json'), 'cache-control': 'no-store' });
    expect(JSON.parse((await ask(`${url}/api/v1/services/orders/history`)).body)).toEqual(control.entries);
    expect((await ask(`${url}/api/v1/services/nonsense/history`)).status).toBe(404);
  });

  it('carries out commands, with and without wishes', async () => {
    const { url, control } = await start();
    const done = await ask(`${url}/api/v1/services/orders/switchover`, {
      method: 'POST',
      token: secretOf('operator'),
      body: '{"to":"db2"}',
    });
    expect(done.status).toBe(200);
    expect(JSON.parse(done.body)).toEqual({ message: 'switchover done', term: 8, leader: 'db2' });
    for (const command of ['failover', 'pause', 'resume', 'restart', 'reinit']) {
      expect((await ask(`${url}/api/v1/services/orders/${command}`, { method: 'POST', token: secretOf('admin') })).status, command).toBe(
        200,
      );
    }
    expect(control.commands).toEqual([
      ['switchover', 'orders', { to: 'db2' }],
      ['failover', 'orders', {}],
      ['pause', 'orders', {}],
      ['resume', 'orders', {}],
      ['restart', 'orders', {}],
      ['reinit', 'orders', {}],
    ]);
  });

  it('tells refusals, unknown paths and wrong bodies apart', async () => {
    const { url, control } = await start();
    const post = (path: string, body: string, headers = {}) =>
      ask(`${url}/api/v1/services/orders/${path}`, { method: 'POST', token: secretOf('admin'), body, headers });
    control.members = [{ ...leaderMember, paused: true }];
    const refused = await post('switchover', '{}');
    expect([refused.status, error(refused)]).toEqual([
      409,
      { code: 'SWITCHOVER_REFUSED', message: 'it is paused', hint: 'Resume it first.', retryable: false },
    ]);
    const misspelt = await post('switchover', '{"too":"db2"}');
    expect([misspelt.status, error(misspelt).code]).toEqual([400, 'API_BAD_REQUEST']);
    expect(error(misspelt).message).toContain('too');
    for (const body of ['{', '[]', '"x"', '{"to":1}', '{"__proto__":{"x":1}}'])
      expect((await post('switchover', body)).status, body).toBe(400);
    expect((await post('switchover', JSON.stringify({ to: 'x'.repeat(17_000) }))).status).toBe(413);
    expect((await ask(`${url}/api/v1/nonsense`)).status).toBe(404);
    expect(error(await ask(`${url}/api/v2/status`)).code).toBe('API_UNKNOWN_PATH');
    expect((await ask(`${url}/api/v1/services/orders/switchover`)).status).toBe(404);
    expect(control.commands.map(([command]) => command)).toEqual(['switchover']);
  });

  it('keeps the text of faults to itself', async () => {
    const { url, control } = await start();
    control.status = async () => {
      throw new Error('the password is hunter2');
    };
    const fault = await ask(`${url}/api/v1/status`);
    expect(fault.status).toBe(500);
    expect(fault.body).not.toContain('hunter2');
    expect(error(fault).code).toBe('INTERNAL');
  });

  it('describes itself', async () => {
    const { url } = await start();
    const [first, second] = [await ask(`${url}/api/v1/openapi.json`), await ask(`${url}/api/v1/openapi.json`)];
    expect(first.body).toBe(second.body);
    const document = JSON.parse(first.body) as {
      openapi: string;
      paths: Record<string, Record<string, { requestBody?: unknown; security?: unknown; responses: Record<string, unknown> }>>;
    };
    expect(document.openapi).toBe('3.1.0');
    expect(Object.keys(document.paths)).toEqual(
      expect.arrayContaining([
        '/api/v1/status',
        '/api/v1/events',
        '/api/v1/services/{service}/switchover',
        '/primary',
        '/{service}/replica',
      ]),
    );
    const switchover = document.paths['/api/v1/services/{service}/switchover']!['post']!;
    expect(switchover.security).toEqual([{ token: [] }]);
    expect(JSON.stringify(switchover.requestBody)).toContain('"additionalProperties":false');
    expect(Object.keys(switchover.responses)).toEqual(expect.arrayContaining(['200', '4XX', '5XX']));
    expect(JSON.stringify(document.paths['/api/v1/status'])).toContain('"lagBytes"');
  });
});

describe('who may do what', () => {
  const statusOf = async (url: string, path: string, method: string, token?: string): Promise<number> =>
    (await ask(`${url}${path}`, { method, ...(token === undefined ? {} : { token }) })).status;

  it.each([
    // path, method, nobody, viewer, operator, admin
    ['/api/v1/status', 'GET', 401, 200, 200, 200],
    ['/api/v1/services/orders/history', 'GET', 401, 200, 200, 200],
    ['/api/v1/openapi.json', 'GET', 401, 200, 200, 200],
    ['/metrics', 'GET', 401, 200, 200, 200],
    ['/api/v1/services/orders/switchover', 'POST', 401, 403, 200, 200],
    ['/api/v1/services/orders/failover', 'POST', 401, 403, 200, 200],
    ['/api/v1/services/orders/pause', 'POST', 401, 403, 200, 200],
    ['/api/v1/services/orders/resume', 'POST', 401, 403, 200, 200],
    ['/api/v1/services/orders/restart', 'POST', 401, 403, 200, 200],
    ['/api/v1/services/orders/reinit', 'POST', 401, 403, 403, 200],
  ] as const)('%s with reading closed', async (path, method, ...expected) => {
    const { url } = await start({ readOpen: false });
    const callers = [undefined, ...['viewer', 'operator', 'admin'].map(secretOf)];
    expect(await Promise.all(callers.map((token) => statusOf(url, path, method, token)))).toEqual(expected);
    expect((await ask(`${url}${path}`, { method })).headers['www-authenticate']).toBe('Bearer');
  });

  it('with reading open reads without a token, but not with a wrong one', async () => {
    const { url } = await start();
    expect(await statusOf(url, '/api/v1/status', 'GET')).toBe(200);
    expect(await statusOf(url, '/api/v1/status', 'GET', 'not-a-token-of-anyone')).toBe(401);
    expect(await statusOf(url, '/api/v1/services/orders/pause', 'POST')).toBe(401);
    for (const authorization of [
      '',
      'Bearer',
      'Bearer ',
      `Basic ${secretOf('admin')}`,
      secretOf('admin'),
      `Bearer ${secretOf('admin')}x`,
      `Bearer ${secretOf('admin').slice(1)}`,
    ]) {
      const answer = await ask(`${url}/api/v1/services/orders/pause`, { method: 'POST', headers: { authorization } });
      expect([answer.status, error(answer).code], authorization).toEqual([401, 'API_DENIED']);
    }
  });

  it('takes no token in the clear', async () => {
    const { url, control } = await start({ secure: false });
    const answer = await ask(`${url}/api/v1/services/orders/pause`, { method: 'POST', token: secretOf('admin') });
    expect([answer.status, error(answer).code]).toEqual([403, 'API_NEEDS_TLS']);
    expect(await statusOf(url, '/metrics', 'GET')).toBe(200);
    expect(await statusOf(url, '/metrics', 'GET', secretOf('admin'))).toBe(403);
    expect(control.commands).toEqual([]);
    const closed = await start({ secure: false, readOpen: false });
    expect(await statusOf(closed.url, '/metrics', 'GET')).toBe(403);
  });

  it('stops listening to an address that guesses, but never to a right token', async () => {
    const { url } = await start();
    const statuses: number[] = [];
    for (let guess = 0; guess < 22; guess++) statuses.push(await statusOf(url, '/api/v1/status', 'GET', `guess-number-${guess}-of-many`));
    expect(statuses).toEqual([...Array.from({ length: 20 }, () => 401), 429, 429]);
    expect(await statusOf(url, '/api/v1/status', 'GET', secretOf('viewer'))).toBe(200);
  });

  it('refuses commands where there are no tokens, and tokens that could be guessed', async () => {
    const { url } = await start({ tokens: [] });
    const answer = await ask(`${url}/api/v1/services/orders/pause`, { method: 'POST' });
    expect([answer.status, error(answer).hint]).toEqual([403, 'Add one under security.tokens of holdfast.yaml.']);
    await expect(start({ tokens: [{ name: 'weak', role: 'admin', secret: 'changeme' }] })).rejects.toMatchObject({
      code: 'CONFIG_TOKEN_WEAK',
    });
  });
});

describe('/metrics', () => {
  it('are in the text format of Prometheus, with the names of Patroni beside ours', async () => {
    const { url, control } = await start();
    control.members = [leaderMember, { ...leaderMember, service: 'jobs', engine: 'process' }];
    const { body, headers } = await ask(`${url}/metrics`);
    expect(headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(body).toContain(
      '# HELP holdfast_term Highest term\n# TYPE holdfast_term gauge\nholdfast_term{service="orders"} 7\nholdfast_term{service="uploads"} +Inf\n',
    );
    expect(body).toContain('holdfast_router_cut_total{service="orders",kind="a \\"b\\"\\\\\\n"} 2\n');
    expect(body).toContain('patroni_primary{scope="orders",name="db1"} 1\n');
    expect(body).toContain('patroni_xlog_location{scope="orders",name="db1"} 67419744\n');
    expect(body).toContain('patroni_postgres_server_version{scope="orders",name="db1"} 170010\n');
    expect(body).not.toContain('scope="jobs"');
    for (const line of body.trimEnd().split('\n'))
      expect(line).toMatch(/^(# (HELP|TYPE) \w+ .*|\w+\{(\w+="([^"\\\n]|\\.)*",?)*\} ([-+]?[\d.e+-]+|\+Inf|NaN))$/);
  });
});

describe('/api/v1/events', () => {
  const frames = (answer: IncomingMessage): { all: () => string } => {
    let all = '';
    answer
      .setEncoding('utf8')
      .on('data', (chunk: string) => (all += chunk))
      .on('error', () => {});
    return { all: () => all };
  };
  const until = async (condition: () => boolean): Promise<void> => {
    for (let turn = 0; !condition(); turn++) {
      if (turn > 1000) throw new Error('not within 5 s');
      await clock.sleep(5);
    }
  };

  it('come as they happen, and go on where a client left off', async () => {
    const { url, control } = await start();
    control.happen('before');
    const stream = await open(`${url}/api/v1/events`);
    expect(stream.headers['content-type']).toContain('text/event-stream');
    const { all } = frames(stream);
    await until(() => control.followers === 1);
    control.happen('leader.changed', { to: 'db2' });
    await until(() => all().includes('leader.changed'));
    expect(all()).toBe(
      'retry: 2000\n\nid: 2\nevent: leader.changed\ndata: {"id":2,"at":"2026-01-02T03:04:05.678Z","node":"db1","service":"orders","kind":"leader.changed","data":{"to":"db2"}}\n\n',
    );
    stream.destroy();
    await until(() => control.followers === 0);
    control.happen('missed');
    for (const again of [
      await open(`${url}/api/v1/events`, { headers: { 'last-event-id': '2' } }),
      await open(`${url}/api/v1/events?after=2`),
    ]) {
      const more = frames(again);
      await until(() => more.all().includes('"missed"'));
      expect(more.all()).toMatch(/^retry: 2000\n\nid: 3\n/);
      again.destroy();
    }
    await until(() => control.followers === 0);
  });

  it('are limited in number, and end with the API', async () => {
    const { url, control, api } = await start();
    const streams = await Promise.all(Array.from({ length: 64 }, () => open(`${url}/api/v1/events`)));
    for (const stream of streams) frames(stream);
    await until(() => control.followers === 64);
    const refused = await ask(`${url}/api/v1/events`);
    expect([refused.status, error(refused).code]).toEqual([503, 'API_TOO_MANY_STREAMS']);
    streams.pop()!.destroy();
    await until(() => control.followers === 63);
    const ended = Promise.all(streams.map((stream) => new Promise((resolve) => stream.once('close', resolve))));
    await api.close();
    await ended;
    await until(() => control.followers === 0);
  });
});
