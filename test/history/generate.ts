import type { SeededRandom } from '../../src/sim/index.ts';
import type { Operation } from './model.ts';
import type { RegisterInput, RegisterOutput } from './models/register.ts';
import type { StoreKeyInput, StoreKeyOutput } from './models/store-key.ts';

/** An object that does one operation at a time; undefined: it did not answer. */
type Sequential<Input, Output> = (input: Input) => Output;

export interface Shape {
  readonly processes: number;
  readonly operations: number;
  /** Of an answer to get lost, and, half of these times, the operation with it. */
  readonly lost: number;
}

/** Runs random clients against a real sequential object: each operation happens at one moment between its call and its return. */
export function generateHistory<Input, Output>(
  random: SeededRandom,
  { processes, operations, lost }: Shape,
  object: Sequential<Input, Output>,
  nextInput: () => Input,
  learn: (output: Output) => void = () => {},
): Operation<Input, Output>[] {
  const freeAt = Array.from({ length: processes }, () => random.next());
  const planned = Array.from({ length: operations }, () => {
    const process = random.integer(processes);
    const call = freeAt[process]! + random.next();
    const effect = call + random.next();
    const end = effect + random.next();
    freeAt[process] = end;
    return { process, call, effect, end };
  });
  return planned
    .toSorted((a, b) => a.effect - b.effect)
    .map(({ process, call, end }) => {
      const input = nextInput();
      const common = { process: `p${process}`, input, call };
      if (!random.chance(lost)) {
        const output = object(input);
        learn(output);
        return { ...common, output, return: end };
      }
      if (random.chance(0.5)) object(input);
      return { ...common, output: undefined, return: Infinity };
    });
}

export function sequentialRegister(): Sequential<RegisterInput, RegisterOutput> {
  let value: string | null = null;
  return (input) => {
    if (input.f === 'read') return { value };
    const done = input.f === 'write' || input.from === value;
    if (done) value = input.to;
    return input.f === 'write' ? {} : { done };
  };
}

export function registerInputs(random: SeededRandom, values: number): () => RegisterInput {
  const value = (): string => String(random.integer(values));
  return () => {
    const f = random.pick(['read', 'read', 'write', 'cas'] as const);
    if (f === 'read') return { f, key: 'x' };
    return f === 'write' ? { f, key: 'x', to: value() } : { f, key: 'x', from: value(), to: value() };
  };
}

/** A key of a store, and clients that expect what they, or anybody, saw last. */
export function sequentialKey(random: SeededRandom): {
  object: Sequential<StoreKeyInput, StoreKeyOutput>;
  nextInput: () => StoreKeyInput;
  learn: (output: StoreKeyOutput) => void;
} {
  let revision = 0n;
  let value: string | undefined;
  let writes = 0;
  const seen: bigint[] = [];
  const object: Sequential<StoreKeyInput, StoreKeyOutput> = (input) => {
    const current = value === undefined ? null : { value, revision };
    if (input.f === 'get') return { current };
    const matches = input.expect === (current?.revision ?? 'absent');
    if (input.f === 'remove') {
      if (matches) value = undefined;
      return { removed: matches };
    }
    if (!matches) return { current };
    revision += BigInt(1 + random.integer(3));
    value = input.to;
    return { revision };
  };
  const learn = (output: StoreKeyOutput): void => {
    if ('revision' in output) seen.push(output.revision);
    else if ('current' in output && output.current !== null) seen.push(output.current.revision);
  };
  const nextInput = (): StoreKeyInput => {
    const f = random.pick(['get', 'swap', 'swap', 'remove'] as const);
    const expect = seen.at(-1 - random.integer(2));
    if (f === 'get' || (f === 'remove' && expect === undefined)) return { f: 'get', key: 'k' };
    if (f === 'remove') return { f, key: 'k', expect: expect! };
    return { f: 'swap', key: 'k', to: `v${(writes += 1)}`, expect: random.chance(0.3) ? 'absent' : (expect ?? 'absent') };
  };
  return { object, nextInput, learn };
}

/** Changes one answer into one that the object never gave. */
export function withOneAnswerChanged<Input, Output>(
  random: SeededRandom,
  history: readonly Operation<Input, Output>[],
  change: (operation: Operation<Input, Output>) => Output | undefined,
): Operation<Input, Output>[] | undefined {
  const candidates = history.filter((operation) => operation.output !== undefined && change(operation) !== undefined);
  if (candidates.length === 0) return undefined;
  const chosen = random.pick(candidates);
  return history.map((operation) => (operation === chosen ? { ...operation, output: change(operation) } : operation));
}
