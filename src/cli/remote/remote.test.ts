import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createTcpServer, type AddressInfo } from 'node:net';
import { createServer } from 'node:https';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { createAuthority, issueNodeCertificate } from '../../agent/certificates.ts';
import { createApi } from '../../api/server.ts';
import { TestControl } from '../../api/testing/control.ts';
import { createClock } from '../../runtime/clock.ts';
import { main } from '../main.ts';
import { healthyService } from '../testing/status.ts';
import { findRemote } from './addresses.ts';
import { reach } from './reach.ts';

const clock = createClock();
const directory = mkdtempSync(join(tmpdir(), 'holdfast-cli-'));
const authority = createAuthority({ cluster: 'shop', wallMs: clock.wallMs(), days: 1 });
const certificate = issueNodeCertificate(authority, { node: 'db1', hosts: [], wallMs: clock.wallMs(), days: 1 });
const token = 'admin-admin-admin-admin';
const ca = join(directory, 'ca.pem');
const tokenFile = join(directory, 'token');

beforeAll(() => {
  writeFileSync(ca, authority.certificate);
  writeFileSync(tokenFile, `${token}\n`, { mode: 0o600 });
});
afterAll(() => rmSync(directory, { recursive: true }));

let resources = new AsyncDisposableStack();
let stdout = '';
let stderr = '';
beforeEach(() => {
  [stdout, stderr] = ['', ''];
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => ((stdout += String(text)), true));
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => ((stderr += String(text)), true));
});
afterEach(async () => {
  vi.restoreAllMocks();
  process.exitCode = undefined;
  await resources.disposeAsync();
  resources = new AsyncDisposableStack();
});

