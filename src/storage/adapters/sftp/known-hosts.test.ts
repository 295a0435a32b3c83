import { createHmac, randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { fingerprintOf, knownKeysOf, typeOf } from './known-hosts.ts';

/** The key of an example in RFC 8709's format: its type, then 32 bytes. */
function key(byte: number): Buffer {
  const type = Buffer.from('ssh-ed25519');
  const sized = (data: Buffer): Buffer => Buffer.concat([Buffer.from([0, 0, 0, data.byteLength]), data]);
  return Buffer.concat([sized(type), sized(Buffer.alloc(32, byte))]);
}
const [one, two] = [key(1), key(2)];
const line = (hosts: string, blob: Buffer): string => `${hosts} ssh-ed25519 ${blob.toString('base64')} a comment`;

function hashed(host: string): string {
  const salt = randomBytes(20);
  return `|1|${salt.toString('base64')}|${createHmac('sha1', salt).update(host).digest('base64')}`;
}

test.each<[string, string, string, number, boolean]>([
  ['its name', 'vault.example.net', 'vault.example.net', 22, true],
  ['its name in other letters', 'Vault.Example.net', 'vault.EXAMPLE.net', 22, true],
  ['another name', 'vault.example.net', 'vault2.example.net', 22, false],
  ['one of several names', 'a,vault,10.0.0.1', '10.0.0.1', 22, true],
  ['another port', 'vault', 'vault', 2222, false],
  ['its port', '[vault]:2222', 'vault', 2222, true],
  ['the usual port', '[vault]:2222', 'vault', 22, false],
  ['a pattern', '*.example.net', 'vault.example.net', 22, true],
  ['a dot in a pattern is a dot', 'vault.example.net', 'vaultXexample.net', 22, false],
  ['a pattern of one character', 'vault?', 'vault1', 22, true],
  ['an exception', '*.example.net,!vault.example.net', 'vault.example.net', 22, false],
  ['an exception beside it', '*.example.net,!vault.example.net', 'other.example.net', 22, true],
  ['its hash', hashed('vault'), 'vault', 22, true],
  ['its hash with its port', hashed('[vault]:2222'), 'vault', 2222, true],
  ['the hash of another', hashed('other'), 'vault', 22, false],
  ['a hash of an unknown kind', '|2|AAAA|AAAA', 'vault', 22, false],
])('a host is known by %s', (_, hosts, host, port, known) => {
  expect(knownKeysOf([line(hosts, one)], host, port).trusted).toEqual(known ? [one] : []);
});

test('comments, nonsense and authorities are nobody’s keys; revoked ones are told', () => {
  const file = [
    '# vault ssh-ed25519 AAAA',
    '',
    'vault',
    'vault ssh-ed25519',
    line('@cert-authority vault', one),
    line('@revoked vault', two),
  ];
  expect(knownKeysOf([file.join('\n'), line('vault', one)], 'vault', 22)).toEqual({ trusted: [one], revoked: [two] });
});

test('fingerprints are those of ssh-keygen, and types are read off the key', () => {
  expect(fingerprintOf(Buffer.from('AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl', 'base64'))).toBe(
    'SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU',
  );
  expect(typeOf(one)).toBe('ssh-ed25519');
  expect(typeOf(Buffer.from([0, 0, 1, 0, 1]))).toBe('');
  expect(typeOf(Buffer.alloc(0))).toBe('');
});
