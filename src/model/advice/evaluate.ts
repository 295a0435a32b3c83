import { describedChain } from '../chain/chain.ts';
import { transient } from '../chain/transient.ts';
import { describeChain } from '../file/check-chains.ts';
import { evaluateModel } from '../file/evaluate.ts';
import type { Model } from '../file/schema.ts';
import type { YearlyCost } from './cost.ts';
import { totalOf, yearlyCost } from './cost.ts';
import type { Design } from './design.ts';
import { idOf } from './design.ts';
import type { Judged } from './front.ts';
import type { Disaster } from './keeping.ts';
import { copiesChain, disasterRates, disasters, keepingOf } from './keeping.ts';
import { lossAfter, meanHours, readinessOf, recoveryAfter } from './restoring.ts';
import type { Requirements } from './schema.ts';
import { topologyModel } from './topology.ts';

const yearHours = 8760;
/** Relative, of the odds to lose data: far below what their inputs are known to, and settled in half the steps. */
const accuracy = 1e-8;
/** Share of its cost that says nothing about a design. */
const negligible = 1e-5;

/** What is expected to be lost in a year, in the file's money. */
export interface YearlyLoss {
  readonly downtime: number;
  /** Work that has to be done again. */
  readonly history: number;
  /** The data, for good. */
  readonly data: number;
}

/** A design with all that it is judged by. Times in hours. */
export interface Evaluated extends Judged {
  readonly design: Design;
  readonly costs: YearlyCost;
  readonly losses: YearlyLoss;
  /** Cost and expected loss of a year: what designs are ranked by. */
  readonly total: number;
  /** Without a leader when a machine fails. */
  readonly failoverHours: number;
  /** Newest work that is lost then. */
  readonly failoverLossHours: number;
  /** Recoveries from copies in a year, and the probability that one works at first. */
  readonly recoveriesPerYear: number;
  readonly readiness: number;
  /** Newest work that a recovery from copies loses at most, errors aside. */
  readonly recoveryLossHours: number;
}

/** Solved parts by what they are made of: evaluators of nearly the same input share them. */
export type SolvedParts = Map<string, number>;

/**
 * Evaluates designs of one input with the solvers of `holdfast model`: the structure by decision diagrams, copies as a chain, recoveries by their steps.
 * What several designs have in common is solved once. `solved` may be shared between evaluators of different inputs.
 */
export class Evaluator {
  private readonly input: Requirements;
  private readonly solved: SolvedParts;
  private readonly near: Evaluator | undefined;
  private readonly known = new Map<string, unknown>();

  /** @param near of nearly the same input: its odds to lose copies are taken where they hardly cost anything, so that they need not be solved anew */
  constructor(input: Requirements, solved: SolvedParts = new Map(), near?: Evaluator) {
    this.input = input;
    this.solved = solved;
    this.near = near;
  }