async function startAgent(node = 'db1'): Promise<{ control: TestControl; url: string; stop: () => void }> {
  const control = new TestControl(node);
  control.services = [
    healthyService({}, { db1: { agentAddress: undefined }, db2: { agentAddress: undefined }, db3: { agentAddress: undefined } }),
  ];
  const api = resources.use(await createApi(control, { tokens: [{ name: 'boss', role: 'admin', secret: token }], readOpen: true, clock }));
  const server = createServer({ cert: certificate.certificate, key: certificate.key }, api.handle);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const stop = (): void => {
    server.close();
    server.closeAllConnections();
  };
  resources.defer(stop);
  return { control, url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`, stop };
}

/** An address that refuses connections, and one that takes them and says nothing. */
async function deadUrl(): Promise<string> {
  const server = createTcpServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return `https://127.0.0.1:${port}`;
}

async function muteUrl(): Promise<string> {
  const server = createTcpServer((socket) => void socket.on('error', () => {}));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  resources.defer(() => void server.close());
  return `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const holdfast = (...argv: string[]): Promise<number> => main([...argv, '--ca', ca]);

describe('findRemote', () => {
  const config = `
cluster: shop
node: { name: db1, listen: 10.0.0.1:7400 }
security: { ca: ca.pem, cert: absent.pem, key: absent.key }
coordination: { etcd: { endpoints: ["http://10.0.0.9:2379"] } }
peers: ["10.0.0.2:7400", "[fd00::3]:7400"]
`;

  it('takes node, peers and authority from the configuration, without its secrets', () => {
    const file = join(directory, 'holdfast.yaml');
    writeFileSync(file, config);
    const found = findRemote({ config: file }, {});
    expect(found).toEqual({
      urls: ['https://10.0.0.1:7400', 'https://10.0.0.2:7400', 'https://[fd00::3]:7400'],
      ca: authority.certificate,
      token: undefined,
    });
    writeFileSync(file, config.replace('listen: 10.0.0.1:7400', 'listen: 0.0.0.0:7400, advertise: db1.test:7400'));
    expect(findRemote({ config: file }, {}).urls[0]).toBe('https://db1.test:7400');
  });

  it('takes the token of a file, or of the environment', () => {
    const url = ['https://db1:7400'];
    expect(findRemote({ url, tokenFile }, {}).token).toBe(token);
    expect(findRemote({ url }, { HOLDFAST_TOKEN_FILE: tokenFile }).token).toBe(token);
    expect(findRemote({ url }, { HOLDFAST_API_TOKEN: 'x' }).token).toBe('x');
    expect(findRemote({ url }, {})).toEqual({ urls: url, ca: undefined, token: undefined });
    const open = join(directory, 'open-token');
    writeFileSync(open, token);
    chmodSync(open, 0o644);
    expect(() => findRemote({ url, tokenFile: open }, {})).toThrow(expect.objectContaining({ code: 'CLI_TOKEN_UNREADABLE' }));
    expect(() => findRemote({ url, tokenFile: join(directory, 'none') }, {})).toThrow(
      expect.objectContaining({ code: 'CLI_TOKEN_UNREADABLE' }),
    );
  });

  it('takes everything from a demo', () => {
    writeFileSync(
      join(directory, 'demo.json'),
      JSON.stringify({ write: '', read: '', token, ca, members: [{ name: 'node1', api: 'https://127.0.0.1:1' }] }),
    );
    expect(findRemote({ demo: directory }, {})).toEqual({ urls: ['https://127.0.0.1:1'], ca: authority.certificate, token });
    writeFileSync(join(directory, 'demo.json'), '{}');
    expect(() => findRemote({ demo: directory }, {})).toThrow(expect.objectContaining({ code: 'CLI_DEMO_UNREADABLE' }));
    expect(() => findRemote({ demo: '/nonexistent' }, {})).toThrow(expect.objectContaining({ code: 'CLI_DEMO_UNREADABLE' }));
  });

  it('refuses what contradicts itself, and an authority that is none', () => {
    expect(() => findRemote({ demo: directory, url: ['https://db1:1'] }, {})).toThrow(expect.objectContaining({ code: 'CLI_USAGE' }));
    expect(() => findRemote({ url: ['https://db1:1'], ca: tokenFile }, {})).toThrow(expect.objectContaining({ code: 'CLI_CA_UNREADABLE' }));
  });
});

describe('reach', () => {
  const remote = (...urls: string[]) => ({ urls, ca: authority.certificate, token: undefined });

  it('asks the next agent when one is dead, and does not wait long for a silent one', async () => {
    const { url } = await startAgent('db3');
    await using afterDead = await reach(remote(await deadUrl(), url), clock);
    expect(afterDead.status.node).toBe('db3');
    expect(afterDead.silent).toHaveLength(1);
    await using afterMute = await reach(remote(await muteUrl(), await muteUrl(), url), clock);
    expect(afterMute.client.url).toBe(url);
  });

  it('tells of all when none answers, and of the one that knew better', async () => {
    await expect(reach(remote(await deadUrl(), await deadUrl()), clock)).rejects.toMatchObject({
      code: 'API_UNREACHABLE',
      message: expect.stringMatching(/^none of 2 agents answers:\n {2}no agent .*\n {2}no agent/),
    });
    await expect(reach(remote(await deadUrl()), clock)).rejects.toMatchObject({
      code: 'API_UNREACHABLE',
      message: expect.stringMatching(/^no agent answers at/),
    });
    const { url } = await startAgent();
    await expect(
      reach({ ...remote(await deadUrl(), url), ca: createAuthority({ cluster: 'x', wallMs: clock.wallMs(), days: 1 }).certificate }, clock),
    ).rejects.toMatchObject({ code: 'API_NOT_TRUSTED' });
  });

  it('stops when it is told to', async () => {
    const stop = new AbortController();
    clock.after(30, () => stop.abort(new Error('enough')));
    await expect(reach(remote(await muteUrl()), clock, stop.signal)).rejects.toThrow('enough');
  });
});

describe('holdfast status', () => {
  it('prints the state, and exits with whether all is well', async () => {
    const { control, url } = await startAgent();
    expect(await holdfast('status', '--url', url)).toBe(0);
    expect(stdout).toContain('orders  postgres, quorum 1 of 2  term 7  leader db1\n');
    expect(stdout).not.toContain('\u001b');
    stdout = '';
    control.services = [healthyService({ leader: null })];
    expect(await holdfast('status', '--url', url, '--json')).toBe(1);
    expect(JSON.parse(stdout)).toEqual(await control.status());
  });

  it('asks others when an agent is down, and says so', async () => {
    const { url } = await startAgent();
    const dead = await deadUrl();
    expect(await holdfast('status', '--url', dead, '--url', url)).toBe(0);
    expect(stderr).toBe(`${dead} did not answer; asked ${url}\n`);
    expect(await holdfast('status', '--url', dead)).toBe(1);
    expect(stderr).toContain('(API_UNREACHABLE)\nhint: ');
  });

  it('--watch without a terminal prints what changes', async () => {
    const { control, url } = await startAgent();
    const ended = holdfast('status', '--watch', '--interval', '100ms', '--url', url);
    await vi.waitFor(() => expect(stdout).toContain('leader db1'), 5_000);
    control.services = [healthyService({ leader: 'db2', term: 8 })];
    await vi.waitFor(() => expect(stdout).toMatch(/^\S+Z {2}orders: db2 leads, term 8, instead of db1$/m), 5_000);
    process.emit('SIGTERM');
    expect(await ended).toBe(0);
    expect(await holdfast('status', '--watch', '--interval', '1ms', '--url', url)).toBe(2);
  });
});

describe('orders', () => {
  const order = (...argv: string[]): Promise<number> => holdfast(...argv, '--token-file', tokenFile);

  it('are given to an agent that answers, and their result printed', async () => {
    const { control, url } = await startAgent();
    expect(await order('switchover', 'orders', '--to', 'db2', '--url', await deadUrl(), '--url', url)).toBe(0);
    expect(stdout).toBe('switchover done\n');
    stdout = '';
    expect(await order('failover', 'orders', '--url', url, '--json')).toBe(0);
    expect(JSON.parse(stdout)).toEqual({ message: 'failover done', term: 8, leader: 'db2' });
    for (const command of ['pause', 'resume']) expect(await order(command, 'orders', '--url', url)).toBe(0);
    expect(await order('restart', 'orders', 'db3', '--url', url)).toBe(0);
    expect(await order('restart', 'orders', '--node', 'db1', '--url', url)).toBe(0);
    expect(await order('reinit', 'orders', '--node', 'db3', '--yes', '--url', url)).toBe(0);
    expect(control.commands).toEqual([
      ['switchover', 'orders', { to: 'db2' }],
      ['failover', 'orders', {}],
      ['pause', 'orders', {}],
      ['resume', 'orders', {}],
      ['restart', 'orders', { node: 'db3' }],
      ['restart', 'orders', { node: 'db1' }],
      ['reinit', 'orders', { node: 'db3' }],
    ]);
  });

  it('are refused before anything happens when they make no sense', async () => {
    const { control, url } = await startAgent();
    expect(await order('switchover', 'nonsense', '--url', url)).toBe(1);
    expect(stderr).toContain('SERVICE_UNKNOWN');
    expect(await order('switchover', 'orders', '--to', 'db9', '--url', url)).toBe(1);
    expect(stderr).toContain('Members are: db1, db2, db3.');
    expect(await order('restart', 'orders', '--url', url)).toBe(2);
    expect(await order('restart', 'orders', 'db1', '--node', 'db2', '--url', url)).toBe(2);
    expect(await order('reinit', 'orders', 'db3', '--url', url)).toBe(2);
    expect(stderr).toContain('CLI_NOT_CONFIRMED');
    expect(await order('switchover', '--url', url)).toBe(2);
    expect(control.commands).toEqual([]);
  });

  it('need a token', async () => {
    const { url } = await startAgent();
    expect(await holdfast('pause', 'orders', '--url', url, '--json')).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'API_DENIED', hint: expect.stringContaining('--token-file') } });
  });
});

describe('holdfast history and events', () => {
  it('history is a table of leaderships', async () => {
    const { control, url } = await startAgent();
    control.entries = [
      { term: 1, leader: 'db1', at: '2026-01-02T03:04:05.678Z', why: 'bootstrap', timeline: 1 },
      { term: 2, leader: 'db2', at: '2026-01-03T03:04:05.678Z', why: 'failover', timeline: 2, switchLsn: '0/4000278', tookMs: 412 },
    ];
    expect(await holdfast('history', '--url', url)).toBe(0);
    expect(stdout).toContain('   2  db2     2026-01-03T03:04:05.678Z  failover   412ms   2   0/4000278\n');
    stdout = '';
    expect(await holdfast('history', 'orders', '--url', url, '--json')).toBe(0);
    expect(JSON.parse(stdout)).toEqual(control.entries);
    control.services = [];
    expect(await holdfast('history', '--url', url)).toBe(2);
  });

  it('events follows all agents, each event once, and agents that come back', async () => {
    const [one, two] = [await startAgent('db1'), await startAgent('db2')];
    const ended = holdfast('events', '--url', one.url, '--url', two.url, '--url', one.url.replace('127.0.0.1', 'localhost'));
    await vi.waitFor(() => expect([one.control.followers, two.control.followers]).toEqual([2, 1]), 5_000);
    one.control.happen('leader.suspected', { why: 'silence\u001b[2J', phi: 9 });
    two.control.happen('leadership.changed', { leader: 'db2' });
    await vi.waitFor(
      () =>
        expect(stdout.trimEnd().split('\n').toSorted()).toEqual([
          '2026-01-02T03:04:05.678Z  db1  orders  leader.suspected  why=silence[2J phi=9',
          '2026-01-02T03:04:05.678Z  db2  orders  leadership.changed  leader=db2',
        ]),
      5_000,
    );
    two.stop();
    await vi.waitFor(() => expect(stderr).toContain(`${two.url} can not be followed: `), 5_000);
    process.emit('SIGINT');
    expect(await ended).toBe(0);
  });
});
