import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createAuthority, issueNodeCertificate } from '../../src/agent/certificates.ts';
import { silentLogger } from '../../src/core/logger.ts';
import { createClock, createRandom, openListener, type Listener } from '../../src/runtime/index.ts';

const haproxy = ['haproxy', '/usr/sbin/haproxy'].find((program) => spawnSync(program, ['-v']).status === 0);
if (haproxy === undefined && process.env['HOLDFAST_REQUIRE'] === 'all') throw new Error('haproxy is absent, and HOLDFAST_REQUIRE=all');

/** Health checks as the HAProxy configurations of this field have them: `option httpchk`, plain or over TLS, to the agent's one port. */
describe.skipIf(haproxy === undefined)('HAProxy asks the one port of an agent (needs haproxy)', () => {
  const clock = createClock();
  let directory: string;
  let listener: Listener;
  let proxy: ChildProcess;
  let primary: boolean;

  beforeEach(async () => {
    primary = true;
    directory = await mkdtemp(join(tmpdir(), 'holdfast-haproxy-'));
    const authority = createAuthority({ cluster: 'shop', wallMs: clock.wallMs(), days: 1 });
    const node = issueNodeCertificate(authority, { node: 'db1', hosts: [], wallMs: clock.wallMs(), days: 1 });
    const credentials = { ca: authority.certificate, cert: node.certificate, key: node.key };
    await writeFile(join(directory, 'ca.pem'), authority.certificate);
    const plainPaths = ['/primary', '/replica'];
    listener = await openListener(
      { host: '127.0.0.1', port: 0, credentials, plainPaths },
      { clock, random: createRandom(), logger: silentLogger },
    );
    listener.onRequest((request, response) => void response.writeHead((request.url === '/primary') === primary ? 200 : 503).end());
    await writeFile(join(directory, 'haproxy.cfg'), configuration(directory, listener.address.port));
    proxy = spawn(haproxy!, ['-db', '-f', join(directory, 'haproxy.cfg')], { stdio: 'ignore' });
  });
  afterEach(async () => {
    proxy.kill('SIGKILL');
    await listener[Symbol.asyncDispose]();
    await rm(directory, { recursive: true });
  });

  test('and sends traffic where the answer is 200, plain or over TLS, by OPTIONS, GET or HEAD; and away when it changes', async () => {
    const states = () => statusOfServers(join(directory, 'stats'));
    const options = { timeout: 15_000, interval: 100 };
    await expect
      .poll(states, options)
      .toEqual({ options: 'UP L7OK', get: 'UP L7OK', head: 'UP L7OK', tls: 'UP L7OK', replica: 'DOWN L7STS', admin: 'DOWN L7STS' });
    primary = false;
    await expect.poll(states, options).toEqual({
      options: 'DOWN L7STS',
      get: 'DOWN L7STS',
      head: 'DOWN L7STS',
      tls: 'DOWN L7STS',
      replica: 'UP L7OK',
      admin: 'DOWN L7STS',
    });
  });
});

function configuration(directory: string, port: number): string {
  const checks: Record<string, readonly [check: string, more: string]> = {
    options: ['OPTIONS /primary', ''],
    get: ['GET /primary', ''],
    head: ['HEAD /primary', ''],
    tls: ['GET /primary', `check-ssl ca-file ${join(directory, 'ca.pem')} verifyhost db1`],
    replica: ['GET /replica', ''],
    // Not one of those that are answered without TLS.
    admin: ['GET /api/v1/status', ''],
  };
  const services = Object.entries(checks).map(
    ([name, [check, more]]) => `listen ${name}
  bind unix@${join(directory, name)}
  option httpchk ${check}
  http-check expect status 200
  default-server inter 200ms fall 1 rise 1
  server db1 127.0.0.1:1 check port ${port} ${more}`,
  );
  return `global
  stats socket ${join(directory, 'stats')}
defaults
  mode tcp
  timeout connect 2s
  timeout client 5s
  timeout server 5s
${services.join('\n')}
`;
}

/** By service, from columns 1, 2, 18 and 37 of `show stat`. */
async function statusOfServers(socketPath: string): Promise<Record<string, string>> {
  const socket = connect(socketPath);
  socket.end('show stat\n');
  const text = (await socket.toArray().catch(() => [])).join('');
  const rows = text.split('\n').map((line) => line.split(','));
  return Object.fromEntries(
    rows.filter(([, server]) => server === 'db1').map((fields) => [fields[0], `${fields[17]} ${fields[36]?.replace(/^\* /, '')}`]),
  );
}
