import { spawn, spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { createAuthority, issueNodeCertificate } from '../../src/agent/certificates.ts';
import { createApi, plainPathsFor } from '../../src/api/server.ts';
import { leaderMember, replicaMember, TestControl } from '../../src/api/testing/control.ts';
import { silentLogger } from '../../src/core/logger.ts';
import { TestClient, TestMember } from '../../src/routing/contract/tcp.ts';
import { createClock, createRandom, openListener } from '../../src/runtime/index.ts';
import { freePorts } from './servers/server-process.ts';

const haproxy = ['haproxy', '/usr/sbin/haproxy'].find((program) => spawnSync(program, ['-v']).status === 0);
if (haproxy === undefined && process.env['HOLDFAST_REQUIRE'] === 'all') throw new Error('haproxy is absent, and HOLDFAST_REQUIRE=all');

const clock = createClock();
const runtime = { clock, random: createRandom(), logger: silentLogger };
const authority = createAuthority({ cluster: 'shop', wallMs: clock.wallMs(), days: 1 });

/** An agent's one port, and a server of its service beside it. */
async function startNode(
  node: string,
  resources: AsyncDisposableStack,
): Promise<{ control: TestControl; port: number; server: TestMember }> {
  const { certificate, key } = issueNodeCertificate(authority, { node, hosts: [], wallMs: clock.wallMs(), days: 1 });
  const credentials = { ca: authority.certificate, cert: certificate, key };
  const listener = resources.use(
    await openListener({ host: '127.0.0.1', port: 0, credentials, plainPaths: plainPathsFor(['orders']) }, runtime),
  );
  const control = new TestControl(node);
  control.members = [replicaMember];
  const api = resources.use(await createApi(control, { tokens: [], readOpen: true, clock }));
  listener.onRequest(api.handle);
  return { control, port: listener.address.port, server: resources.use(await TestMember.start(node, undefined, '127.0.0.1')) };
}

describe.skipIf(haproxy === undefined)('the HAProxy configuration of docs/operations.md (needs haproxy)', () => {
  let resources = new AsyncDisposableStack();
  afterEach(async () => {
    await resources.disposeAsync();
    resources = new AsyncDisposableStack();
  });

  /** The documented configuration word for word, but for the addresses. */
  async function configuration(
    nodes: readonly { port: number; server: TestMember }[],
    ports: { write: number; read: number; sync: number; any: number },
    authorityFile: string,
  ): Promise<string> {
    const page = await readFile(new URL('../../docs/operations.md', import.meta.url), 'utf8');
    const block = /```haproxy\n([\s\S]*?)```/.exec(page)![1]!;
    const local = block
      .replace('*:5000', `127.0.0.1:${ports.write}`)
      .replace('*:5001', `127.0.0.1:${ports.read}`)
      .replace('*:5002', `127.0.0.1:${ports.sync}`)
      .replace('*:5003', `127.0.0.1:${ports.any}`)
      .replace('/etc/holdfast/ca.pem', authorityFile)
      .replaceAll(/server db(\d) \S+ check port 7400/g, (_, number: string) => {
        const { server, port } = nodes[Number(number) - 1]!;
        return `server db${number} 127.0.0.1:${server.port} check port ${port}`;
      });
    expect(local).not.toContain('7400');
    return `defaults\n  mode tcp\n  timeout connect 2s\n  timeout client 30s\n  timeout server 30s\n\n${local}`;
  }

  test('takes writers to the leader and readers to replicas, moves and cuts writers when the leadership moves', async () => {
    const [one, two, three] = [await startNode('db1', resources), await startNode('db2', resources), await startNode('db3', resources)];
    one.control.members = [leaderMember];
    three.control.members = [{ ...replicaMember, sync: false, lagBytes: 16 * 1024 * 1024 + 1 }];
    const [write, read, sync, any] = (await freePorts(4)) as [number, number, number, number];
    const ports = { write, read, sync, any };
    const directory = await mkdtemp(join(tmpdir(), 'holdfast-haproxy-'));
    resources.defer(() => rm(directory, { recursive: true }));
    const file = join(directory, 'haproxy.cfg');
    const authorityFile = join(directory, 'ca.pem');
    await writeFile(authorityFile, authority.certificate);
    await writeFile(file, await configuration([one, two, three], ports, authorityFile));
    const proxy = spawn(haproxy!, ['-db', '-f', file], { stdio: 'ignore' });
    resources.defer(() => void proxy.kill('SIGKILL'));

    const greeting = async (port: number): Promise<string> => {
      using client = await TestClient.connect({ host: '127.0.0.1', port });
      for (let turn = 0; turn < 2_000 && client.text === '' && client.ending === undefined; turn++) await clock.sleep(5);
      return client.text.trim();
    };
    /** Who served six connections in a row: until its first checks are through, HAProxy takes every server for well. */
    const served = async (port: number): Promise<string[]> => {
      const names = new Set<string>();
      for (let count = 0; count < 6; count++) names.add(await greeting(port));
      return [...names];
    };
    const options = { timeout: 20_000, interval: 100 };
    await expect.poll(() => served(ports.write), options).toEqual(['db1']);
    // The third is too far behind.
    await expect.poll(() => served(ports.read), options).toEqual(['db2']);
    await expect.poll(() => served(ports.sync), options).toEqual(['db2']);
    await expect.poll(async () => (await served(ports.any)).toSorted(), options).toEqual(['db1', 'db2']);

    using writer = await TestClient.connect({ host: '127.0.0.1', port: ports.write });
    one.control.members = [{ ...leaderMember, leader: false, accepting: false, role: 'none' }];
    two.control.members = [{ ...leaderMember, term: 8 }];
    three.control.members = [{ ...replicaMember, sync: false }];
    await expect.poll(() => served(ports.write), options).toEqual(['db2']);
    await expect.poll(() => served(ports.read), options).toEqual(['db3']);
    // A reader's server that no commit waits for is none of these; weights say who is reached how often.
    await expect.poll(() => served(ports.sync), options).toEqual(['']);
    await expect.poll(async () => (await served(ports.any)).toSorted(), options).toEqual(['db2', 'db3']);
    const shares = new Map<string, number>();
    for (let count = 0; count < 40; count++) {
      const name = await greeting(ports.any);
      shares.set(name, (shares.get(name) ?? 0) + 1);
    }
    expect(Object.fromEntries(shares)).toEqual({ db2: 10, db3: 30 });
    await expect.poll(() => writer.ending, options).toBeDefined();
  });
});
