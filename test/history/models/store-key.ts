import type { Model } from '../model.ts';

/** A key as its readers see it; null: absent. */
export type SeenEntry = { readonly value: string; readonly revision: bigint } | null;

export type StoreKeyInput =
  | { readonly f: 'get'; readonly key: string }
  | { readonly f: 'swap'; readonly key: string; readonly to: string; readonly expect: bigint | 'absent' }
  | { readonly f: 'remove'; readonly key: string; readonly expect: bigint };

export type StoreKeyOutput =
  /** `get`, and what a lost `swap` was told. */
  | { readonly current: SeenEntry }
  /** A `swap` that was done. */
  | { readonly revision: bigint }
  /** `remove`. */
  | { readonly removed: boolean };

interface State {
  /** Undefined: absent. */
  readonly value: string | undefined;
  /** Undefined: not seen yet, since it was written by a swap whose answer was lost. */
  readonly revision: bigint | undefined;
  /** The highest revision seen: every later one is above it. */
  readonly highest: bigint;
}

/**
 * A key of a coordination store (`src/coordination/store.ts`): a register with compare-and-swap on revisions, which grow with every change
 * and are never used again, also after a removal. A revision can only be expected by who has seen it, so one that nobody has seen yet is
 * nobody's expectation.
 */
export const storeKey: Model<State, StoreKeyInput, StoreKeyOutput> = {
  initial: { value: undefined, revision: undefined, highest: 0n },
  step: (state, input, output) => {
    if (input.f === 'get') return output === undefined ? state : 'current' in output ? seen(state, output.current) : undefined;
    const matches = input.expect === (state.value === undefined ? 'absent' : state.revision);
    if (input.f === 'remove') {
      if (output !== undefined && !('removed' in output && output.removed === matches)) return undefined;
      return matches ? { ...state, value: undefined, revision: undefined } : state;
    }
    if (output === undefined) return matches ? { ...state, value: input.to, revision: undefined } : state;
    if ('current' in output) return (output.current?.revision ?? 'absent') === input.expect ? undefined : seen(state, output.current);
    if (!matches || !('revision' in output) || output.revision <= state.highest) return undefined;
    return { value: input.to, revision: output.revision, highest: output.revision };
  },
  keyOf: ({ value, revision, highest }) =>
    value === undefined ? `absent after ${highest}` : `${value} at ${revision ?? `over ${highest}`}`,
  partitionOf: ({ key }) => key,
  describe: (input, output) => {
    if (input.f === 'get') return `get → ${output === undefined ? '?' : describeOutput(output)}`;
    const what = input.f === 'swap' ? `swap to ${input.to}` : 'remove';
    return `${what} if ${input.expect} → ${output === undefined ? '?' : describeOutput(output)}`;
  },
};

/** The state, if this is what is seen of it. */
function seen(state: State, entry: SeenEntry): State | undefined {
  if (entry === null) return state.value === undefined ? state : undefined;
  if (entry.value !== state.value) return undefined;
  if (state.revision !== undefined) return entry.revision === state.revision ? state : undefined;
  return entry.revision > state.highest ? { ...state, revision: entry.revision, highest: entry.revision } : undefined;
}

function describeOutput(output: StoreKeyOutput): string {
  if ('removed' in output) return output.removed ? 'done' : 'not done';
  if ('revision' in output) return `done at ${output.revision}`;
  return output.current === null ? 'absent' : `${output.current.value} at ${output.current.revision}`;
}
