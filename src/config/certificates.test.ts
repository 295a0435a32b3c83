import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createAuthority, issueNodeCertificate } from '../agent/certificates.ts';
import { createClock } from '../runtime/clock.ts';
import { inspectCertificates } from './certificates.ts';
import { loadConfig } from './load.ts';

const dayMs = 86_400_000;
const nowMs = createClock().wallMs();
let directory: string;

/** Files of a good node, an authority that did not sign it, and files that are nothing. */
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-certificates-'));
  const authority = createAuthority({ cluster: 'shop', wallMs: nowMs - dayMs, days: 100 });
  const issued = issueNodeCertificate(authority, { node: 'db1', hosts: ['127.0.0.1', 'localhost'], wallMs: nowMs - dayMs, days: 10 });
  const stranger = createAuthority({ cluster: 'shop', wallMs: nowMs - dayMs, days: 100 });
  write('ca.pem', authority.certificate);
  write('db1.pem', issued.certificate);
  write('db1.key', issued.key, 0o600);
  write('stranger.pem', stranger.certificate);
  write('stranger.key', stranger.key, 0o600);
  write('open.key', issued.key, 0o644);
  write('text.pem', 'no certificate');
  write('text.key', 'no key', 0o600);
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function write(name: string, text: string, mode = 0o644): void {
  writeFileSync(join(directory, name), text);
  chmodSync(join(directory, name), mode);
}

function inspect({ ca = 'ca.pem', cert = 'db1.pem', key = 'db1.key', node = 'db1', at = nowMs } = {}) {
  const files = { ca: join(directory, ca), cert: join(directory, cert), key: join(directory, key) };
  const { chain, findings, untimely } = inspectCertificates(files, node, at);
  const text = (list: typeof findings): string[] =>
    list.map(({ path, message }) => `${path.join('.')}: ${message.replaceAll(`${directory}/`, '')}`);
  return { chain, findings: text(findings), untimely: text(untimely) };
}

test('files that belong together have a chain up to the CA and nothing wrong', () => {
  const { chain, findings, untimely } = inspect();
  expect(chain).toHaveLength(2);
  expect([...findings, ...untimely]).toEqual([]);
});

test.each<[string, Parameters<typeof inspect>[0], string]>([
  ['another node', { node: 'db2' }, 'cert: db1.pem is of db1, not of db2: node.name must be among its names'],
  ['everybody', { node: 'localhost' }, 'cert: db1.pem is of db1, not of localhost'],
  ['another CA of the same name', { ca: 'stranger.pem' }, 'cert: db1.pem was not signed by stranger.pem'],
  ['another key', { key: 'stranger.key' }, 'key: stranger.key is not the key of the certificate'],
  ['no key', { key: 'text.key' }, 'key: text.key is no private key in PEM'],
  ['an absent key', { key: 'absent.key' }, 'key: can not be read'],
  ['a key for everybody', { key: 'open.key' }, 'key: open.key is open to everybody: chmod o= open.key'],
  ['no certificate', { cert: 'text.pem' }, 'cert: text.pem holds no certificate in PEM'],
  ['no CA', { ca: 'text.pem' }, 'ca: text.pem holds no certificate in PEM'],
])('%s is refused', (_, change, expected) => {
  const { findings } = inspect(change);
  expect(findings).toHaveLength(1);
  expect(findings[0]).toContain(expected);
});

test('certificates out of their time are told apart', () => {
  expect(inspect({ at: nowMs + 20 * dayMs })).toMatchObject({
    findings: [],
    untimely: [expect.stringContaining('cert: the certificate of db1 ran out on')],
  });
  expect(inspect({ at: nowMs + 200 * dayMs }).untimely).toHaveLength(2);
  expect(inspect({ at: nowMs - 20 * dayMs }).untimely[0]).toContain('is valid only from');
});

test('an agent starts with a certificate that has run out; config check does not let it pass', () => {
  const file = join(directory, 'holdfast.yaml');
  writeFileSync(
    file,
    'cluster: shop\nnode: { name: db1, listen: 127.0.0.1:7400 }\ncoordination: { etcd: { endpoints: ["http://127.0.0.1:2379"] } }\n' +
      'security: { ca: ca.pem, cert: db1.pem, key: db1.key }\n',
  );
  const clock = { ...createClock(), wallMs: () => nowMs + 20 * dayMs };
  expect(loadConfig(file, { clock }).node.name).toBe('db1');
  expect(() => loadConfig(file, { clock, strict: true })).toThrow(/4:31 {2}security.cert: the certificate of db1 ran out/);
});
