import { HoldfastError } from '../../core/errors.ts';
import { evaluateModel } from '../file/evaluate.ts';
import type { ModelInput } from '../file/schema.ts';
import { writeModel } from '../file/schema.ts';
import { figureSources, shippedCatalogue } from './catalogue.ts';
import { checkRequirements } from './check.ts';
import type { NodeConfiguration } from './configuration.ts';
import { configurationsOf } from './configuration.ts';
import type { YearlyCost } from './cost.ts';
import type { Design } from './design.ts';
import { describe, designsOf, idOf } from './design.ts';
import type { Evaluated, SolvedParts, YearlyLoss } from './evaluate.ts';
import { Evaluator } from './evaluate.ts';
import type { Flip } from './flips.ts';
import { Sensitivity } from './flips.ts';
import { paretoFront } from './front.ts';
import type { Need } from './needs.ts';
import { needsOf, RecoveryPromises } from './needs.ts';
import type { Requirements } from './schema.ts';
import { requirementsSchema, withCatalogue } from './schema.ts';

const hourMs = 3_600_000;

/** A design of the front. Plain data; money in the currency of the answer. */
export interface AdvisedDesign {
  readonly id: string;
  readonly words: string;
  readonly design: Design;
  /** Of a year. */
  readonly cost: number;
  readonly costs: YearlyCost;
  readonly availability: number;
  readonly unavailability: number;
  readonly downtimeMsPerYear: number;
  /** Expected time of a recovery from copies, and what 19 of 20 keep to after the disaster that takes longest. */
  readonly expectedRtaMs: number;
  readonly rtaP95Ms: number;
  /** That a recovery works at first, as drills prove it. */
  readonly readiness: number;
  readonly failoverMs: number;
  /** Newest work that is lost at most: when a machine fails, and when copies have to bring it back. */
  readonly failoverLossMs: number;
  readonly recoveryLossMs: number;
  /** To have lost the data for good after a year. */
  readonly lossProbability: number;
  readonly durability: number;
  /** Of a year. */
  readonly expectedLoss: number;
  readonly losses: YearlyLoss;
  /** Cost and expected loss: the ranking. */
  readonly total: number;
  /** What to mend first: the part without which there would be least downtime, and how many times less (risk reduction worth). */
  readonly weakest: { readonly part: string; readonly riskReduction: number; readonly criticality: number };
  /** What would put it first; of the best: what would put another first, and which. */
  readonly flip?: Flip & { readonly instead?: string };
  /** Needs that it misses, where no design meets them all. */
  readonly misses: readonly string[];
  /** The same as `holdfast model` reads it. */
  readonly model: ModelInput;
  readonly configurations: readonly NodeConfiguration[];
}

export interface Advice {
  readonly name?: string;
  readonly currency: string;
  /** Designs that were evaluated, and those that meet all needs. */
  readonly evaluated: number;
  readonly meeting: number;
  /** The Pareto front of cost, availability, expected RTA and expected loss, the least total first: of those that meet all needs, else of all. */
  readonly front: readonly AdvisedDesign[];
  /** For each need: how many designs miss it, and what would be best without it, where that is another. */
  readonly needs: readonly { readonly need: string; readonly missedBy: number; readonly bestWithout?: string; readonly saves?: number }[];
  /** Figures of the catalogue, with where they come from. */
  readonly figures: readonly { readonly figure: string; readonly value: string; readonly source: string }[];
  readonly assumptions: readonly string[];
}

/**
 * Needs from what a file holds (the parsed YAML or JSON), on top of the catalogue that ships.
 * @throws MODEL_INVALID with everything that is wrong
 */
export function parseRequirements(written: unknown): Requirements {
  const { data, error } = requirementsSchema.safeParse(withCatalogue(written));
  const found = error ? error.issues : checkRequirements(data);
  const problems = found.map(({ path, message }) => `${path.join('.')}: ${message}`);
  if (problems.length === 0) return data!;
  throw new HoldfastError('MODEL_INVALID', `the needs can not be used\n${problems.map((problem) => `  ${problem}`).join('\n')}`, {
    hint: 'docs/model.md describes every key.',
  });
}

/** Evaluates all designs of the search and tells those that nobody can do better than. */
export function advise(input: Requirements): Advice {
  const solved: SolvedParts = new Map();
  const evaluator = new Evaluator(input, solved);
  const all = designsOf(input).map((design) => evaluator.evaluate(design));
  const promises = new RecoveryPromises(input);
  const needs = needsOf(input, promises);
  const missing = new Map(all.map((each) => [each, needs.filter(({ holds }) => !holds(each))] as const));
  const meeting = all.filter((each) => missing.get(each)!.length === 0);
  const front = paretoFront(meeting.length > 0 ? meeting : all).toSorted(byTotal);
  const sensitivity = new Sensitivity(input, front[0]!.design, solved);
  const flips = front.map(({ design, total }, rank) => (rank === 0 ? undefined : sensitivity.flipOf(design, total - front[0]!.total)));
  return {
    ...(input.name === undefined ? {} : { name: input.name }),
    currency: input.currency,
    evaluated: all.length,
    meeting: meeting.length,
    front: front.map((each, rank) => ({
      ...advised(input, evaluator, each, promises.worstHours(each)),
      ...flipAt(front, flips, rank),
      misses: missing.get(each)!.map(({ path }) => path),
    })),
    needs: needs.map((need) => withoutNeed(need, all, missing, meeting.length > 0 ? front[0] : undefined)),
    figures: figuresOf(input),
    assumptions: assumptionsOf(input),
  };
}

