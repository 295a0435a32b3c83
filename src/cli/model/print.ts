import type {
  ChainAnswer,
  LongRunAnswer,
  ModelAnswer,
  RecoveryAnswer,
  SimulatedAnswer,
  StorageAnswer,
  StructureAnswer,
  TimeAnswer,
} from '../../model/file/answer.ts';
import type { Paint } from '../terminal/style.ts';
import type { Column } from '../terminal/table.ts';
import { tableLines } from '../terminal/table.ts';
import { hours, number, percent, time } from '../../model/format.ts';

/** Rows of lists that are told; all of them stand in --json. */
const rowsMax = 15;

/** The answers to a model for people. */
export function modelLines(answer: ModelAnswer, paint: Paint, width = Infinity): string[] {
  const out = new Lines(paint, width);
  if (answer.name !== undefined) out.title(answer.name);
  if (answer.structure) structure(out, answer.structure);
  for (const [name, chain] of Object.entries(answer.chains ?? {})) markovChain(out, name, chain);
  for (const [name, storage] of Object.entries(answer.storage ?? {})) durability(out, name, storage);
  for (const [name, recovery] of Object.entries(answer.recovery ?? {})) recoveryTime(out, name, recovery);
  return out.lines;
}

class Lines {
  readonly lines: string[] = [];
  readonly #paint: Paint;
  readonly #width: number;

  constructor(paint: Paint, width: number) {
    this.#paint = paint;
    this.#width = width;
  }

