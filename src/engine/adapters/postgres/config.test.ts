import { describe, expect, test } from 'vitest';
import { configSchema } from './config.ts';
import { isReserved, renderSetting } from './parameters.ts';

const least = { data: '/var/lib/holdfast/orders', listen: '10.0.0.1:5432' };
const messagesOf = (more: Record<string, unknown>): string[] =>
  configSchema.safeParse({ ...least, ...more }).error?.issues.map(({ path, message }) => `${path.join('.')}: ${message}`) ?? [];

test('a directory and an address are enough', () => {
  expect(configSchema.parse(least)).toMatchObject({
    superuser: { name: 'postgres' },
    parameters: {},
    hba: [],
    replication: { walKeep: 8 * 2 ** 30 },
  });
});

test('unknown keys are refused', () => expect(messagesOf({ dta: 'x' })).toHaveLength(1));

describe('settings that failover depends on are refused, with the reason', () => {
  test.each([
    ['synchronous_standby_names', "''", /fence of failover/],
    ['Port', 5433, /`listen`/],
    ['recovery_target_time', 'now', /end of the WAL/],
    ['include', '/etc/passwd', /here/],
    ['idle_replication_slot_timeout', '1h', /walKeep/],
    ['fsync', 'off', /survive a crash/],
    ['fsync', false, /survive a crash/],
    ['wal_level', 'minimal', /replica or logical/],
    ['synchronous_commit', 'local', /disks of the replicas/],
    ['a b', 1, /name of a setting/],
    ["x' = 'y'\nfsync", 'off', /name of a setting/],
    ['work_mem', '1MB\nfsync = off', /one line/],
  ])('%s = %j', (name, value, reason) => {
    expect(messagesOf({ parameters: { [name]: value } }).join('\n')).toMatch(reason);
  });

  test('others, and safe values of these, are taken', () => {
    const parameters = {
      work_mem: '64MB',
      max_connections: 200,
      wal_level: 'logical',
      fsync: true,
      synchronous_commit: 'remote_apply',
      'auto_explain.log_analyze': true,
    };
    expect(messagesOf({ parameters })).toEqual([]);
  });

  test('constructor and the like are names as any other', () => {
    expect(messagesOf({ parameters: { constructor: 'x', toString: 'y' } })).toEqual([]);
    expect(isReserved('constructor')).toBe(false);
  });
});

test.each([
  ['host all all 10.0.0.0/8 trust', false],
  ['host all all 10.0.0.0/8\ttrust', false],
  ['host all all all scram-sha-256\nhost all all all trust', false],
  ['everyone may come', false],
  ['hostssl all app 10.0.0.0/8 cert clientcert=verify-full', true],
  ['host trust all 10.0.0.0/8 reject', false],
])('access line %j', (line, taken) => expect(messagesOf({ hba: [line] }).length === 0).toBe(taken));

test('an address for everyone needs one to be reached at', () => {
  expect(messagesOf({ listen: '0.0.0.0:5432' })).toEqual([expect.stringMatching(/^advertise: /)]);
  expect(messagesOf({ listen: '0.0.0.0:5432', advertise: '10.0.0.1:5432' })).toEqual([]);
});

test.each(['holdfast', 'holdfast_replication', 'pg_monitor', 'Robert"; drop', ''])('%j can not be the superuser', (name) => {
  expect(messagesOf({ superuser: { name } }).length).toBeGreaterThan(0);
});

test('values are quoted so that they stay values', () => {
  expect(renderSetting('search_path', `it's "a" \\ test`)).toBe(`search_path = 'it''s "a" \\\\ test'`);
  expect(renderSetting('jit', false)).toBe("jit = 'off'");
  expect(() => renderSetting('x', 'a\nb')).toThrow(RangeError);
});
