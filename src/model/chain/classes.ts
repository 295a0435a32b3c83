import { HoldfastError } from '../../core/errors.ts';
import type { Chain } from './chain.ts';

/** Which states reach each other. */
export interface ChainClasses {
  readonly count: number;
  /** Class of each state. What a class leads to has a lower number. */
  readonly classOf: Int32Array;
  /** 1 where a class is never left. */
  readonly closed: Uint8Array;
}

/** Names that a message lists before it goes on with a count. */
const NAMES_MAX = 5;

/** Communicating classes: strongly connected components (Tarjan, SIAM J. Comput. 1, 1972), without recursion. */
export function classesOf(chain: Chain): ChainClasses {
  const { size, rowStart, target } = chain;
  const order = new Int32Array(size).fill(-1);
  const low = new Int32Array(size);
  const classOf = new Int32Array(size).fill(-1);
  const edge = rowStart.slice(0, size);
  const path: number[] = [];
  const open: number[] = [];
  let visited = 0;
  let count = 0;
  const enter = (state: number): void => {
    order[state] = low[state] = visited++;
    path.push(state);
    open.push(state);
  };
  for (let root = 0; root < size; root++) {
    if (order[root] === -1) enter(root);
    while (path.length > 0) {
      const state = path[path.length - 1]!;
      if (edge[state]! < rowStart[state + 1]!) {
        const next = target[edge[state]!++]!;
        if (order[next] === -1) enter(next);
        else if (classOf[next] === -1) low[state] = Math.min(low[state]!, order[next]!);
        continue;
      }
      path.pop();
      const parent = path.at(-1);
      if (parent !== undefined) low[parent] = Math.min(low[parent]!, low[state]!);
      if (low[state] !== order[state]) continue;
      for (let member = -1; member !== state;) {
        member = open.pop()!;
        classOf[member] = count;
      }
      count++;
    }
  }
  return { count, classOf, closed: closedClasses(chain, classOf, count) };
}

function closedClasses({ size, rowStart, target }: Chain, classOf: Int32Array, count: number): Uint8Array {
  const closed = new Uint8Array(count).fill(1);
  for (let state = 0; state < size; state++) {
    for (let at = rowStart[state]!; at < rowStart[state + 1]!; at++) {
      if (classOf[target[at]!] !== classOf[state]) closed[classOf[state]!] = 0;
    }
  }
  return closed;
}

/**
 * Asserts that the chain has one steady state, whatever it begins in, with every state having a part in it.
 * @throws MODEL_CHAIN_REDUCIBLE naming the states that are never left, the sets that are never left, or the states that are never seen again
 */
export function assertIrreducible(chain: Chain, classes: ChainClasses = classesOf(chain)): void {
  if (classes.count <= 1) return;
  const { classOf, closed } = classes;
  const closedCount = closed.reduce((sum, flag) => sum + flag, 0);
  const absorbing = statesWhere(chain, (state) => chain.exit[state] === 0);
  if (absorbing.length > 0) {
    throw reducible(
      `${listed(chain, absorbing)} ${absorbing.length === 1 ? 'is' : 'are'} never left, so in the end all probability is there`,
      'Add the transitions (repairs) that lead back, or ask for times and probabilities of absorption instead of a steady state.',
    );
  }
  if (closedCount > 1) {
    const sets = [...closed.keys()].filter((kind) => closed[kind] === 1);
    const text = sets.slice(0, NAMES_MAX).map(
      (kind) =>
        `{${listed(
          chain,
          statesWhere(chain, (state) => classOf[state] === kind),
        )}}`,
    );
    throw reducible(
      `there are ${closedCount} sets of states that are never left: ${text.join(', ')}`,
      'Connect them, or compute each as a chain of its own: the long run depends on where it begins.',
    );
  }
  const transient = statesWhere(chain, (state) => closed[classOf[state]!] === 0);
  throw reducible(
    `${listed(chain, transient)} can not be reached again once left`,
    'Remove what can not be reached, or add the transitions that lead there.',
  );
}

/** States of the chain for which `is` holds. */
export function statesWhere(chain: Chain, is: (state: number) => boolean): number[] {
  const found: number[] = [];
  for (let state = 0; state < chain.size; state++) if (is(state)) found.push(state);
  return found;
}

/** `'a', 'b' and 7 more`. */
export function listed(chain: Chain, states: readonly number[]): string {
  const names = states.slice(0, NAMES_MAX).map((state) => `'${chain.nameOf(state)}'`);
  const more = states.length - names.length;
  return more > 0 ? `${names.join(', ')} and ${more} more` : names.join(', ');
}

function reducible(what: string, hint: string): HoldfastError {
  return new HoldfastError('MODEL_CHAIN_REDUCIBLE', `the chain has no single steady state: ${what}`, { hint });
}
