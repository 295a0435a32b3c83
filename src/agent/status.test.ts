import { describe, expect, test } from 'vitest';
import { serviceStatusSchema } from '../api/schema.ts';
import type { CopiesState, MemberState } from '../failover/messages.ts';
import { memberState } from '../failover/testing/member-state.ts';
import { agentMetrics } from './metrics.ts';
import { serviceStatus, type NodeReport, type ServiceFacts } from './status.ts';

function node(name: string, over: Partial<MemberState>, report: Partial<NodeReport> = {}): NodeReport {
  const state = memberState({
    term: 2,
    pids: { agent: 1, guard: 2, database: 3 },
    position: { timeline: 1, lsn: String(0x3000000) },
    ...over,
  });
  return {
    node: name,
    alive: true,
    ageMs: 10,
    stampAgeMs: 10,
    heartbeat: { wallMs: 1_000_000, agentAddress: '10.0.0.1:7400', members: [state], routers: [], copies: [] },
    ...report,
  };
}

function facts(nodes: readonly NodeReport[], over: Partial<ServiceFacts> = {}): ServiceFacts {
  return {
    service: 'orders',
    engine: 'postgres',
    record: {
      term: 2,
      leader: 'a',
      session: 's',
      since: '2026-11-22T00:00:00.000Z',
      timeline: 1,
      roster: [{ k: 1, voters: ['b', 'c'] }],
      systemId: '1',
    },
    paused: false,
    acknowledge: 1,
    storeProblem: '',
    nodes,
    ...over,
  };
}

const leader = node('a', {
  role: 'primary',
  serving: 2,
  state: 'running',
  position: { timeline: 1, lsn: String(0x3000100) },
  sync: { b: 'quorum', c: 'quorum' },
});

/** As the leader's agent tells. */
const copies: CopiesState = {
  service: 'orders',
  location: 'offsite',
  parts: [
    { name: 'offsite', state: 'degraded', message: 'one of two', behindObjects: 0, behindBytes: 0 },
    { name: 'offsite/far', state: 'away', message: 'no route', behindObjects: 7, behindBytes: 4_096 },
  ],
  last: { atMs: 400_000, start: { timeline: 1, lsn: String(0x2000028) } },
  journal: { state: 'running', lagMs: 1_500, lagBytes: 300, gaps: 0, folded: { ageMs: 4_000, parts: 7 } },
  alarms: ['Location offsite/far is away'],
};
const caring: NodeReport = { ...leader, heartbeat: { ...leader.heartbeat, copies: [copies] } };

test('copies are told as whoever cares for them says, with what is wrong among the warnings', () => {
  const status = serviceStatusSchema.parse(serviceStatus(facts([node('b', {}), caring]), 1_000_000));
  expect(status.copies).toEqual({
    node: 'a',
    location: 'offsite',
    parts: copies.parts,
    last: { at: '1970-01-01T00:06:40.000Z', ageMs: 600_000, timeline: 1, startLsn: '0/2000028' },
    journal: copies.journal,
    alarms: copies.alarms,
  });
  expect(status.warnings).toContain('Location offsite/far is away');
  expect(serviceStatus(facts([node('b', {}), { ...caring, alive: false }]), 1_000_000).copies).toBeUndefined();
});

test('copies in Prometheus', () => {
  const samples = agentMetrics(caring, [], true, 2, 1_000_000).filter(({ name }) => name.startsWith('backup_'));
  const value = (name: string, location: string): number | undefined =>
    samples.find((sample) => sample.name === name && sample.labels['location'] === location)?.value;
  expect(value('backup_last_age_seconds', 'offsite')).toBe(600);
  expect(value('backup_last_timestamp_seconds', 'offsite')).toBe(400);
  expect(value('backup_journal_lag_seconds', 'offsite')).toBe(1.5);
  expect(value('backup_journal_lag_bytes', 'offsite')).toBe(300);
  expect(value('backup_journal_running', 'offsite')).toBe(1);
  expect(value('backup_journal_folded_age_seconds', 'offsite')).toBe(4);
  expect(value('backup_journal_parts', 'offsite')).toBe(7);
  expect(value('backup_location_healthy', 'offsite/far')).toBe(0);
  expect(value('backup_location_behind_objects', 'offsite/far')).toBe(7);
  expect(value('backup_alarms', 'offsite')).toBe(1);
  expect(samples.every(({ labels }) => labels['service'] === 'orders')).toBe(true);
});

describe('serviceStatus', () => {
  test('a healthy service: leader, lag, sync, pids, no warnings, in the shape of the API', () => {
    const status = serviceStatus(facts([leader, node('b', {}), node('c', {})]), 1_000_010);
    expect(status.leader).toBe('a');
    expect(status.mode).toBe('quorum');
    expect(status.warnings).toEqual([]);
    expect(status.members.map((member) => [member.node, member.sync, member.lagBytes])).toEqual([
      ['a', 'leader', 0],
      ['b', 'quorum', 256],
      ['c', 'quorum', 256],
    ]);
    expect(status.members[0]!.lsn).toBe('0/3000100');
    expect(status.members[0]!.pids).toEqual({ agent: 1, guard: 2, database: 3 });
    expect(serviceStatusSchema.parse(status)).toEqual(status);
  });

  test('a silent leader is nobody, and says so', () => {
    const status = serviceStatus(facts([{ ...leader, alive: false, ageMs: 4_000 }, node('b', {})]), 1_000_010);
    expect(status.leader).toBeNull();
    expect(status.warnings).toContain('Nobody leads: writes are not possible.');
    expect(status.members[0]).toMatchObject({ state: 'unreachable', role: 'unknown', detail: 'not heard of for 4 s', pids: {} });
  });

  test('a leader that serves at an older term than the record is not shown as one', () => {
    const record = { ...facts([]).record!, term: 3, leader: 'b' };
    expect(serviceStatus(facts([leader, node('b', {})], { record }), 1_000_010).leader).toBeNull();
  });

  test('says what is degraded: no quorum yet, too few voters, clocks apart, the store away, paused', () => {
    const none = { ...facts([]).record!, roster: [{ k: 0, voters: [] }] };
    expect(serviceStatus(facts([leader, node('b', {})], { record: none }), 1_000_010).warnings.join()).toMatch(/No replica acknowledges/);
    const warned = serviceStatus(
      facts([leader, node('b', {})], { acknowledge: 2, paused: true, storeProblem: 'the store is away' }),
      1_010_000,
    ).warnings.join('\n');
    expect(warned).toMatch(/Commits wait for 1 instead of 2/);
    expect(warned).toMatch(/clock of b/);
    expect(warned).toMatch(/the store is away/);
    expect(warned).toMatch(/Paused/);
  });

  test('names disks that are full and data that are damaged, with what to do', () => {
    const full = node('b', { impairment: 'full', detail: 'The disk of its data is full.' });
    const status = serviceStatus(facts([leader, full, node('c', { damagedPages: 2 })]), 1_000_010);
    expect(status.warnings).toEqual([
      'b: The disk of its data is full.',
      expect.stringMatching(/^c has met damaged pages 2 times .* `holdfast reinit orders --node c`/),
    ]);
    expect(status.members[1]!.impairment).toBe('full');
    const leading = node('a', { ...leader.heartbeat.members[0], damagedPages: 1 });
    expect(serviceStatus(facts([leading]), 1_000_010).warnings.join()).toMatch(/holdfast switchover/);
  });
});
