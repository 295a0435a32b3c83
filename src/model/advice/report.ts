import { hours, number, percent, time } from '../format.ts';
import type { Fact, ReportSection, ReportTable } from '../report/report.ts';
import { column, facts, figures, table, text } from '../report/report.ts';
import type { Advice, AdvisedDesign } from './advise.ts';

/** Kinds of designs that are told one by one. */
const toldMax = 5;

type Section = Pick<ReportSection, 'title' | 'blocks'>;

/** Advice in words and rounded figures: the front as a table, the first designs one by one, what the needs ask. */
export function adviceReport(advice: Advice): { readonly name: string; readonly sections: readonly Section[] } {
  return { name: advice.name ?? 'Designs', sections: [frontSection(advice), ...designSections(advice), ...needsSections(advice)] };
}

export function summary({ evaluated, meeting, front }: Advice): string {
  const best = `for ${front.length} of these there is no other that is as good in everything and better in something`;
  return meeting > 0
    ? `${evaluated} designs were looked at, ${meeting} meet all needs: ${best}.`
    : `${evaluated} designs were looked at, and none meets all needs: ${best}. What each misses is told.`;
}

/** Designs that differ in more than intervals: the best of each kind, and how many of it are on the front. */
interface Kind {
  readonly each: AdvisedDesign;
  readonly rank: number;
  readonly variants: number;
}

function kindsOf({ front }: Advice): Kind[] {
  const kinds = Map.groupBy(
    front.map((each, rank) => ({ each, rank })),
    ({ each: { design } }) => [design.members, design.sites, design.acknowledge, design.store, design.copies].join(' '),
  );
  return [...kinds.values()].map((variants) => ({ ...variants[0]!, variants: variants.length }));
}

function frontSection(advice: Advice): Section {
  const kinds = kindsOf(advice);
  const { caption, columns, rows } = frontRows(advice);
  const counted = kinds.map(({ rank, variants }) => [...rows[rank]!.slice(0, -1), String(variants), rows[rank]!.at(-1)!]);
  return {
    title: 'Pareto front',
    blocks: [
      text(summary(advice)),
      text('Of those that differ in intervals only, the best is shown; --json and --html have all.'),
      table(caption, [...columns.slice(0, -1), figures('Variants', 5), columns.at(-1)!], counted),
      { kind: 'assumptions', assumptions: advice.assumptions },
    ],
  };
}

/** One row a design, in the order of cost and expected loss together. */
export function frontRows({ front, currency }: Advice): ReportTable {
  return {
    caption: 'Designs by cost and expected loss of a year',
    columns: [
      column('Design'),
      figures(`${currency} a year`),
      figures('Availability'),
      figures('Down a year', 4),
      figures('Expected RTA'),
      figures('Expected loss'),
      figures('Both', 1),
      figures('Durability', 2),
      { heading: 'Misses', dispensable: 3 },
    ],
    rows: front.map((each) => [
      each.id,
      money(each.cost),
      percent(each.unavailability),
      time(each.downtimeMsPerYear),
      time(each.expectedRtaMs),
      money(each.expectedLoss),
      money(each.total),
      percent(each.lossProbability),
      each.misses.map((path) => path.replace('needs.', '')).join(', '),
    ]),
  };
}

function designSections(advice: Advice): Section[] {
  return kindsOf(advice)
    .slice(0, toldMax)
    .map(({ each, rank }) => ({
      title: `${rank + 1}. ${each.id}`,
      blocks: [text(`${each.words[0]!.toUpperCase()}${each.words.slice(1)}.`), ...facts(...designFacts(each, rank, advice.currency))],
    }));
}

/** What is told of a design beside the table. */
export function designFacts(each: AdvisedDesign, rank: number, currency: string): Fact[] {
  const { weakest, flip } = each;
  const lost = each.failoverLossMs === 0 ? 'nothing lost' : `${time(each.failoverLossMs)} of work lost`;
  return [
    ['cost', `${money(each.cost)} ${currency} a year: ${itemised(each.costs)}`],
    ['expected loss', `${money(each.expectedLoss)} ${currency} a year: ${itemised(each.losses)}`],
    ['a machine fails', `away for ${time(each.failoverMs)}, ${lost}`],
    [
      'copies are needed',
      `back after ${time(each.expectedRtaMs)} on average, 19 of 20 times within ${time(each.rtaP95Ms)}; at most ${time(each.recoveryLossMs)} of work lost; works at first ${number(each.readiness * 100, 3)} times of 100`,
    ],
    ['weakest part', `${weakest.part}: without its failures ${number(weakest.riskReduction, 3)} times less downtime`],
    [rank === 0 ? 'not the first' : 'would be the first', flip ? flipText(flip) : 'by no single input that is changed up to twentyfold'],
  ];
}

function flipText({ input, from, to, factor, instead }: NonNullable<AdvisedDesign['flip']>): string {
  const then = instead === undefined ? '' : `, then ${instead} is`;
  return `with ${input} ${factor > 1 ? 'from' : 'down to'} ${writtenValue(to)} instead of ${writtenValue(from)} (×${number(factor, 3)})${then}`;
}

function needsSections({ needs, currency }: Advice): Section[] {
  if (needs.length === 0) return [];
  const told = needs.map(({ need, missedBy, bestWithout, saves }): Fact => {
    const without = bestWithout === undefined ? '' : `; without it ${bestWithout} would be the first`;
    return [need, `${missedBy} designs miss it${without}${saves === undefined ? '' : `, ${money(saves)} ${currency} a year better`}`];
  });
  return [{ title: 'What the needs rule out', blocks: facts(...told) }];
}

function itemised(items: object): string {
  const told = Object.entries(items as Readonly<Record<string, number>>).filter(([, value]) => value >= 0.5);
  return told.length === 0 ? 'nothing of note' : told.map(([name, value]) => `${name} ${money(value)}`).join(', ');
}

/** Whole units with thousands apart, `12 345`: the spaces do not break lines. */
export function money(value: number): string {
  return Math.round(value)
    .toString()
    .replaceAll(/\B(?=(?:\d{3})+$)/g, '\u00A0');
}

/** A number of a file of needs as people read it: `0.25h` as 15 min, `2013.5551/h` as 2014/h. */
export function writtenValue(written: string): string {
  const [, digits, unit] = /^([\d.]+(?:e[+-]?\d+)?)(.*)$/i.exec(written) ?? [];
  if (digits === undefined) return written;
  return unit === 'h' ? hours(Number(digits)) : `${number(Number(digits), 4)}${unit}`;
}
