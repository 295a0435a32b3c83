import type { Failure } from './check.ts';
import type { Model, Operation } from './model.ts';

/** Operations of each kind that are shown. */
const shownMax = 12;

/** What a person needs to see where a history went wrong: how far an order exists, the answer that it can not explain, and what overlapped. */
export function explain<State extends object, Input, Output>(
  model: Model<State, Input, Output>,
  failure: Failure<State, Input, Output>,
): string {
  const { order, stuck, state, operations, partition } = failure;
  const line = (operation: Operation<Input, Output>): string => {
    const { process, input, output, call } = operation;
    const until = operation.return === Infinity ? 'no answer' : `answered ${operation.return}`;
    return `    ${process}: ${model.describe(input, output)}   (called ${call}, ${until})`;
  };
  const ordered = new Set(order);
  const open = operations.filter((other) => other !== stuck && !ordered.has(other) && other.call <= stuck.return);
  return [
    `${partition === '' ? '' : `${partition}: `}${order.length} of ${operations.length} operations can be put in an order that explains all answers up to then:`,
    ...(order.length > shownMax ? [`    … ${order.length - shownMax} more`] : []),
    ...order.slice(-shownMax).map(line),
    `  The state is then ${model.keyOf(state)}, and there is no place for`,
    line(stuck),
    ...(open.length === 0 ? [] : ['  nor does it help to put before it what was under way:']),
    ...open.slice(0, shownMax).map(line),
    ...(open.length > shownMax ? [`    … ${open.length - shownMax} more`] : []),
  ].join('\n');
}
