import { scryptSync } from 'node:crypto';
import { beforeEach, describe, expect, test } from 'vitest';
import { SimulatedTime } from '../sim/index.ts';
import { BasicGate, parseUsers } from './basic-gate.ts';
import { hashPassword, matchesPassword, parsePasswordHash } from './password-hash.ts';

/** As OpenSSL and passlib have it: RFC 7914, 12, third vector ("pleaseletmein", "SodiumChloride"). */
const published = [
  '7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2',
  'd5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887',
].join('');
const unpadded = (bytes: Buffer): string => bytes.toString('base64').replaceAll('=', '');
const publishedHash = `$scrypt$ln=14,r=8,p=1$${unpadded(Buffer.from('SodiumChloride'))}$${unpadded(Buffer.from(published, 'hex'))}`;

/** Quick to compute: what is tested here is not how slow it is. */
function cheapHash(password: string): string {
  const salt = Buffer.from('SodiumChloride');
  return `$scrypt$ln=4,r=8,p=1$${unpadded(salt)}$${unpadded(scryptSync(password, salt, 32, { N: 16, r: 8, p: 1 }))}`;
}

function basic(text: string): string {
  return `Basic ${Buffer.from(text).toString('base64')}`;
}

describe('hashes of passwords', () => {
  test('are those of RFC 7914', async () => {
    const hash = parsePasswordHash(publishedHash)!;
    expect(await matchesPassword('pleaseletmein', hash)).toBe(true);
    expect(await matchesPassword('pleaseletmeiN', hash)).toBe(false);
  });

  test('differ each time, and know their password', async () => {
    const [one, other] = [await hashPassword('correct horse'), await hashPassword('correct horse')];
    expect(one).not.toBe(other);
    for (const text of [one, other]) expect(await matchesPassword('correct horse', parsePasswordHash(text)!)).toBe(true);
  });

  test.each([
    '',
    'plain',
    '$2y$10$x',
    cheapHash('x').slice(0, -30),
    publishedHash.replace('ln=14', 'ln=40'),
    publishedHash.replace('p=1', 'p=99'),
  ])('%j is none', (text) => {
    expect(parsePasswordHash(text)).toBeUndefined();
  });
});

describe('a file of users', () => {
  test('has lines, comments and nothing else', () => {
    expect([...parseUsers(`# those\n\nalice:${publishedHash}\r\nbob@x:${publishedHash}\n`).keys()]).toEqual(['alice', 'bob@x']);
  });

  test.each([
    [`alice:${publishedHash}\nalice:${publishedHash}`, 'line 2'],
    ['alice', 'line 1'],
    ['alice:secret', 'line 1'],
    [`a b:${publishedHash}`, 'line 1'],
    [`:${publishedHash}`, 'line 1'],
  ])('%j is refused', (text, line) => {
    expect(() => parseUsers(text)).toThrow(
      expect.objectContaining({ code: 'SERVE_USERS_INVALID', message: expect.stringContaining(line) }),
    );
    expect(() => parseUsers(text)).not.toThrow('secret');
  });
});

describe('the gate', () => {
  const users = parseUsers(`alice:${cheapHash('pleaseletmein')}`);
  const right = basic('alice:pleaseletmein');
  let time: SimulatedTime;
  let gate: BasicGate;
  beforeEach(() => {
    time = new SimulatedTime();
    gate = new BasicGate(time.clock());
  });

  test('lets in who has the password, again and again, and as long as the file says so', async () => {
    for (const again of [1, 2, 3]) expect(await gate.judge(right, users, 'here'), String(again)).toEqual({ kind: 'let-in', user: 'alice' });
    expect(await gate.judge(right, parseUsers(''), 'here')).toEqual({ kind: 'unknown' });
    const changed = parseUsers(`alice:${cheapHash('another one')}`);
    expect(await gate.judge(right, changed, 'here')).toEqual({ kind: 'unknown' });
    expect(await gate.judge(basic('alice:another one'), changed, 'here')).toEqual({ kind: 'let-in', user: 'alice' });
  });

  test.each([
    undefined,
    '',
    'Basic',
    'Basic !!!',
    'Bearer abc',
    basic('alice'),
    basic(':pleaseletmein'),
    basic('alice:'),
    basic('bob:pleaseletmein'),
    basic('Alice:pleaseletmein'),
    basic('alice:pleaseletmein '),
    `Basic ${'A'.repeat(100_000)}`,
  ])('keeps %j out', async (header) => {
    expect(await gate.judge(header, users, 'here')).toEqual({ kind: 'unknown' });
  });

  test('after twenty wrong ones an address has to wait; who was let in before, and other addresses, do not', async () => {
    expect(await gate.judge(right, users, 'here')).toMatchObject({ kind: 'let-in' });
    const cheapUsers = parseUsers(`alice:${cheapHash('pleaseletmein')}\nbob:${cheapHash('secret')}`);
    for (let tries = 0; tries <= 20; tries++)
      expect(await gate.judge(basic(`bob:${tries}`), cheapUsers, 'here')).toEqual({ kind: 'unknown' });
    expect(await gate.judge(basic('bob:x'), cheapUsers, 'here')).toEqual({ kind: 'too-many' });
    expect(await gate.judge(right, cheapUsers, 'here')).toMatchObject({ kind: 'let-in' });
    expect(await gate.judge(basic('bob:x'), cheapUsers, 'there')).toEqual({ kind: 'unknown' });
    await time.advance(60_000);
    expect(await gate.judge(basic('bob:x'), cheapUsers, 'here')).toEqual({ kind: 'unknown' });
  });

  test('many different ones at once are not all looked at; the same one is looked at once', async () => {
    const cheapUsers = parseUsers(`bob:${cheapHash('secret')}`);
    const verdicts = await Promise.all(Array.from({ length: 60 }, (_, n) => gate.judge(basic(`bob:${n}`), cheapUsers, `host-${n}`)));
    const refused = verdicts.filter(({ kind }) => kind === 'too-many');
    expect(refused.length).toBe(60 - 2 - 32);
    const same = await Promise.all(Array.from({ length: 60 }, () => gate.judge(right, users, 'here')));
    expect(new Set(same.map(({ kind }) => kind))).toEqual(new Set(['let-in']));
  });
});
