/**
 * One operation of a concurrent history: asked for at `call`, answered at `return`. The scale is the history's own; what happens at the same
 * moment counts as overlapping.
 */
export interface Operation<Input, Output> {
  /** Who asked, for people. */
  readonly process: string;
  readonly input: Input;
  /** Undefined: nobody knows what came of it. It may have happened at any moment after `call`, or never. */
  readonly output: Output | undefined;
  readonly call: number;
  /** Infinity when the outcome is unknown. */
  readonly return: number;
}

/** What an object does when only one client uses it: to this each order of the operations is compared. */
export interface Model<State extends object, Input, Output> {
  readonly initial: State;
  /**
   * The state after this operation in this state; undefined when it could not have had this output here. Pure. For an unknown output
   * (undefined): the state after it has happened.
   */
  step(state: State, input: Input, output: Output | undefined): State | undefined;
  /** Equal for equal states alone. */
  keyOf(state: State): string;
  /**
   * Names the object that an operation is on. Objects do not depend on one another, so a history is linearizable when each object's part of
   * it is (Herlihy and Wing, 1990, theorem 1), and each part is far cheaper to check (Horn and Kroening, FORTE 2015). Default: one object.
   */
  partitionOf?(input: Input): string;
  /** For people: `write 3`, `read → 4`. */
  describe(input: Input, output: Output | undefined): string;
}
