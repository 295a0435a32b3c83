import { describe, expect, it } from 'vitest';
import { SimulatedTime } from '../../sim/clock.ts';
import type { ServiceStatus } from '../../api/schema.ts';
import { noPaint } from '../terminal/style.ts';
import { healthyCluster, healthyService } from '../testing/status.ts';
import { describeChanges } from './changes.ts';
import { changedCells, isHealthy, statusLines } from './view.ts';
import { Picture } from './watch.ts';

const healthy = healthyCluster();
const broken = healthyCluster(
  healthyService(
    {
      leader: null,
      term: 8,
      paused: true,
      warnings: ['Nobody leads: writes are not possible.'],
      roster: [
        { k: 1, voters: ['db2', 'db3'] },
        { k: 1, voters: ['db2'] },
      ],
    },
    {
      db1: { role: 'unknown', state: 'unreachable', detail: 'not heard of for 4 s\u001b[2J', pendingRestart: true },
      db2: { nofailover: true },
    },
  ),
);

describe('statusLines', () => {
  it('fits a wide terminal', () => {
    expect(statusLines(healthy, { paint: noPaint, width: 100 })).toEqual([
      'shop  as db1 sees it, coordination etcd, on an ensemble',
      '',
      'orders  postgres, quorum 1 of 2  term 7  leader db1',
      '  MEMBER  ROLE     STATE      SYNC    TL        LSN    LAG  ADDRESS        AGENT',
      '  db1     primary  running    leader   3  0/4054F80         10.0.0.1:5432  10.0.0.1:7400',
      '  db2     replica  streaming  quorum   3  0/4054F80     0B  10.0.0.2:5432  10.0.0.2:7401',
      '  db3     replica  streaming  quorum   3  0/4054F80  12KiB  10.0.0.3:5432  10.0.0.3:7402',
      '',
      '  ROUTER  KIND   WRITE         READ          TERM  WRITERS  READERS  HELD  CUT  REFUSED',
      '  db1     proxy  0.0.0.0:6432  0.0.0.0:6433     7       12        3     0    2        0',
    ]);
  });

  it('tells of copies in a line', () => {
    const parts = [{ name: 'offsite', state: 'degraded' as const, message: 'x', behindObjects: 0, behindBytes: 0 }];
    const last = { at: '2026-11-22T03:00:00Z', ageMs: 8 * 3_600_000 + 61_000 };
    const journal = { state: 'running' as const, lagMs: 1_234, lagBytes: 2_048, gaps: 0 };
    const lineOf = (copies: NonNullable<ServiceStatus['copies']>): string | undefined =>
      statusLines(healthyCluster({ ...healthyService(), copies }), { paint: noPaint }).find((line) => line.startsWith('  copies'));
    const facts = { node: 'db1', location: 'offsite', alarms: [] };
    expect(lineOf({ ...facts, parts, last, journal })).toBe('  copies  offsite degraded  last backup 8h1m ago  journal 1.2s, 2KiB behind');
    const folded = { ageMs: 61_000, parts: 12 };
    expect(lineOf({ ...facts, parts, last, journal: { ...journal, folded } })).toMatch(/2KiB behind  folded 1m1s ago, 12 parts left$/);
    expect(lineOf({ ...facts, parts: [] })).toBe('  copies  offsite not opened  no backup yet');
  });

  it.each([44, 60, 80, 120])('keeps to %i columns as far as what must be there lets it', (width) => {
    const lines = statusLines(healthy, { paint: noPaint, width });
    for (const line of lines.slice(3)) expect(line.length, line).toBeLessThanOrEqual(width);
    expect(lines.join('\n')).toMatch(/db3 +replica +streaming .*12KiB/);
  });

  it('says what is wrong, in visible characters', () => {
    const lines = statusLines(broken, { paint: noPaint, width: 200 });
    expect(lines).toContain('orders  postgres, quorum 1 of 2 and 1 of 1  term 8  no leader  paused');
    expect(lines).toContain('  db1: not heard of for 4 s[2J');
    expect(lines).toContain('  ! Nobody leads: writes are not possible.');
    expect(lines.find((line) => line.includes('unreachable'))).toMatch(/pending restart$/);
    expect(lines.find((line) => line.startsWith('  db2'))).toMatch(/nofailover$/);
    expect(statusLines({ ...healthy, services: [] }, { paint: noPaint }).at(-1)).toBe('This agent has no services.');
  });
});

