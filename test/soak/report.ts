import type { Drawn } from './draw.ts';

/** What a fault of a round came to. Times in milliseconds. */
export interface FaultReport extends Drawn {
  readonly host: string;
  /** What an operator was told, or why it could not be made. */
  readonly note: string;
}

/** One round: its faults, from the first until all was whole again. */
export interface RoundReport {
  readonly round: number;
  /** When its faults began, ISO 8601. */
  readonly at: string;
  readonly faults: readonly FaultReport[];
  /** The longest time without an acknowledged write of clients that go to whoever leads. */
  readonly gapMs: number;
  readonly acknowledged: number;
  readonly unanswered: number;
  /** Until whole, from the end of the last fault; undefined: not in time. */
  readonly wholeMs: number | undefined;
  /** Changes of the leadership, by their reason. */
  readonly changes: Readonly<Record<string, number>>;
  readonly findings: readonly Finding[];
}

export interface Finding {
  readonly what: 'lost' | 'two primaries' | 'written twice' | 'invented' | 'not whole in time';
  readonly rows: readonly number[];
  readonly detail: string;
}

export interface Summary {
  readonly seed: number;
  readonly minutes: number;
  readonly rounds: number;
  /** By kind. */
  readonly faults: Record<string, number>;
  /** By reason. */
  readonly changes: Record<string, number>;
  longestGapMs: number;
  acknowledged: number;
  unanswered: number;
  /** By what they are. */
  readonly findings: Record<string, number>;
}

export function emptySummary(seed: number): Summary {
  return { seed, minutes: 0, rounds: 0, faults: {}, changes: {}, longestGapMs: 0, acknowledged: 0, unanswered: 0, findings: {} };
}

export function add(summary: Summary, round: RoundReport): Summary {
  const faults = { ...summary.faults };
  for (const { kind } of round.faults) faults[kind] = (faults[kind] ?? 0) + 1;
  const changes = { ...summary.changes };
  for (const [why, count] of Object.entries(round.changes)) changes[why] = (changes[why] ?? 0) + count;
  const findings = { ...summary.findings };
  for (const { what } of round.findings) findings[what] = (findings[what] ?? 0) + 1;
  return {
    ...summary,
    rounds: summary.rounds + 1,
    faults,
    changes,
    longestGapMs: Math.max(summary.longestGapMs, round.gapMs),
    acknowledged: summary.acknowledged + round.acknowledged,
    unanswered: summary.unanswered + round.unanswered,
    findings,
  };
}

const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`;

export function roundText(round: RoundReport): string {
  const faults = round.faults.map(({ kind, where, host, delayMs, lastsMs, note }) => {
    const when = delayMs > 0 ? `after ${seconds(delayMs)}, ` : '';
    return `${kind} at ${host} (${where}), ${when}for ${seconds(lastsMs)}${note ? `: ${note}` : ''}`;
  });
  const whole = round.wholeMs === undefined ? 'NOT WHOLE in time' : `whole ${seconds(round.wholeMs)} after`;
  const changes = Object.entries(round.changes).map(([why, count]) => `, ${count} ${why}`);
  const head = `${String(round.round).padStart(4)}  ${faults.join('\n      and ')}`;
  return [`${head}\n      write gap ${seconds(round.gapMs)}, ${whole}${changes.join('')}`, ...round.findings.map(findingText)].join('\n');
}

function findingText({ what, rows, detail }: Finding): string {
  return `      FINDING: ${what}${rows.length > 0 ? ` (rows ${rows.slice(0, 5).join(', ')}${rows.length > 5 ? ', …' : ''})` : ''} ${detail}`;
}

export function summaryText(summary: Summary): string {
  const list = (counts: Readonly<Record<string, number>>): string =>
    Object.entries(counts)
      .toSorted(([, a], [, b]) => b - a)
      .map(([name, count]) => `${name} ${count}`)
      .join(', ') || 'none';
  return [
    '',
    `seed ${summary.seed}: ${summary.rounds} rounds in ${summary.minutes.toFixed(1)} minutes`,
    `faults: ${list(summary.faults)}`,
    `changes of the leadership: ${list(summary.changes)}`,
    `longest write gap: ${seconds(summary.longestGapMs)}`,
    `rows acknowledged: ${summary.acknowledged}, unanswered: ${summary.unanswered}`,
    `rounds with findings: ${list(summary.findings)}`,
  ].join('\n');
}
