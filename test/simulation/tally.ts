import type { RunResult } from './run.ts';

/** What one seed came to, as plain data: sent from the threads that run them. */
export interface SeedReport {
  readonly seed: number;
  readonly violation: string | undefined;
  readonly simulatedMs: number;
  readonly members: number;
  readonly acknowledged: number;
  readonly reads: number;
  readonly staleReads: number;
  readonly changes: Readonly<Record<string, number>>;
  readonly faults: Readonly<Record<string, number>>;
}

export interface FoundViolation {
  readonly seed: number;
  readonly violation: string;
}

/** What all seeds so far came to. */
export interface Tally {
  seeds: number;
  clusterHours: number;
  acknowledged: number;
  /** Checked against what was acknowledged before. */
  reads: number;
  /** Answered by a former primary, without what others had written: allowed. */
  staleReads: number;
  faultsInjected: number;
  faults: Record<string, number>;
  /** Changes of leadership, by why: `failover` is unplanned, `switchover` and `operator` were ordered, `reclaim` is a leader's own. */
  changes: Record<string, number>;
  /** Clusters by their number of members. */
  members: Record<string, number>;
  violationCount: number;
  /** The first of them. */
  violations: FoundViolation[];
}

/** How many violations are told one by one. */
export const violationsToldMax = 20;

export function reportOf(run: RunResult): SeedReport {
  const { seed, simulatedMs, members, acknowledged, reads, staleReads } = run;
  return {
    seed,
    violation: run.violation?.message,
    simulatedMs,
    members,
    acknowledged,
    reads,
    staleReads,
    changes: Object.fromEntries(run.changes),
    faults: Object.fromEntries(run.faults),
  };
}

export function emptyTally(): Tally {
  return {
    seeds: 0,
    clusterHours: 0,
    acknowledged: 0,
    reads: 0,
    staleReads: 0,
    faultsInjected: 0,
    faults: {},
    changes: {},
    members: {},
    violationCount: 0,
    violations: [],
  };
}

export function count(tally: Tally, report: SeedReport): void {
  tally.seeds += 1;
  tally.clusterHours += report.simulatedMs / 3_600_000;
  tally.acknowledged += report.acknowledged;
  tally.reads += report.reads;
  tally.staleReads += report.staleReads;
  add(tally.faults, report.faults);
  add(tally.changes, report.changes);
  add(tally.members, { [report.members]: 1 });
  tally.faultsInjected += Object.values(report.faults).reduce((sum, one) => sum + one, 0);
  if (report.violation === undefined) return;
  tally.violationCount += 1;
  if (tally.violations.length < violationsToldMax) tally.violations.push({ seed: report.seed, violation: report.violation });
}

function add(to: Record<string, number>, from: Readonly<Record<string, number>>): void {
  for (const [name, number] of Object.entries(from)) to[name] = (to[name] ?? 0) + number;
}

/** For people. */
export function tallyText(tally: Tally): string {
  const list = (counts: Readonly<Record<string, number>>): string =>
    Object.entries(counts)
      .toSorted((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1))
      .map(([name, number]) => `${name} ${number.toLocaleString('en')}`)
      .join(', ') || 'none';
  const clusters = Object.entries(tally.members).map(([members, number]) => `${number.toLocaleString('en')} of ${members}`);
  const line = (name: string, value: string): string => `${name.padEnd(20)} ${value}\n`;
  return [
    line('seeds', tally.seeds.toLocaleString('en')),
    line('cluster-hours', tally.clusterHours.toFixed(2)),
    line('clusters', clusters.length === 0 ? 'none' : `${clusters.join(', ')} members`),
    line('faults injected', `${tally.faultsInjected.toLocaleString('en')}: ${list(tally.faults)}`),
    line('leaderships changed', list(tally.changes)),
    line('writes acknowledged', tally.acknowledged.toLocaleString('en')),
    line(
      'reads checked',
      `${tally.reads.toLocaleString('en')}, of which ${tally.staleReads.toLocaleString('en')} stale from former primaries`,
    ),
    line('violations', tally.violationCount.toLocaleString('en')),
  ].join('');
}