/** The least total first; of equal ones the one that loses data less often, then by name. */
function byTotal(a: Evaluated, b: Evaluated): number {
  return a.total - b.total || a.lossProbability - b.lossProbability || (idOf(a.design) < idOf(b.design) ? -1 : 1);
}

function advised(input: Requirements, evaluator: Evaluator, each: Evaluated, p95Hours: number): Omit<AdvisedDesign, 'flip' | 'misses'> {
  const { design, cost, costs, unavailability, recoveryHours, readiness, lossProbability, expectedLoss, losses, total } = each;
  const model = evaluator.modelOf(design);
  const { importance } = evaluateModel({
    structure: model.structure,
    components: model.components,
    parts: model.parts,
    sites: model.sites,
    compute: ['importance'],
  }).structure!;
  const { event, riskReduction, criticality } = importance![0]!;
  return {
    id: idOf(design),
    words: describe(design),
    design,
    cost,
    costs,
    availability: 1 - unavailability,
    unavailability,
    downtimeMsPerYear: unavailability * 8760 * hourMs,
    expectedRtaMs: recoveryHours * hourMs,
    rtaP95Ms: p95Hours * hourMs,
    readiness,
    failoverMs: each.failoverHours * hourMs,
    failoverLossMs: each.failoverLossHours * hourMs,
    recoveryLossMs: each.recoveryLossHours * hourMs,
    lossProbability,
    durability: 1 - lossProbability,
    expectedLoss,
    losses,
    total,
    weakest: { part: event, riskReduction, criticality },
    model: writeModel(model),
    configurations: configurationsOf(input, design),
  };
}

/** Of the best design: the change that is smallest of all. */
function flipAt(front: readonly Evaluated[], flips: readonly (Flip | undefined)[], rank: number): Pick<AdvisedDesign, 'flip'> {
  if (rank > 0) return flips[rank] ? { flip: flips[rank] } : {};
  const size = (flip: Flip) => Math.abs(Math.log(flip.factor));
  let nearest: (Flip & { readonly instead: string }) | undefined;
  for (const [index, flip] of flips.entries())
    if (flip && (nearest === undefined || size(flip) < size(nearest))) nearest = { ...flip, instead: idOf(front[index]!.design) };
  return nearest ? { flip: nearest } : {};
}

function withoutNeed(
  need: Need,
  all: readonly Evaluated[],
  missing: ReadonlyMap<Evaluated, readonly Need[]>,
  best: Evaluated | undefined,
): Advice['needs'][number] {
  const missedBy = all.filter((each) => missing.get(each)!.includes(need)).length;
  const others = all.filter((each) => missing.get(each)!.every((missed) => missed === need));
  const without = others.reduce<Evaluated | undefined>(
    (least, each) => (least === undefined || byTotal(each, least) < 0 ? each : least),
    undefined,
  );
  if (without === undefined || without === best) return { need: need.path, missedBy };
  return { need: need.path, missedBy, bestWithout: idOf(without.design), ...(best ? { saves: best.total - without.total } : {}) };
}

/** Every figure of the catalogue as the file writes it, with its source; those that are not as they shipped come from the file of needs. */
function figuresOf(input: Requirements): Advice['figures'] {
  const shipped = new Map(leaves(shippedCatalogue, []));
  const written = requirementsSchema.shape.catalogue;
  const asShipped = new Map(leaves(written.parse(shippedCatalogue), []));
  return leaves(input.catalogue, [])
    .filter(([path]) => !path.startsWith('copies.'))
    .map(([path, value]) => {
      const same = asShipped.get(path) === value;
      return { figure: path, value: String(same ? shipped.get(path) : value), source: same ? sourceOf(path)! : 'the file of needs' };
    });
}

/** Of a figure that ships. */
export function sourceOf(path: string): string | undefined {
  const parts = path.split('.');
  for (let length = parts.length; length > 0; length--) {
    const source = figureSources[parts.slice(0, length).join('.')];
    if (source !== undefined) return source;
  }
  return undefined;
}

function leaves(value: unknown, path: readonly string[]): [string, unknown][] {
  if (typeof value !== 'object' || value === null) return [[path.join('.'), value]];
  return Object.entries(value).flatMap(([key, each]) => leaves(each, [...path, key]));
}

function assumptionsOf({ currency }: Requirements): string[] {
  return [
    'parts fail independently but for their place; a year has 365 days, a month of prices is a twelfth of it',
    'availability counts failed machines and places, the gaps of failovers and planned restarts, mistakes in working on it, and recoveries from copies; not what lies between clients and the service',
    'expected RTA is of a recovery from copies: founding formula RTA = detect + decide + provision + bytes/rate + start + ρ·w + verify + cut over, and the retry where the first one does not work',
    `expected loss is money (${currency}): downtime, work done again, and the data times the probability to lose them for good`,
    'a restore that was never rehearsed works at first in one of two cases; drills prove more, and what they prove ages',
    'commits that wait for another place are slower: that is not counted',
    'who works on it makes mistakes: more things to work on, and less skill, mean more of them',
  ];
}