  title(text: string): void {
    if (this.lines.length > 0) this.lines.push('');
    this.lines.push(this.#paint(text, 'strong'));
  }

  say(text: string): void {
    this.lines.push(text);
  }

  pairs(pairs: readonly (readonly [string, string] | false)[]): void {
    const shown = pairs.filter((pair) => pair !== false);
    const longest = Math.max(...shown.map(([label]) => label.length));
    for (const [label, value] of shown) this.lines.push(`  ${label.padEnd(longest)}  ${value}`);
  }

  table(columns: readonly Column[], rows: readonly (readonly string[])[]): void {
    this.lines.push('');
    const told = rows.slice(0, rowsMax).map((row) => row.map((text) => ({ text })));
    for (const line of tableLines(columns, told, this.#paint, this.#width - 2)) this.lines.push(`  ${line}`);
    if (rows.length > rowsMax) this.lines.push(`  … and ${rows.length - rowsMax} more (--json has them)`);
  }

  assumptions(list: readonly string[]): void {
    this.lines.push('');
    this.lines.push(this.#paint('  Taken for granted:', 'dim'));
    for (const each of list) this.lines.push(this.#paint(`  - ${each}`, 'dim'));
  }
}

function structure(out: Lines, answer: StructureAnswer): void {
  out.title(`Structure, by ${answer.method} (${answer.because})`);
  if (answer.longRun) longRun(out, answer.longRun);
  if (answer.noLongRun !== undefined) out.say(`  No long run: ${answer.noLongRun}`);
  if (answer.bounds) {
    const { hours: after, unavailability } = answer.bounds;
    out.say(
      `  unavailability ${after === undefined ? 'in the long run' : `after ${hours(after)}`} between ${number(unavailability.low, 10)} and ${number(unavailability.high, 10)}`,
    );
  }
  if (answer.mttf !== undefined) out.pairs([['mean time to failure', hours(answer.mttf)]]);
  if (!answer.simulation) times(out, answer.at);
  if (answer.simulation) simulated(out, answer.simulation);
  const { cutSets, importance, comparison } = answer;
  if (cutSets) {
    out.table(
      [{ heading: `MINIMAL CUT SETS (${cutSets.count})` }, { heading: 'PROBABILITY', align: 'right' }],
      cutSets.sets.map(({ events, probability }) => [events.join(', '), number(probability)]),
    );
  }
  if (importance) {
    out.table(
      [
        { heading: 'PART' },
        { heading: 'UNAVAILABILITY', align: 'right' },
        { heading: 'BIRNBAUM', align: 'right', dispensable: 2 },
        { heading: 'CRITICALITY', align: 'right' },
        { heading: 'RAW', align: 'right', dispensable: 1 },
        { heading: 'RRW', align: 'right' },
      ],
      importance.map((each) => [
        each.event,
        number(each.unavailability),
        number(each.birnbaum, 4),
        number(each.criticality, 4),
        number(each.riskAchievement, 4),
        number(each.riskReduction, 4),
      ]),
    );
  }
  if (comparison && comparison.length > 0) {
    out.table(
      [{ heading: 'ALSO BY' }, { heading: 'UNAVAILABILITY', align: 'right' }, { heading: 'DIFFERENCE', align: 'right' }],
      comparison.map(({ method, unavailability, relativeDifference }) => [
        method,
        number(unavailability, 10),
        number(relativeDifference, 2),
      ]),
    );
  }
  out.assumptions(answer.assumptions);
}

function simulated(out: Lines, answer: SimulatedAnswer): void {
  const told = ({ mean, low, high }: SimulatedAnswer['points'][number]['failures']) =>
    `${number(mean, 4)} (${number(low, 4)} … ${number(high, 4)})`;
  out.say(`  ${answer.replications} replications, ${answer.events} events, seed ${answer.seed}; ended by ${answer.stoppedBy}`);
  out.table(
    [
      { heading: 'AFTER', align: 'right' },
      { heading: 'UNAVAILABILITY UNTIL THEN', align: 'right' },
      { heading: 'AT THAT TIME', align: 'right', dispensable: 1 },
      { heading: 'FAILURES', align: 'right' },
      { heading: 'FAILED BY THEN', align: 'right', dispensable: 2 },
    ],
    answer.points.map((point) => [
      hours(point.hours),
      told(point.meanUnavailability),
      told(point.unavailability),
      told(point.failures),
      told(point.failureProbability),
    ]),
  );
}

function longRun(out: Lines, answer: LongRunAnswer): void {
  const { downtime } = answer;
  out.pairs([
    ['availability', `${percent(answer.unavailability)}  (${number(answer.nines, 3)} nines)`],
    ['unavailability', number(answer.unavailability, 10)],
    [
      'downtime',
      `${time(downtime.year365)} a year, ${time(downtime.month30)} in 30 days, ${time(downtime.week)} a week, ${time(downtime.day)} a day`,
    ],
    answer.failuresPerYear !== undefined && ['failures', `${number(answer.failuresPerYear)} a year`],
    answer.mtbf !== undefined && ['time between failures', hours(answer.mtbf)],
    answer.meanUpTime !== undefined && ['mean time up', hours(answer.meanUpTime)],
    answer.meanDownTime !== undefined && ['mean time down', hours(answer.meanDownTime)],
  ]);
}

function times(out: Lines, at: readonly TimeAnswer[]): void {
  if (at.length === 0) return;
  const survives = at.some(({ survival }) => survival !== undefined);
  out.table(
    [
      { heading: 'AFTER', align: 'right' },
      { heading: 'AVAILABILITY', align: 'right' },
      { heading: 'UNAVAILABILITY', align: 'right' },
      ...(survives ? [{ heading: 'NEVER FAILED', align: 'right' } as const] : []),
    ],
    at.map((each) => [
      hours(each.hours),
      percent(each.unavailability),
      number(each.unavailability, 10),
      ...(survives ? [number(each.survival!, 10)] : []),
    ]),
  );
}

function markovChain(out: Lines, name: string, answer: ChainAnswer): void {
  out.title(`Chain '${name}', ${answer.states} states`);
  if (answer.longRun) {
    longRun(out, answer.longRun);
    out.pairs([['mean reward', number(answer.longRun.rewardRate, 10)]]);
    out.table(
      [{ heading: 'STATE' }, { heading: 'IN THE LONG RUN', align: 'right' }],
      Object.entries(answer.longRun.probabilities).map(([state, probability]) => [state, number(probability, 10)]),
    );
  } else if (answer.noLongRun !== undefined) out.say(`  No long run: ${answer.noLongRun}`);
  out.pairs([
    answer.mttf !== undefined && ['mean time to failure', hours(answer.mttf)],
    answer.absorption !== undefined && ['mean time to its end', hours(answer.absorption.meanTime)],
    ...Object.entries(answer.absorption?.probabilities ?? {}).map(
      ([state, probability]) => [`ends in '${state}'`, number(probability, 10)] as const,
    ),
  ]);
  times(out, answer.at);
  out.assumptions(answer.assumptions);
}

function recoveryTime(out: Lines, name: string, answer: RecoveryAnswer): void {
  out.title(`Recovery of '${name}'`);
  out.pairs([
    ...answer.steps.filter(({ meanMs }) => meanMs > 0).map(({ step, meanMs }) => [step, time(meanMs)] as const),
    ['expected recovery time', time(answer.expectedMs)],
    ['in 19 of 20 cases within', time(answer.quantilesMs.p95)],
    ['in 99 of 100', time(answer.quantilesMs.p99)],
    answer.withinObjective !== undefined && ['keeps to the objective in', `${number(answer.withinObjective * 100, 4)}% of cases`],
    answer.catchUpMs !== undefined && ['catching up under load', time(answer.catchUpMs)],
    answer.businessMs !== undefined && ['with re-entry of what was lost', time(answer.businessMs)],
  ]);
  out.assumptions(answer.assumptions);
}

function durability(out: Lines, name: string, answer: StorageAnswer): void {
  out.title(`Storage '${name}', ${answer.fragments} fragments a set`);
  const bytes = answer.points.some(({ expectedBytesLost }) => expectedBytesLost !== undefined);
  out.table(
    [
      { heading: 'WITHIN', align: 'right' },
      { heading: 'LOSS OF A SET', align: 'right' },
      { heading: 'NINES', align: 'right' },
      { heading: 'LOSS OF ANY', align: 'right' },
      { heading: 'BYTES EXPECTED LOST', align: 'right', dispensable: 1 },
    ],
    answer.points.map((point) => [
      hours(point.time),
      number(point.groupLossProbability),
      number(point.nines, 4),
      number(point.lossProbability),
      bytes ? number(point.expectedBytesLost ?? 0) : '',
    ]),
  );
  out.say('');
  out.pairs([
    ['mean time to loss of a set', hours(answer.mttdl.group)],
    ['of any set', hours(answer.mttdl.any)],
  ]);
  out.say(`  ${answer.mttdl.warning}`);
  out.assumptions(answer.assumptions);
}
