import { describe, expect, it } from 'vitest';
import type { LocalMember } from './control.ts';
import { defaultMember, describeMember, memberChecks, passes, serverVersionNumber } from './health.ts';
import { parsePostgresSize } from './size.ts';
import { leaderMember, replicaMember } from './testing/control.ts';

const async: LocalMember = { ...replicaMember, sync: false };
const down: LocalMember = { ...replicaMember, accepting: false, role: 'none', streaming: false, sync: false };
const deposed: LocalMember = { ...leaderMember, leader: false };
const promoting: LocalMember = { ...replicaMember, leader: true };
const hidden: LocalMember = { ...replicaMember, noloadbalance: true };

// Each row as Patroni 4 answers it: do_GET and _readiness of its api.py.
describe.each([
  [
    'the leader',
    leaderMember,
    [
      '',
      'primary',
      'master',
      'leader',
      'read-write',
      'read-only',
      'read-only-sync',
      'read-only-synchronous',
      'read-only-quorum',
      'health',
      'readiness',
      'patroni',
    ],
  ],
  [
    'a quorum replica',
    replicaMember,
    [
      'replica',
      'read-only',
      'sync',
      'synchronous',
      'quorum',
      'read-only-sync',
      'read-only-synchronous',
      'read-only-quorum',
      'health',
      'readiness',
      'patroni',
    ],
  ],
  ['an asynchronous replica', async, ['replica', 'read-only', 'async', 'asynchronous', 'health', 'readiness', 'patroni']],
  ['a replica out of load balancing', hidden, ['health', 'readiness', 'patroni']],
  ['a stopped member', down, ['patroni']],
  ['a primary that does not lead', deposed, ['health', 'patroni']],
  [
    'a leader that is still being promoted',
    promoting,
    [
      'leader',
      'replica',
      'read-only',
      'sync',
      'synchronous',
      'quorum',
      'read-only-sync',
      'read-only-synchronous',
      'read-only-quorum',
      'health',
      'readiness',
      'patroni',
    ],
  ],
] as const)('%s', (_, member, expected) => {
  it('passes exactly its checks', () => {
    expect(memberChecks.filter((check) => passes(check, member, {})).toSorted()).toEqual([...expected].toSorted());
  });
});

describe('parameters', () => {
  const behind: LocalMember = { ...async, lagBytes: 1024 * 1024, lsn: 3_000_000n, replayLsn: 2_000_000n };

  it.each(['replica', 'async', 'asynchronous', 'read-only'] as const)('/%s?lag= bounds the lag, inclusive, in any notation', (check) => {
    for (const lag of ['1048576', '1024kB', '1MB', '1mb', '1 MB', '10MB', '1GB']) expect(passes(check, behind, { lag }), lag).toBe(true);
    for (const lag of ['1048575', '1023kB', '0', '0.9MB']) expect(passes(check, behind, { lag }), lag).toBe(false);
  });

  it('does not promise a lag that is unknown, or asked in words that are not understood', () => {
    expect(passes('replica', { ...behind, lagBytes: undefined }, {})).toBe(true);
    expect(passes('replica', { ...behind, lagBytes: undefined }, { lag: '1GB' })).toBe(false);
    for (const lag of ['', 'x', '-1', '1PB', '1e9', '1;drop']) expect(passes('replica', behind, { lag }), lag).toBe(false);
  });

  it('/replica?replication_state=streaming leaves out those that do not stream', () => {
    expect(passes('replica', async, { replication_state: 'streaming' })).toBe(true);
    expect(passes('replica', { ...async, streaming: false }, { replication_state: 'streaming' })).toBe(false);
    expect(passes('replica', { ...async, streaming: false }, {})).toBe(true);
    expect(passes('replica', async, { replication_state: 'in archive recovery' })).toBe(false);
  });

  it('tags count for replicas, not for the checks of the leader', () => {
    expect(passes('replica', async, { tag_noloadbalance: 'false' })).toBe(true);
    expect(passes('replica', async, { tag_key: 'value' })).toBe(false);
    expect(passes('read-only', leaderMember, { tag_key: 'value' })).toBe(false);
    for (const check of ['', 'primary', 'leader', 'read-write'] as const)
      expect(passes(check, leaderMember, { tag_key: 'value', lag: 'x' })).toBe(true);
  });

  it('/readiness is within a megabyte, or what is asked for, of replayed or received data', () => {
    const far = { ...behind, lagBytes: 1024 * 1024 + 1 };
    expect(passes('readiness', behind, {})).toBe(true);
    expect(passes('readiness', far, {})).toBe(false);
    expect(passes('readiness', far, { lag: '2MB' })).toBe(true);
    expect(passes('readiness', far, { lag: '100kB', mode: 'write' })).toBe(true);
    expect(passes('readiness', far, { lag: '10kB', mode: 'write' })).toBe(false);
    expect(passes('readiness', { ...behind, streaming: false }, {})).toBe(false);
    expect(passes('readiness', { ...leaderMember, accepting: false }, {})).toBe(true);
  });
});

it('asks the first PostgreSQL service when none is named', () => {
  const process: LocalMember = { ...leaderMember, service: 'jobs', engine: 'process' };
  expect(defaultMember([process, replicaMember])?.service).toBe('orders');
  expect(defaultMember([process])?.service).toBe('jobs');
  expect(defaultMember([])).toBeUndefined();
});

it('describes members in the words of Patroni', () => {
  const names = { cluster: 'shop', node: 'db1', version: '1.2.3' };
  expect(describeMember(leaderMember, names)).toEqual({
    state: 'running',
    role: 'primary',
    server_version: 170010,
    xlog: { location: 67419744 },
    timeline: 3,
    patroni: { version: '1.2.3', scope: 'orders', name: 'db1' },
    holdfast: { cluster: 'shop', service: 'orders', node: 'db1', term: 7, leader: true, lagBytes: 0 },
  });
  expect(describeMember({ ...replicaMember, paused: true, pendingRestart: true, leaderKnown: false }, names)).toMatchObject({
    role: 'replica',
    xlog: { received_location: 67419744, replayed_location: 67419744, replayed_timestamp: null, paused: false },
    replication_state: 'streaming',
    sync_standby: true,
    quorum_standby: true,
    cluster_unlocked: true,
    pause: true,
    pending_restart: true,
  });
  expect(describeMember({ ...down, version: undefined, lsn: undefined, timeline: undefined }, names)).toMatchObject({
    state: 'stopped',
    role: 'none',
  });
});

it('reads versions and sizes as PostgreSQL writes them', () => {
  expect(['17.10', '18.4', '14.0', '18beta1', 'x'].map(serverVersionNumber)).toEqual([170010, 180004, 140000, 180000, 0]);
  expect(['5', '1kB', '1.5MB', '2 GB', '1TB', 'MB', '1XB', ' '].map(parsePostgresSize)).toEqual([
    5,
    1024,
    1572864,
    2147483648,
    1099511627776,
    undefined,
    undefined,
    undefined,
  ]);
});
