import type { Model, Operation } from './model.ts';

/** The definition, word by word: some order of all answered and some of the other operations that respects time and that the model allows. */
export function isLinearizableByDefinition<State extends object, Input, Output>(
  model: Model<State, Input, Output>,
  operations: readonly Operation<Input, Output>[],
): boolean {
  const goesOn = (state: State, rest: readonly Operation<Input, Output>[]): boolean => {
    if (rest.every(({ output }) => output === undefined)) return true;
    return rest.some((next) => {
      // Nothing of the rest may have been over before it was asked for.
      if (rest.some((other) => other !== next && other.return < next.call)) return false;
      const after = model.step(state, next.input, next.output);
      return (
        after !== undefined &&
        goesOn(
          after,
          rest.filter((other) => other !== next),
        )
      );
    });
  };
  return goesOn(model.initial, operations);
}