  evaluate(design: Design): Evaluated {
    const { input } = this;
    const { worth } = input;
    const away = this.#awayByTopology(design);
    const { perYear: recoveriesPerYear, hours: recoveryHours, lostHours } = this.#recoveries(design);
    const restoring = recoveriesPerYear === 0 ? 0 : restoreShare(recoveriesPerYear / yearHours, recoveryHours);
    // A series of two independent parts; written so that small values keep their digits.
    const unavailability = away + restoring - away * restoring;
    const readiness = this.#readiness(design);
    const { lost } = input.catalogue.restore;
    const forGood = recoveriesPerYear * (1 - readiness) * lost;
    const lossProbability = -Math.expm1(Math.log1p(-this.#copiesLost(design)) - forGood);
    const failoverLossHours = design.members > 1 && design.acknowledge === 0 ? input.catalogue.failover.lag : 0;
    const failoversPerYear = yearHours / input.catalogue.machine.mtbf;
    const costs = yearlyCost(input, design);
    const losses = {
      downtime: unavailability * yearHours * worth.downtime,
      history: (recoveriesPerYear * lostHours + failoversPerYear * failoverLossHours) * worth.history,
      data: lossProbability * worth.data,
    };
    const [cost, expectedLoss] = [totalOf(costs), totalOf(losses)];
    return {
      design,
      cost,
      unavailability,
      recoveryHours,
      expectedLoss,
      lossProbability,
      costs,
      losses,
      total: cost + expectedLoss,
      failoverHours: failoverHours(input, design),
      failoverLossHours,
      recoveriesPerYear,
      readiness,
      recoveryLossHours: lossAfter(input, design, 'disks').worst,
    };
  }

  /** The whole of a design as `holdfast model` reads it: what that tells is what stands in `evaluate`. */
  modelOf(design: Design): Model {
    const { perYear, hours } = this.#recoveries(design);
    return {
      name: idOf(design),
      ...topologyModel(this.input, design, { rate: perYear / yearHours, hours }),
      chains: { copies: copiesChain(keepingOf(this.input, design, this.#firstMemberHours(design))) },
      recovery: Object.fromEntries(
        disasters.flatMap((disaster) => {
          const recovery = recoveryAfter(this.input, design, disaster);
          return recovery && disasterRates(this.input, design)[disaster] > 0 ? [[disaster, recovery] as const] : [];
        }),
      ),
      at: [yearHours],
    };
  }

  #awayByTopology({ members, sites, acknowledge, store }: Design): number {
    return this.#remember(`topology ${members} ${sites} ${acknowledge} ${store}`, () => {
      const model = topologyModel(this.input, { members, sites, acknowledge, store });
      return this.#solve(model, () => evaluateModel({ ...model, compute: ['availability'] }).structure!.longRun!.unavailability);
    });
  }

  #copiesLost(design: Design): number {
    return this.#remember(`copies ${design.members} ${design.sites} ${design.copies}`, () => {
      const before = this.near === undefined ? undefined : this.near.#copiesLost(design);
      if (before !== undefined && before * this.input.worth.data < negligible * totalOf(yearlyCost(this.input, design))) return before;
      const keeping = keepingOf(this.input, design, this.#firstMemberHours(design));
      return this.#solve(keeping, () => {
        const chain = describedChain(describeChain(copiesChain(keeping)));
        const lost = Array.from({ length: chain.size }, (_, state) => state).find((state) => chain.nameOf(state) === 'lost');
        return lost === undefined ? 0 : transient(chain, chain.initial, [yearHours], { accuracy }).points[0]!.probabilities[lost]!;
      });
    });
  }

  /** How long it takes at most, on average: the longest interval between backups that is looked at stands for all, so that copies are solved once. */
  #firstMemberHours({ copies }: Design): number {
    return this.#remember(`first member ${copies}`, () => {
      const backup = Math.max(...this.input.search.backup);
      const each = disasters.map((disaster) => recoveryAfter(this.input, { copies, backup, journal: 0 }, disaster));
      return Math.max(1 / 60, ...each.map((recovery) => (recovery ? meanHours(recovery) : 0)));
    });
  }

  #readiness(design: Design): number {
    return this.#remember(`readiness ${design.drills}`, () => readinessOf(this.input, design));
  }

  /** How often copies are needed and can be read, and what that takes and loses on average. */
  #recoveries(design: Design): { readonly perYear: number; readonly hours: number; readonly lostHours: number } {
    const { members, sites, copies, backup, journal, drills } = design;
    return this.#remember(`recoveries ${members} ${sites} ${copies} ${backup} ${journal} ${drills}`, () => {
      const rates = this.#remember(`disasters ${members} ${sites}`, () => disasterRates(this.input, design));
      const failing = (1 - this.#readiness(design)) * this.input.catalogue.restore.retry;
      const each = disasters.flatMap((disaster) => {
        const hours = this.#recoveryHours(design, disaster);
        if (hours === undefined) return [];
        return [{ rate: rates[disaster], hours: hours + failing, lost: lossAfter(this.input, design, disaster).mean }];
      });
      const rate = each.reduce((sum, one) => sum + one.rate, 0);
      const mean = (value: (one: (typeof each)[number]) => number) =>
        rate === 0 ? value(each[0]!) : each.reduce((sum, one) => sum + one.rate * value(one), 0) / rate;
      return { perYear: rate * yearHours, hours: mean(({ hours }) => hours), lostHours: mean(({ lost }) => lost) };
    });
  }

  #recoveryHours(design: Design, disaster: Disaster): number | undefined {
    const { copies, backup } = design;
    return this.#remember(`recovery ${disaster} ${copies} ${backup}`, () => {
      const recovery = recoveryAfter(this.input, design, disaster);
      return recovery && meanHours(recovery);
    });
  }

  #remember<T>(key: string, make: () => T): T {
    if (!this.known.has(key)) this.known.set(key, make());
    return this.known.get(key) as T;
  }

  #solve(part: object, solve: () => number): number {
    const key = JSON.stringify(part);
    let answer = this.solved.get(key);
    if (answer === undefined) this.solved.set(key, (answer = solve()));
    return answer;
  }
}

/** Without a leader, or without the only member, when a machine fails. */
function failoverHours({ catalogue: { machine, failover } }: Requirements, { members, acknowledge }: Design): number {
  if (members === 1) return machine.mttr;
  return acknowledge > 0 ? failover.quorum : failover.asynchronous;
}

/** Share of the time: λ/(λ + μ). */
function restoreShare(rate: number, hours: number): number {
  return (rate * hours) / (1 + rate * hours);
}
