import type { Model } from '../model.ts';

/** `holds`: a holder finds that its hold is still valid. */
export type LockInput =
  | { readonly f: 'acquire'; readonly key: string }
  | { readonly f: 'holds'; readonly key: string; readonly token: bigint }
  | { readonly f: 'release'; readonly key: string; readonly token: bigint };

export interface LockOutput {
  /** Of a hold that was acquired. */
  readonly token?: bigint;
}

interface State {
  /** The highest token so far: that of the holder, if there is one. */
  readonly token: bigint;
  readonly held: boolean;
}

/**
 * A lock, or leadership, with fencing tokens. A hold may end by itself (its session expires), so acquiring is allowed at any time; but each
 * token is above all before it, and once a later one was given, or the hold released, no earlier hold is ever found valid again. An
 * acquisition of unknown outcome is like none: what it may have held, nobody has used.
 */
export const lock: Model<State, LockInput, LockOutput> = {
  initial: { token: 0n, held: false },
  step: (state, input, output) => {
    if (input.f === 'acquire') {
      if (output?.token === undefined) return state;
      return output.token > state.token ? { token: output.token, held: true } : undefined;
    }
    if (input.token !== state.token || !state.held) return output === undefined ? state : undefined;
    return input.f === 'holds' ? state : { ...state, held: false };
  },
  keyOf: ({ token, held }) => `${held ? 'held with' : 'free after'} ${token}`,
  partitionOf: ({ key }) => key,
  describe: (input, output) => {
    if (input.f === 'acquire') return `acquire → ${output?.token ?? '?'}`;
    return `${input.f === 'holds' ? 'finds valid' : 'releases'} ${input.token}${output === undefined ? ' → ?' : ''}`;
  },
};
