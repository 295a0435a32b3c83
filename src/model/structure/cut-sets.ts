import { HoldfastError } from '../../core/errors.ts';
import type { When } from './event.ts';
import { minimalSets } from './minimal.ts';
import { NodesExhausted } from './node-table.ts';
import { primeImplicantsOf } from './prime-implicants.ts';
import type { Literal, SetFamily } from './set-family.ts';
import type { SolvedStructure } from './solve.ts';

/** Nodes that a diagram of sets may have. */
const NODES_MAX = 4_000_000;
/** Sets that are listed, unless more are asked for. */
const LISTED_MAX = 1_000;

/** A set of events that together fail the system, or of parts that together keep it up. */
export interface EventSet {
  /** Names; `not X` where the absence of X is needed, in prime implicants of a non-coherent structure. */
  readonly events: readonly string[];
  /** Of all of them at once: failed in a cut set, working in a path set. */
  readonly probability: number;
}

export interface ListOptions {
  /** 1,000 by default. */
  readonly most?: number;
  /** Sets with more events than this are left out. */
  readonly order?: number;
  /** Sets less probable than this are left out. */
  readonly probability?: number;
  /** `probability` (by default): the most probable first; `order`: the smallest first. */
  readonly by?: 'probability' | 'order';
}

/** Minimal sets of events of one structure: all of them, however many there are. */
export class EventSets {
  readonly #solved: SolvedStructure;
  readonly #family: SetFamily;
  readonly #kind: 'cut' | 'path';

  constructor(solved: SolvedStructure, family: SetFamily, kind: 'cut' | 'path') {
    this.#solved = solved;
    this.#family = family;
    this.#kind = kind;
  }

  count(): bigint {
    return this.#family.count();
  }

  /** By order: `[0n, 3n, 12n]` are three single events and twelve pairs. */
  countByOrder(): bigint[] {
    return this.#family.countBySize();
  }

  /** @throws MODEL_NO_STEADY_STATE */
  list(when: When, { most = LISTED_MAX, order = Infinity, probability = 0, by = 'probability' }: ListOptions = {}): EventSet[] {
    const weigh = this.#weights(when);
    const listed: EventSet[] = [];
    const cost = by === 'order' ? (): number => 1 : (literal: Literal): number => costOf(weigh(literal));
    if (most <= 0) return listed;
    for (const { literals } of this.#family.cheapestFirst(cost)) {
      const likely = probabilityOf(literals, weigh);
      if (by === 'order' && literals.length > order) break;
      if (by === 'probability' && likely < probability) break;
      if (literals.length > order || likely < probability) continue;
      listed.push({ events: literals.map((literal) => this.#name(literal)), probability: likely });
      if (listed.length >= most) break;
    }
    return listed;
  }

  /**
   * Rare-event approximation of the probability that one of the sets holds: the sum of their probabilities. For cut sets an upper bound of Q, near
   * it when all are improbable; may exceed 1.
   * Source: NUREG-0492, ch. XI, first term of inclusion–exclusion.
   */
  rareEvent(when: When): number {
    return this.#family.sumOfProducts(this.#weights(when));
  }

  /**
   * Min-cut upper bound 1 − Π(1 − P(set)) of coherent structures; better than the rare-event approximation, and never above 1.
   *
   * Likely sets are multiplied one by one. Of the others the logarithm is summed, as −Σⱼ Σ P(set)ʲ/j, so that none has to be listed.
   * Source: Esary, Proschan: Coherent structures of non-identical components, Technometrics 5 (1963).
   */
  upperBound(when: When): number {
    const weigh = this.#weights(when);
    const likely: number[] = [];
    let exponent = 0;
    for (const { literals } of this.#family.cheapestFirst((literal) => costOf(weigh(literal)))) {
      const probability = probabilityOf(literals, weigh);
      if (probability <= 0.5) break;
      likely.push(probability);
      exponent -= Math.log1p(-probability);
      if (exponent > EXPONENT_OF_ONE) return 1;
    }
    for (let j = 1; ; j++) {
      const listed = likely.reduce((sum, probability) => sum + probability ** j, 0);
      const term = Math.max(0, this.#family.sumOfProducts((literal) => weigh(literal) ** j) - listed) / j;
      exponent += term;
      if (term <= exponent * Number.EPSILON) return -Math.expm1(-exponent);
    }
  }

  /**
   * Fussell–Vesely importance in its usual approximation: the probabilities of the cut sets that hold an event, summed, over the sum of all.
   * Source: NUREG/CR-3385 (1983). By event, the greatest first.
   */
  fussellVesely(when: When): { readonly event: string; readonly fussellVesely: number }[] {
    const weigh = this.#weights(when);
    const all = this.#family.sumOfProducts(weigh);
    return [...this.#family.sumsOfProductsByEvent(weigh)]
      .map(([event, sum]) => ({ event: this.#solved.compiled.events[event]!.name, fussellVesely: sum / all }))
      .toSorted((a, b) => b.fussellVesely - a.fussellVesely);
  }

  #weights(when: When): (literal: Literal) => number {
    const states = this.#solved.compiled.events.map((event) => event.stateAt(when));
    return ({ event, negated }) => (negated === (this.#kind === 'cut') ? states[event]!.a : states[event]!.q);
  }

  #name({ event, negated }: Literal): string {
    const { name } = this.#solved.compiled.events[event]!;
    return negated ? `not ${name}` : name;
  }
}

/** 1 − e^(−40) is 1. */
const EXPONENT_OF_ONE = 40;
/** What can not happen comes last, but comes: more than the logarithm of the least double. */
const COST_MAX = 1e4;

/** Sums of it order sets by their probability. */
function costOf(probability: number): number {
  return Math.min(COST_MAX, -Math.log(probability));
}

function probabilityOf(literals: readonly Literal[], weigh: (literal: Literal) => number): number {
  return literals.reduce((product, literal) => product * weigh(literal), 1);
}

/**
 * Minimal cut sets; of a non-coherent structure, its prime implicants.
 * @throws MODEL_SETS_TOO_MANY
 */
export function cutSets(solved: SolvedStructure, nodesMax: number = NODES_MAX): EventSets {
  return within(
    nodesMax,
    () => new EventSets(solved, solved.coherent ? minimalSets(solved, 'cut', nodesMax) : primeImplicantsOf(solved, nodesMax), 'cut'),
  );
}

/**
 * Minimal path sets of a coherent structure: parts that together keep the system up.
 * @throws MODEL_SETS_TOO_MANY
 * @throws MODEL_NOT_COHERENT
 */
export function pathSets(solved: SolvedStructure, nodesMax: number = NODES_MAX): EventSets {
  if (!solved.coherent)
    throw new HoldfastError('MODEL_NOT_COHERENT', 'A system that a failing part may bring back has no minimal path sets.', {
      hint: 'ask for its cut sets, which are prime implicants then',
    });
  return within(nodesMax, () => new EventSets(solved, minimalSets(solved, 'path', nodesMax), 'path'));
}

function within<T>(nodesMax: number, make: () => T): T {
  try {
    return make();
  } catch (error) {
    if (!(error instanceof NodesExhausted)) throw error;
    throw new HoldfastError('MODEL_SETS_TOO_MANY', `The minimal sets need a diagram of more than ${nodesMax} nodes.`, {
      cause: error,
      hint: 'unavailability and importance do not need them; or allow more nodes',
    });
  }
}
