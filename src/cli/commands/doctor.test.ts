import { execFile } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { createAuthority, issueNodeCertificate } from '../../agent/certificates.ts';
import { initRepository } from '../../backup/index.ts';
import { createCommandRuntime } from '../../runtime/command-runtime.ts';
import { createClock } from '../../runtime/clock.ts';
import { openLocation } from '../../storage/registry.ts';
import type { Finding } from '../doctor/finding.ts';

const dayMs = 86_400_000;
const nowMs = createClock().wallMs();
const authority = createAuthority({ cluster: 'shop', wallMs: nowMs - 20 * dayMs, days: 100 });
const stranger = createAuthority({ cluster: 'shop', wallMs: nowMs - dayMs, days: 100 });
const bin = fileURLToPath(new URL('../../../bin/holdfast.mjs', import.meta.url));
const servers: Server[] = [];
const runtime = createCommandRuntime();
const { signal } = new AbortController();
let directory: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-doctor-'));
  write('ca.pem', authority.certificate);
  certify('db1', nowMs - dayMs, 10);
  certify('old', nowMs - 20 * dayMs, 10);
  mkdirSync(join(directory, 'open'));
  chmodSync(join(directory, 'open'), 0o755);
});
afterAll(async () => {
  await runtime[Symbol.asyncDispose]();
  for (const server of servers) server.close();
  rmSync(directory, { recursive: true, force: true });
});

function write(name: string, text: string, mode = 0o644): string {
  writeFileSync(join(directory, name), text, { mode });
  return join(directory, name);
}

function certify(name: string, wallMs: number, days: number): void {
  const issued = issueNodeCertificate(authority, { node: 'db1', hosts: ['127.0.0.1'], wallMs, days });
  write(`${name}.pem`, issued.certificate);
  write(`${name}.key`, issued.key, 0o600);
}

function listen(server: Server): Promise<number> {
  servers.push(server);
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port)));
}

/** A port that was free a moment ago. */
async function freePort(): Promise<number> {
  const server = createServer();
  const port = await listen(server);
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** An agent's port as far as the doctor sees it, with a clock that is `aheadMs` ahead. */
function peer(signer: typeof authority, aheadMs: number): Promise<number> {
  const { certificate, key } = issueNodeCertificate(signer, { node: 'db2', hosts: ['127.0.0.1'], wallMs: nowMs - dayMs, days: 10 });
  const server = createTlsServer({ cert: certificate, key, ca: authority.certificate }, (_, response) => {
    response.setHeader('date', new Date(createClock().wallMs() + aheadMs).toUTCString());
    response.end();
  });
  return listen(server);
}

interface Change {
  readonly cert?: string;
  readonly listen?: number;
  readonly peers?: readonly number[];
  readonly postgres?: object;
  readonly coordination?: object;
  readonly locations?: object;
}

async function diagnose(change: Change): Promise<{ code: number; findings: string[] }> {
  const { cert = 'db1', listen: port = await freePort(), peers = [], postgres, locations = {} } = change;
  const { coordination = { embedded: 'store.sqlite' } } = change;
  const file = write(
    'holdfast.yaml',
    stringify({
      cluster: 'shop',
      node: { name: 'db1', listen: `127.0.0.1:${port}`, state: 'state' },
      security: { ca: 'ca.pem', cert: `${cert}.pem`, key: `${cert}.key` },
      coordination,
      peers: peers.map((one) => `127.0.0.1:${one}`),
      locations,
      services: postgres ? { orders: { postgres: { data: 'data', listen: `127.0.0.1:${await freePort()}`, ...postgres } } } : {},
    }),
  );
  const { code, stdout } = await new Promise<{ code: number; stdout: string }>((resolve) => {
    execFile(process.execPath, [bin, 'doctor', file, '--json'], (error, out) => resolve({ code: Number(error?.code ?? 0), stdout: out }));
  });
  const { fit, findings } = JSON.parse(stdout) as { fit: boolean; findings: Finding[] };
  expect(code).toBe(fit ? 0 : 1);
  expect(fit).toBe(findings.every(({ level }) => level !== 'fail'));
  return { code, findings: findings.map(({ area, level, message }) => `${level} ${area}: ${message}`) };
}

describe('what is as it should be', () => {
  test('is told to be', async () => {
    const { findings } = await diagnose({ postgres: {} });
    expect(findings).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^ok configuration: .*holdfast.yaml is right$/),
        expect.stringMatching(/^ok node: Node.js 24/),
        expect.stringMatching(/^ok ports: 127.0.0.1:\d+ \(node.listen\) is free$/),
        expect.stringMatching(/^ok ports: 127.0.0.1:\d+ \(services.orders.postgres.listen\) is free$/),
        expect.stringMatching(/^ok orders: .*data will be made$/),
        expect.stringMatching(/^ok coordination: embedded answers in/),
        expect.stringMatching(/^warn certificates: db1 is valid for 8 more days$/),
        expect.stringMatching(/^warn orders: the embedded PostgreSQL is for trials/),
      ]),
    );
  });
});