it('is healthy when everything serves and nothing needs attention', () => {
  expect(isHealthy(healthy)).toBe(true);
  expect(isHealthy({ ...healthy, services: [] })).toBe(true);
  expect(isHealthy(broken)).toBe(false);
  expect(isHealthy(healthyCluster(healthyService({ leader: null })))).toBe(false);
  expect(isHealthy(healthyCluster(healthyService({ warnings: ['db3 is 70 MB behind.'] })))).toBe(false);
  expect(isHealthy({ ...healthy, coordination: { ...healthy.coordination, reachable: false } })).toBe(false);
});

describe('describeChanges', () => {
  it('says nothing about what moves all the time', () => {
    const later = healthyCluster(healthyService({}, { db1: { lsn: '0/5000000', ageMs: 3 }, db3: { lagBytes: 5 } }));
    expect(describeChanges(healthy, later)).toEqual([]);
    const warned = (bytes: number) => healthyCluster(healthyService({ warnings: [`db3 is ${bytes} bytes behind.`] }));
    expect(describeChanges(warned(1), warned(2))).toEqual([]);
  });

  it('tells a failover', () => {
    expect(describeChanges(healthy, broken)).toEqual([
      'orders: db1 does not lead any more',
      'orders: paused',
      'orders: commits wait for 1 of db2, db3 and 1 of db2',
      'orders: db1 is unknown, unreachable',
      'orders: Nobody leads: writes are not possible.',
    ]);
    const led = healthyCluster(
      healthyService({
        leader: 'db2',
        term: 8,
        roster: [{ k: 0, voters: [] }],
        members: healthyService({}, { db2: { role: 'primary', state: 'running', sync: 'leader', timeline: 4 } }).members.slice(1),
      }),
    );
    expect(describeChanges(healthy, led)).toEqual([
      'orders: db2 leads, term 8, instead of db1',
      'orders: commits wait for nobody',
      'orders: db2 is primary, running, sync leader, timeline 4',
      'orders: db1 is gone',
    ]);
  });

  it('tells services and the store that come and go', () => {
    const away = { ...healthy, coordination: { ...healthy.coordination, reachable: false }, services: [] };
    expect(describeChanges(healthy, away)).toEqual(['coordination does not answer', 'orders: is gone']);
    expect(describeChanges(away, healthy)).toEqual(['coordination answers again', 'orders: appeared']);
  });
});

describe('Picture', () => {
  it('marks what changed for three seconds, and remembers it below', async () => {
    const time = new SimulatedTime();
    const picture = new Picture(time.clock(), (text, style) => (style === 'changed' ? `[${text}]` : text));
    const shown = () => picture.lines({ width: 100, height: 24 }).join('\n');
    picture.take({ status: healthy, url: 'https://db1:7400' });
    expect(shown()).not.toContain('CHANGES');
    expect(picture.isHealthy).toBe(true);
    picture.take({ status: healthyCluster(healthyService({}, { db2: { state: 'rejoining' } })), url: 'https://db1:7400' });
    expect(shown()).toContain('[rejoining]');
    expect(shown()).toMatch(/CHANGES\n\d\d:\d\d:\d\d {2}orders: db2 is rejoining$/);
    await time.advance(3_000);
    expect(shown()).not.toContain('[rejoining]');
    expect(changedCells(healthy, healthy)).toEqual([]);
  });

  it('goes on showing the last state while nobody answers', async () => {
    const time = new SimulatedTime();
    const picture = new Picture(time.clock(), noPaint);
    picture.take({ problem: 'none of 3 agents answers:\n  db1: refused' });
    expect(picture.lines({ width: 100, height: 24 }).slice(1, 3)).toEqual(['none of 3 agents answers:', '  db1: refused']);
    picture.take({ status: healthy, url: 'https://db1:7400' });
    await time.advance(7_000);
    picture.take({ problem: 'no agent answers' });
    const lines = picture.lines({ width: 100, height: 24 });
    expect(lines[1]).toBe('no agent answers; what follows is 7 s old');
    expect(lines.join('\n')).toContain('leader db1');
    expect(picture.isHealthy).toBe(false);
  });

  it('shows the newest changes that there is room for', () => {
    const picture = new Picture(new SimulatedTime().clock(), noPaint);
    picture.take({ status: healthy, url: '' });
    for (let term = 8; term < 300; term++) picture.take({ status: healthyCluster(healthyService({ term })), url: '' });
    expect(
      picture
        .lines({ width: 100, height: 17 })
        .slice(-3)
        .map((line) => line.slice(10)),
    ).toEqual(['orders: term 298 → 299', 'orders: term 297 → 298', 'orders: term 296 → 297']);
    for (const height of [1, 12, 13]) expect(picture.lines({ width: 100, height }).join('\n')).not.toContain('CHANGES');
  });
});
