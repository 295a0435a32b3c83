import type { Model } from '../model.ts';

/** Null: nothing was written yet. */
export type RegisterValue = string | null;

export type RegisterInput =
  | { readonly f: 'read'; readonly key: string }
  | { readonly f: 'write'; readonly key: string; readonly to: RegisterValue }
  | { readonly f: 'cas'; readonly key: string; readonly from: RegisterValue; readonly to: RegisterValue };

/** `value`: what was read. `done`: false for a compare-and-swap that met another value. */
export interface RegisterOutput {
  readonly value?: RegisterValue;
  readonly done?: boolean;
}

/** A register with read, write and compare-and-swap. */
export const register: Model<{ readonly value: RegisterValue }, RegisterInput, RegisterOutput> = {
  initial: { value: null },
  step: (state, input, output) => {
    if (input.f === 'read') return output === undefined || output.value === state.value ? state : undefined;
    if (input.f === 'write') return { value: input.to };
    const matches = input.from === state.value;
    if (output !== undefined && output.done !== matches) return undefined;
    return matches ? { value: input.to } : state;
  },
  keyOf: ({ value }) => JSON.stringify(value),
  partitionOf: ({ key }) => key,
  describe: (input, output) => {
    if (input.f === 'read') return `read → ${output?.value ?? 'nothing'}`;
    if (input.f === 'write') return `write ${input.to}${output === undefined ? ' → ?' : ''}`;
    const outcome = output === undefined ? '?' : output.done === true ? 'done' : 'another value';
    return `cas ${input.from} to ${input.to} → ${outcome}`;
  },
};