describe('what is wrong', () => {
  test('a port in use', async () => {
    const port = await listen(createServer((socket) => socket.destroy()));
    const { code, findings } = await diagnose({ listen: port });
    expect(code).toBe(1);
    expect(findings).toContain(`fail ports: 127.0.0.1:${port} (node.listen) is in use by another program`);
  });

  test('an address of another machine', async () => {
    expect((await diagnose({ postgres: { listen: '192.0.2.1:5432' } })).findings).toContain(
      'fail ports: 192.0.2.1:5432 (services.orders.postgres.listen) is no address of this machine',
    );
  });

  test('a data directory that PostgreSQL refuses', async () => {
    expect((await diagnose({ postgres: { data: 'open' } })).findings).toContain(
      `fail orders: ${join(directory, 'open')} has mode 755, which PostgreSQL refuses`,
    );
  });

  test('programs that are not there', async () => {
    expect((await diagnose({ postgres: { bin: '/nowhere' } })).findings.join('\n')).toMatch(
      /fail orders: no complete PostgreSQL in \/nowhere/,
    );
  });

  test('a certificate that has run out', async () => {
    expect((await diagnose({ cert: 'old' })).findings.join('\n')).toMatch(/fail certificates: the certificate of db1 ran out on/);
  });

  test('a store that does not answer', async () => {
    const { findings } = await diagnose({
      coordination: { etcd: { endpoints: [`http://127.0.0.1:${await freePort()}`], requestTimeout: '500ms' } },
    });
    expect(findings.some((finding) => finding.startsWith('fail coordination:'))).toBe(true);
  });
});

describe('peers', () => {
  test('that agree', async () => {
    expect((await diagnose({ peers: [await peer(authority, 0)] })).findings.join('\n')).toMatch(
      /ok peers: 127.0.0.1:\d+ answers in \d+ ms, its clock agrees/,
    );
  });

  test.each([3_600_000, -3_600_000])('whose clock is %d ms apart', async (aheadMs) => {
    const { findings } = await diagnose({ peers: [await peer(authority, aheadMs)] });
    expect(findings.join('\n')).toMatch(/warn peers: the clock of 127.0.0.1:\d+ is at least 3(?:600|59\d)\.\d s apart/);
  });

  test('of another CA', async () => {
    expect((await diagnose({ peers: [await peer(stranger, 0)] })).findings.join('\n')).toMatch(/fail peers: 127.0.0.1:\d+: /);
  });

  test('that do not answer', async () => {
    expect((await diagnose({ peers: [await freePort()] })).findings.join('\n')).toMatch(/warn peers: 127.0.0.1:\d+ does not answer/);
  });
});

describe('locations of copies', () => {
  const told = async (locations: object): Promise<string> =>
    (await diagnose({ locations })).findings.filter((finding) => finding.includes(' location ')).join('\n');

  test('that answer, without a repository and with one, and with a password that is not its own', async () => {
    const vault = join(directory, 'vault');
    mkdirSync(vault);
    write('right.secret', 'right\n', 0o600);
    write('wrong.secret', 'wrong\n', 0o600);
    const right = { vault: { path: vault, password: 'file:right.secret' } };
    const none = await told(right);
    expect(none).toMatch(/^ok location vault: answers\nok location vault: has no repository yet/);
    expect(readdirSync(vault), 'it was marked as found, nothing else').toEqual(['~holdfast']);

    await using location = await openLocation('vault', { vault: { path: vault } }, runtime, { signal });
    await initRepository(location, { password: 'right' }, runtime, { signal });
    expect(await told(right)).toMatch(/ok location vault: the password opens its repository, which has 0 snapshots/);
    expect(await told({ vault: { path: vault, password: 'file:wrong.secret' } })).toMatch(/fail location vault: .*password/);
    expect(await told({ vault: { path: vault } })).toMatch(/warn location vault: there is no password for its repository/);
  });

  test('of a configuration that is not right are not asked: their secrets were not read', async () => {
    const { findings } = await diagnose({ cert: 'missing', locations: { vault: { path: directory, password: 'file:right.secret' } } });
    expect(findings.join('\n')).toMatch(/^fail configuration: .*security\.cert/);
    expect(findings.filter((finding) => finding.includes('location'))).toEqual([]);
  });

  test('that are not there, alone and as a part of another', async () => {
    mkdirSync(join(directory, 'here'));
    const places = { here: { path: join(directory, 'here') }, gone: { path: join(directory, 'gone') } };
    expect(await told(places)).toMatch(/fail location gone: is away: .*gone/);
    const both = await told({ ...places, both: { mirror: ['here', 'gone'] } });
    // Whether there is a repository, the one that is away may know.
    expect(both).toMatch(/^warn location both: is degraded: gone: .*\nfail location both: .*those that answer do not have it/);
    mkdirSync(join(directory, 'gone'));
    const whole = await told({ ...places, both: { mirror: ['here', 'gone'] } });
    expect(whole).toBe('ok location both: all 2 of its parts answer\nok location both: has no repository yet: the first backup makes one');
  });
});
