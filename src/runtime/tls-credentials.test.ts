import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createAuthority, issueNodeCertificate } from '../agent/certificates.ts';
import { createClock } from './clock.ts';
import { readTlsCredentials } from './tls-credentials.ts';

const wallMs = createClock().wallMs();
const dayMs = 86_400_000;
const authority = createAuthority({ cluster: 'shop', wallMs, days: 100 });
const other = createAuthority({ cluster: 'shop', wallMs, days: 100 });
const node = issueNodeCertificate(authority, { node: 'db1', hosts: ['db1.example.net'], wallMs, days: 60 });

let directory: string;
let paths: { ca: string; cert: string; key: string };
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'holdfast-tls-'));
  paths = { ca: join(directory, 'ca.pem'), cert: join(directory, 'db1.pem'), key: join(directory, 'db1.key') };
  await writeFile(paths.ca, authority.certificate);
  await writeFile(paths.cert, node.certificate);
  await writeFile(paths.key, node.key, { mode: 0o600 });
});
afterEach(() => rm(directory, { recursive: true }));

const read = (options: { node?: string; wallMs?: number } = {}) => readTlsCredentials(paths, { node: 'db1', wallMs, ...options });
const failing = (code: string, message: RegExp) => expect.objectContaining({ code, message: expect.stringMatching(message) as unknown });

test('reads files that belong together', async () => {
  expect(await read()).toEqual({
    credentials: { ca: authority.certificate, cert: node.certificate, key: node.key },
    expiresAtMs: Math.floor((wallMs + 60 * dayMs) / 1_000) * 1_000,
    warnings: [],
  });
  expect((await read({ node: 'db1.example.net' })).warnings).toEqual([]);
});

test('several authorities may be trusted while one replaces the other', async () => {
  await writeFile(paths.ca, other.certificate + authority.certificate);
  expect((await read()).warnings).toEqual([]);
});

test.each<[string, () => Promise<void>, RegExp]>([
  ['a key of another certificate', () => writeFile(paths.key, other.key), /the key '.*db1\.key' does not belong to the certificate/],
  ['another CA of the same name', () => writeFile(paths.ca, other.certificate), /was not signed by/],
  [
    'the CA itself as certificate',
    async () => (await writeFile(paths.cert, authority.certificate), writeFile(paths.key, authority.key)),
    /is for Holdfast shop, not for the node 'db1'/,
  ],
])('refuses %s', async (_name, spoil, message) => {
  await spoil();
  await expect(read()).rejects.toThrow(failing('CONFIG_CERTIFICATE_MISMATCH', message));
});

test('refuses a certificate of another node, and one that only says localhost', async () => {
  await expect(read({ node: 'db2' })).rejects.toThrow(
    failing('CONFIG_CERTIFICATE_MISMATCH', /is for db1, db1\.example\.net, not for the node 'db2'/),
  );
  await expect(read({ node: 'localhost' })).rejects.toThrow(failing('CONFIG_CERTIFICATE_MISMATCH', /not for the node/));
});

test.each(['ca', 'cert', 'key'] as const)('says which file is of no use: %s', async (which) => {
  await writeFile(paths[which], 'nonsense');
  await expect(read()).rejects.toThrow(failing('CONFIG_CERTIFICATE_UNREADABLE', new RegExp(paths[which])));
  await rm(paths[which]);
  await expect(read()).rejects.toThrow(failing('CONFIG_CERTIFICATE_UNREADABLE', /ENOENT/));
});

test('warns of what works still', async () => {
  expect((await read({ wallMs: wallMs + 40 * dayMs })).warnings).toEqual([
    expect.stringMatching(/expires on \d{4}-\d\d-\d\d\. Make a new one/),
  ]);
  expect((await read({ wallMs: wallMs + 61 * dayMs })).warnings).toEqual([expect.stringMatching(/expired on/)]);
  await chmod(paths.key, 0o644);
  expect((await read()).warnings).toEqual([expect.stringMatching(/can be read by others.*chmod 600/)]);
});
