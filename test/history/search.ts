import { Linearized } from './linearized.ts';
import type { Model, Operation } from './model.ts';

/** What ends a search without an answer. */
export interface Budget {
  /** Called once for each operation tried in a state. True: stop. */
  spent(): boolean;
}

/** How far any order came. */
export interface Dead<State, Input, Output> {
  /** An order of as many operations as it takes to explain every answer before that of `stuck`. */
  readonly order: readonly Operation<Input, Output>[];
  /** The state after them. */
  readonly state: State;
  /** The first operation, by the time of its answer, up to which no order explains all answers. */
  readonly stuck: Operation<Input, Output>;
}

export type Found<State, Input, Output> =
  | { readonly verdict: 'linearizable' }
  | { readonly verdict: 'not linearizable'; readonly dead: Dead<State, Input, Output> }
  | { readonly verdict: 'unknown' };

/** A call or a return, in the list of those that are not in the order yet. */
interface Entry<Input, Output> {
  readonly operation: Operation<Input, Output>;
  readonly index: number;
  /** Of a call: its return, undefined when the outcome is unknown. */
  readonly answer: Entry<Input, Output> | undefined;
  readonly isCall: boolean;
  /** Place in the history. */
  place: number;
  before: Entry<Input, Output> | undefined;
  after: Entry<Input, Output> | undefined;
}

interface Step<State, Input, Output> {
  readonly entry: Entry<Input, Output>;
  readonly stateBefore: State;
}

/**
 * Looks for an order of one object's operations that respects real time and that a sequential object would have answered like this: Wing and
 * Gong's search (Testing and Verifying Concurrent Objects, 1993) as improved by Lowe (Testing for Linearizability, 2017): calls and returns
 * in a doubly linked list from which ordered operations are lifted, and a cache of what was tried: the same set of operations leading to the
 * same state need not be tried twice. Operations of unknown outcome may be left out, so the search ends when all the others are ordered, and
 * one is not tried where it would change nothing.
 */
export class Search<State extends object, Input, Output> {
  readonly #model: Model<State, Input, Output>;
  readonly #budget: Budget;
  readonly #first: Entry<Input, Output> | undefined;
  readonly #linearized: Linearized;
  readonly #tried = new Set<string>();
  readonly #order: Step<State, Input, Output>[] = [];
  #head: Entry<Input, Output> | undefined;
  #state: State;
  #unanswered: number;
  #furthest = -1;
  #dead: Dead<State, Input, Output> | undefined;

  constructor(model: Model<State, Input, Output>, operations: readonly Operation<Input, Output>[], budget: Budget) {
    this.#model = model;
    this.#budget = budget;
    this.#first = link(operations);
    this.#head = this.#first;
    this.#linearized = new Linearized(operations.length);
    this.#state = model.initial;
    this.#unanswered = operations.filter(isAnswered).length;
  }

  /** Once. */
  run(): Found<State, Input, Output> {
    let entry = this.#head;
    while (this.#unanswered > 0) {
      if (this.#budget.spent()) return { verdict: 'unknown' };
      // While an answer is unexplained its return is in the list, so the end of the list is not reached.
      const at = entry!;
      if (at.isCall) {
        entry = this.#take(at) ? this.#head : at.after;
        continue;
      }
      this.#note(at);
      const last = this.#order.pop();
      if (last === undefined) return { verdict: 'not linearizable', dead: this.#dead! };
      this.#putBack(last);
      entry = last.entry.after;
    }
    return { verdict: 'linearizable' };
  }

  /** Makes it the next of the order, if it can be, and if that has not been tried. */
  #take(entry: Entry<Input, Output>): boolean {
    const { input, output } = entry.operation;
    const next = this.#model.step(this.#state, input, output);
    if (next === undefined) return false;
    const stateKey = this.#model.keyOf(next);
    if (entry.answer === undefined && stateKey === this.#model.keyOf(this.#state)) return false;
    this.#linearized.add(entry.index);
    const key = `${this.#linearized.key()} ${stateKey}`;
    if (this.#tried.has(key)) {
      this.#linearized.delete(entry.index);
      return false;
    }
    this.#tried.add(key);
    this.#order.push({ entry, stateBefore: this.#state });
    this.#state = next;
    this.#lift(entry);
    if (entry.answer !== undefined) {
      this.#lift(entry.answer);
      this.#unanswered -= 1;
    }
    return true;
  }

  #putBack({ entry, stateBefore }: Step<State, Input, Output>): void {
    if (entry.answer !== undefined) {
      this.#unlift(entry.answer);
      this.#unanswered += 1;
    }
    this.#unlift(entry);
    this.#linearized.delete(entry.index);
    this.#state = stateBefore;
  }

  /** Every answer before this one is explained, and this one is not. */
  #note(entry: Entry<Input, Output>): void {
    if (entry.place <= this.#furthest) return;
    this.#furthest = entry.place;
    this.#dead = { order: this.#order.map((step) => step.entry.operation), state: this.#state, stuck: entry.operation };
  }

  #lift(entry: Entry<Input, Output>): void {
    if (entry.before === undefined) this.#head = entry.after;
    else entry.before.after = entry.after;
    if (entry.after !== undefined) entry.after.before = entry.before;
  }

  /** The last that was lifted first: then its neighbours are those that it had. */
  #unlift(entry: Entry<Input, Output>): void {
    if (entry.before === undefined) this.#head = entry;
    else entry.before.after = entry;
    if (entry.after !== undefined) entry.after.before = entry;
  }
}

function isAnswered<Input, Output>(operation: Operation<Input, Output>): boolean {
  return operation.output !== undefined;
}

/** All calls and returns in order of time, calls before returns of the same moment. */
function link<Input, Output>(operations: readonly Operation<Input, Output>[]): Entry<Input, Output> | undefined {
  // Those of unknown outcome last, so that the words of the others fill up.
  const numbered = [...operations.filter(isAnswered).toSorted((a, b) => a.call - b.call), ...operations.filter((one) => !isAnswered(one))];
  const entries = numbered.flatMap((operation, index) => {
    const common = { operation, index, place: 0, before: undefined, after: undefined };
    const answer: Entry<Input, Output> | undefined = isAnswered(operation) ? { ...common, answer: undefined, isCall: false } : undefined;
    const call: Entry<Input, Output> = { ...common, answer, isCall: true };
    return answer === undefined ? [call] : [call, answer];
  });
  entries.sort((a, b) => timeOf(a) - timeOf(b) || Number(b.isCall) - Number(a.isCall));
  for (const [place, entry] of entries.entries()) {
    entry.place = place;
    entry.before = entries[place - 1];
    entry.after = entries[place + 1];
  }
  return entries[0];
}

function timeOf<Input, Output>({ isCall, operation }: Entry<Input, Output>): number {
  return isCall ? operation.call : operation.return;
}
