import { expect, test } from 'vitest';
import { HoldfastError } from '../core/errors.ts';
import { redact } from './redact.ts';

test('hides what is named a secret at any depth, and keeps fencing tokens', () => {
  expect(
    redact({
      password: 'a',
      deep: { replicationPassword: 'b', list: [{ clientSecret: { x: 1 } }] },
      apiToken: 'c',
      token: 7n,
      password2: 1234,
      secretKnown: true,
      PGPASSWORD: 'd',
    }),
  ).toEqual({
    password: '[redacted]',
    deep: { replicationPassword: '[redacted]', list: [{ clientSecret: '[redacted]' }] },
    apiToken: '[redacted]',
    token: '7',
    password2: '[redacted]',
    secretKnown: true,
    PGPASSWORD: '[redacted]',
  });
});

test.each([
  ['postgres://app:hunter2@db1:5432/shop', 'postgres://app:[redacted]@db1:5432/shop'],
  ['host=db1 user=app password=hunter2 dbname=shop', 'host=db1 user=app password=[redacted] dbname=shop'],
  ["host=db1 password='hun\\'t er2' user=app", 'host=db1 password=[redacted] user=app'],
  ["ALTER ROLE app PASSWORD 'hun''ter2' VALID UNTIL 'infinity'", "ALTER ROLE app PASSWORD [redacted] VALID UNTIL 'infinity'"],
  ['https://x/?a=1&client_secret=hunter2&b=2', 'https://x/?a=1&client_secret=[redacted]&b=2'],
  ['the password was wrong', 'the password was wrong'],
])('hides the password within %s', (text, clean) => expect(redact({ text })).toEqual({ text: clean }));

test('an expected failure speaks by its code, any other shows its stack; both without secrets', () => {
  const cause = new Error('postgres://a:b@c');
  const { error } = redact({ error: new HoldfastError('X_Y', 'password=z', { hint: 'h', cause }) }) as { error: Record<string, unknown> };
  expect(error).toMatchObject({ code: 'X_Y', message: 'password=[redacted]', hint: 'h', cause: { message: 'postgres://a:[redacted]@c' } });
  expect(error).not.toHaveProperty('stack');
  expect(JSON.stringify(redact({ error: cause }))).toMatch(/stack.*redact\.test/);
  expect(JSON.stringify(redact({ error: cause }))).not.toContain(':b@');
});

test('survives cycles, depth, width, length and odd values', () => {
  const cycle: Record<string, unknown> = {
    n: 1n,
    f: () => 1,
    buffer: Buffer.alloc(9),
    when: new Date(0),
    undefined: undefined,
    map: new Map([['secret', 'x']]),
  };
  cycle['self'] = cycle;
  const text = JSON.stringify(redact({ cycle, many: Array.from({ length: 1_000 }, (_, i) => i), long: 'x'.repeat(100_000) }));
  expect(text).toContain('[deeper]');
  expect(text).toContain('… 900 more');
  expect(text).toContain('91808 more characters');
  expect(text).toContain('[9 bytes]');
  expect(text).toContain('"secret":"[redacted]"');
});
