import type { AtRest } from './at-rest.ts';
import type { Kind } from './contender.ts';
import type { Repetition } from './race.ts';
import type { Saturated } from './saturated.ts';

/** All that one contender did. */
export interface Outcome {
  readonly kind: Kind;
  readonly repetitions: Repetition[];
  readonly atRest: AtRest[];
  readonly saturated: Saturated[];
  /** Rows of the whole run that were acknowledged, and of them those that were not there in the end. */
  acked: number;
  lostInTheEnd: number;
  /** Repetitions that could not be brought to an end, and why. */
  readonly failures: string[];
}

export function emptyOutcome(kind: Kind): Outcome {
  return { kind, repetitions: [], atRest: [], saturated: [], acked: 0, lostInTheEnd: 0, failures: [] };
}

/** One line of the comparison. */
export interface Metric {
  readonly name: string;
  readonly unit: 'ms' | 'count' | 'MiB' | '%';
  readonly values: (outcome: Outcome) => readonly number[];
  /** What Holdfast is to reach. */
  readonly targets: readonly { readonly of: 'median' | 'worst'; readonly max: number }[];
}

const gapOf = (event: Repetition['event']) => (outcome: Outcome) => of(outcome, event).map(({ gapMs }) => gapMs);
const errorsOf = (event: Repetition['event']) => (outcome: Outcome) => of(outcome, event).map(({ errors }) => errors);

export const metrics: readonly Metric[] = [
  {
    name: 'node lost: no rows for',
    unit: 'ms',
    values: gapOf('node-lost'),
    targets: [
      { of: 'median', max: 800 },
      { of: 'worst', max: 2_000 },
    ],
  },
  { name: 'node lost: client errors', unit: 'count', values: errorsOf('node-lost'), targets: [] },
  {
    name: 'killed primary streams again after',
    unit: 'ms',
    values: (outcome) => of(outcome, 'node-lost').flatMap(({ rejoinMs }) => rejoinMs ?? []),
    targets: [{ of: 'worst', max: 5_000 }],
  },
  {
    name: 'meanwhile no rows for',
    unit: 'ms',
    values: (outcome) => of(outcome, 'node-lost').flatMap(({ rejoinGapMs }) => rejoinGapMs ?? []),
    targets: [],
  },
  { name: 'database killed: no rows for', unit: 'ms', values: gapOf('database-killed'), targets: [{ of: 'median', max: 300 }] },
  { name: 'database killed: client errors', unit: 'count', values: errorsOf('database-killed'), targets: [] },
  { name: 'switchover: no rows for', unit: 'ms', values: gapOf('switchover'), targets: [{ of: 'median', max: 200 }] },
  { name: 'switchover: client errors', unit: 'count', values: errorsOf('switchover'), targets: [] },
  { name: 'behind PgBouncer, switchover: no rows for', unit: 'ms', values: gapOf('pgbouncer-switchover'), targets: [] },
  {
    name: 'behind PgBouncer, switchover: client errors',
    unit: 'count',
    values: errorsOf('pgbouncer-switchover'),
    targets: [{ of: 'worst', max: 0 }],
  },
  { name: 'agent stopped: no rows for', unit: 'ms', values: gapOf('agent-stopped'), targets: [] },
  {
    name: 'agent stopped: two primaries for',
    unit: 'ms',
    values: (outcome) => outcome.repetitions.flatMap(({ twoPrimaries }) => twoPrimaries?.overlapMs ?? []),
    targets: [{ of: 'worst', max: 0 }],
  },
  {
    name: 'agent stopped: rows lost of the old one',
    unit: 'count',
    values: (outcome) => outcome.repetitions.flatMap(({ twoPrimaries }) => twoPrimaries?.lostOfOld ?? []),
    targets: [{ of: 'worst', max: 0 }],
  },
  {
    name: 'acknowledged rows lost, each time',
    unit: 'count',
    values: (outcome) => outcome.repetitions.map(({ lost }) => lost),
    targets: [{ of: 'worst', max: 0 }],
  },
  {
    name: 'acknowledged rows lost in the end',
    unit: 'count',
    values: (outcome) => (outcome.acked === 0 ? [] : [outcome.lostInTheEnd]),
    targets: [{ of: 'worst', max: 0 }],
  },
  {
    name: 'agent at rest: memory',
    unit: 'MiB',
    values: (outcome) => outcome.atRest.map(({ rssBytes }) => rssBytes / 1_048_576),
    targets: [{ of: 'worst', max: 80 }],
  },
  {
    name: 'agent at rest: of a core',
    unit: '%',
    values: (outcome) => outcome.atRest.map(({ cpuPercent }) => cpuPercent),
    targets: [{ of: 'worst', max: 1 }],
  },
  {
    name: 'all cores busy: false failovers',
    unit: 'count',
    values: (outcome) => outcome.saturated.map(({ falseFailovers }) => falseFailovers),
    targets: [{ of: 'worst', max: 0 }],
  },
  { name: 'all cores busy: longest wait', unit: 'ms', values: (outcome) => outcome.saturated.map(({ gapMs }) => gapMs), targets: [] },
];

function of(outcome: Outcome, event: Repetition['event']): Repetition[] {
  return outcome.repetitions.filter((repetition) => repetition.event === event);
}
