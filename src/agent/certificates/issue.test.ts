import { createPrivateKey, generateKeyPairSync, X509Certificate } from 'node:crypto';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { decodeAll, integer, oid, time } from './der.ts';
import { createAuthority, issueNodeCertificate } from './issue.ts';

const wallMs = Date.UTC(2026, 5, 1);
const authority = createAuthority({ cluster: 'shop', wallMs, days: 3650 });
const issued = issueNodeCertificate(authority, { node: 'db1', hosts: ['db1.example.net', '10.0.0.1', 'fd00::12:0:1'], wallMs, days: 760 });
const ca = new X509Certificate(authority.certificate);
const node = new X509Certificate(issued.certificate);

const hasOpenssl = spawnSync('openssl', ['version']).status === 0;
if (!hasOpenssl && process.env['HOLDFAST_REQUIRE'] === 'all') throw new Error('openssl is absent, and HOLDFAST_REQUIRE=all');

test('an authority signs itself and says what it is for', () => {
  expect(ca.ca).toBe(true);
  expect(ca.verify(ca.publicKey)).toBe(true);
  expect(ca.subject).toBe('O=shop\nCN=Holdfast shop');
  expect(ca.validToDate.getTime() - ca.validFromDate.getTime()).toBe(3650 * 86_400_000 + 5 * 60_000);
  expect(ca.validToDate.getTime()).toBe(wallMs + 3650 * 86_400_000);
});

test('a node is issued by it, under all its names, and can be client and server', () => {
  expect(node.checkIssued(ca)).toBe(true);
  expect(node.verify(ca.publicKey)).toBe(true);
  expect(node.ca).toBe(false);
  expect(node.checkPrivateKey(createPrivateKey(issued.key))).toBe(true);
  expect(node.subject).toBe('CN=db1');
  expect(node.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2']);
  for (const host of ['db1', 'db1.example.net', 'localhost']) expect(node.checkHost(host)).toBe(host);
  for (const ip of ['10.0.0.1', 'fd00::12:0:1', '127.0.0.1', '::1']) expect(node.checkIP(ip)).toBe(ip);
  expect(node.checkHost('db2')).toBeUndefined();
  expect(node.checkIP('10.0.0.2')).toBeUndefined();
});

test('serial numbers and keys differ', () => {
  const other = issueNodeCertificate(authority, { node: 'db1', hosts: [], wallMs, days: 1 });
  expect(new X509Certificate(other.certificate).serialNumber).not.toBe(node.serialNumber);
  expect(other.key).not.toBe(issued.key);
});

test('any IPv6 address is written as it is meant', () => {
  fc.assert(
    fc.property(fc.ipV6(), (address) => {
      const { certificate } = issueNodeCertificate(authority, { node: 'db1', hosts: [address], wallMs, days: 1 });
      expect(new X509Certificate(certificate).checkIP(address)).toBe(address);
    }),
    { numRuns: 50 },
  );
});

describe('refuses an authority that', () => {
  const request = { node: 'db1', hosts: [], wallMs, days: 1 };
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
  test.each([
    ['is a node', { ...issued }, 'not one of a certificate authority'],
    ['has the key of another', { ...authority, key: createAuthority({ cluster: 'x', wallMs, days: 1 }).key }, 'does not belong'],
    ['has another kind of key', { ...authority, key: rsa }, 'not an ECDSA P-256 key'],
    ['has no key', { ...authority, key: 'nonsense' }, 'its key can not be read'],
    ['is no certificate', { ...authority, certificate: 'nonsense' }, 'can not be read'],
    ['expired', createAuthority({ cluster: 'x', wallMs: wallMs - 3 * 86_400_000, days: 1 }), 'it expired on'],
  ])('%s', (_name, bad, why) => {
    expect(() => issueNodeCertificate(bad, request)).toThrow(
      expect.objectContaining({ code: 'CERTIFICATE_AUTHORITY_UNUSABLE', message: expect.stringContaining(why) as unknown }),
    );
  });
});

describe.skipIf(!hasOpenssl)('openssl agrees (needs openssl)', () => {
  let directory: string;
  const file = (name: string) => join(directory, name);
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'holdfast-certificates-'));
    writeFileSync(file('ca.pem'), authority.certificate);
    writeFileSync(file('node.pem'), issued.certificate);
  });
  afterAll(() => rmSync(directory, { recursive: true }));

  test('that the chain is strictly right for both purposes', () => {
    for (const purpose of ['sslserver', 'sslclient']) {
      const attime = String(wallMs / 1_000);
      execFileSync('openssl', [
        'verify',
        '-x509_strict',
        '-attime',
        attime,
        '-purpose',
        purpose,
        '-CAfile',
        file('ca.pem'),
        file('node.pem'),
      ]);
    }
  });

  test("that a node signed by openssl's own authority is right too", () => {
    const request = 'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 10 -addext keyUsage=critical,keyCertSign';
    const files = ['-keyout', file('own.key'), '-out', file('own.pem')];
    execFileSync('openssl', [...request.split(' '), ...files, '-subj', '/C=FR/O=Some Firm/CN=Root'], { stdio: 'ignore' });
    const own = {
      certificate: execFileSync('cat', [file('own.pem')], { encoding: 'utf8' }),
      key: execFileSync('cat', [file('own.key')], { encoding: 'utf8' }),
    };
    const nowMs = new X509Certificate(own.certificate).validFromDate.getTime() + 3_600_000;
    writeFileSync(file('node2.pem'), issueNodeCertificate(own, { node: 'db2', hosts: [], wallMs: nowMs, days: 5 }).certificate);
    execFileSync('openssl', ['verify', '-x509_strict', '-attime', String(nowMs / 1_000), '-CAfile', file('own.pem'), file('node2.pem')]);
  });
});

describe('DER', () => {
  test.each([
    ['2.5.29.19', '0603551d13'],
    ['1.2.840.10045.4.3.2', '06082a8648ce3d040302'],
    ['1.3.6.1.5.5.7.3.1', '06082b06010505070301'],
  ])('writes %s', (dotted, hex) => expect(oid(dotted).toString('hex')).toBe(hex));

  test('writes integers without needless zeros and never negative', () => {
    expect([[0], [0, 0, 1], [0x80], [0x7f, 1]].map((bytes) => integer(Buffer.from(bytes)).toString('hex'))).toEqual([
      '020100',
      '020101',
      '02020080',
      '02027f01',
    ]);
  });

  test('writes years past 2049 in four digits', () => {
    expect(time(Date.UTC(2049, 11, 31, 23, 59, 59)).toString('latin1')).toBe('\x17\r491231235959Z');
    expect(time(Date.UTC(2050, 0, 1)).toString('latin1')).toBe('\x18\x0f20500101000000Z');
  });

  test('refuses what is cut or has no end', () => {
    for (const hex of ['30', '3003', '308001', '3085ffffffffff', '3082ff'])
      expect(() => decodeAll(Buffer.from(hex, 'hex'))).toThrow(RangeError);
  });
});
