import type { Clock } from '../../src/core/clock.ts';
import type { Model, Operation } from './model.ts';
import { type Dead, Search } from './search.ts';

/** Operations tried before a search is given up: the worst case is exponential. */
const stepsMaxDefault = 20_000_000;
/** How often the clock is read. */
const stepsPerLook = 4_096;

export interface Limits {
  /** Default 20 million. */
  readonly stepsMax?: number;
  /** Time that it may take in all. Needs `clock`. */
  readonly limitMs?: number;
  readonly clock?: Pick<Clock, 'monotonicMs'>;
}

export type Verdict = 'linearizable' | 'not linearizable' | 'unknown';

/** Why one object's part of a history is not linearizable. */
export interface Failure<State, Input, Output> extends Dead<State, Input, Output> {
  readonly partition: string;
  /** All operations of that object. */
  readonly operations: readonly Operation<Input, Output>[];
}

export interface Judgement<State, Input, Output> {
  /** `unknown`: neither could be shown within the limits. */
  readonly verdict: Verdict;
  /** Of the first object whose part is not linearizable. */
  readonly failure: Failure<State, Input, Output> | undefined;
  /** Operations tried. */
  readonly steps: number;
  readonly partitions: number;
}

/** Whether a history could have been that of an object which does one operation at a time, each between its call and its return. */
export function checkLinearizable<State extends object, Input, Output>(
  model: Model<State, Input, Output>,
  history: readonly Operation<Input, Output>[],
  limits: Limits = {},
): Judgement<State, Input, Output> {
  const budget = new StepBudget(limits);
  const parts = Map.groupBy(history, ({ input }) => model.partitionOf?.(input) ?? '');
  let verdict: Verdict = 'linearizable';
  let failure: Failure<State, Input, Output> | undefined;
  for (const [partition, operations] of parts) {
    const found = new Search(model, operations, budget).run();
    if (found.verdict === 'unknown') verdict = 'unknown';
    if (found.verdict !== 'not linearizable') continue;
    verdict = found.verdict;
    failure = { ...found.dead, partition, operations };
    break;
  }
  return { verdict, failure, steps: budget.steps, partitions: parts.size };
}

class StepBudget {
  steps = 0;
  readonly #stepsMax: number;
  readonly #deadlineMs: number;
  readonly #clock: Pick<Clock, 'monotonicMs'> | undefined;
  #over = false;

  constructor({ stepsMax = stepsMaxDefault, limitMs, clock }: Limits) {
    this.#stepsMax = stepsMax;
    this.#clock = clock;
    this.#deadlineMs = clock === undefined || limitMs === undefined ? Infinity : clock.monotonicMs() + limitMs;
  }

  spent(): boolean {
    this.steps += 1;
    if (this.steps % stepsPerLook === 0 && this.#clock !== undefined) this.#over ||= this.#clock.monotonicMs() > this.#deadlineMs;
    return this.#over || this.steps > this.#stepsMax;
  }
}
