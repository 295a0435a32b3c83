import type { Model, Operation } from './model.ts';
import { lock, type LockInput, type LockOutput } from './models/lock.ts';
import { register, type RegisterInput, type RegisterOutput } from './models/register.ts';
import { storeKey, type StoreKeyInput, type StoreKeyOutput } from './models/store-key.ts';
import { asBigint, asEntry, asExpectation, asObject, asScalar, asText, asTime, impossibleText } from './values.ts';

/**
 * One line of a recorded history after its first, which is `{"history":1,"model":"register"}`. A process has one operation open at a time: its
 * next `invoke`, or the end of the file, leaves the one before with an unknown outcome, as does `info`.
 */
export interface HistoryEvent {
  readonly process: string;
  /** `fail`: refused by the object (a comparison that did not match), or certainly not done. */
  readonly type: 'invoke' | 'ok' | 'fail' | 'info';
  readonly f: string;
  readonly key: string;
  /** See each model's vocabulary in docs/coordination.md. */
  readonly value: unknown;
  /** On one scale for the whole file, in any unit; lines may be in any order. Default: the number of the line. */
  readonly time?: number;
}

/** An operation as it stands in the file. */
interface Recorded {
  readonly f: string;
  readonly key: string;
  readonly asked: unknown;
  readonly answer: { readonly type: 'ok' | 'fail'; readonly value: unknown } | undefined;
}

/** How a model's operations are written down. */
interface Vocabulary<Input, Output> {
  /** Undefined: it was certainly not done, and says nothing. @throws Error for what is not in the vocabulary */
  read(recorded: Recorded): { readonly input: Input; readonly output: Output | undefined } | undefined;
}

/** A history together with the model that it names. */
export interface ReadHistory<State extends object, Input, Output> {
  readonly model: Model<State, Input, Output>;
  readonly operations: readonly Operation<Input, Output>[];
}

/** Hands a history on to where its types do not matter any more. */
export type Consumer<Result> = <State extends object, Input, Output>(history: ReadHistory<State, Input, Output>) => Result;

/** @throws Error naming the line, or what the first one must be */
export function readJsonLines<Result>(text: string, consume: Consumer<Result>): Result {
  const lines = text.split('\n');
  const { history, model } = asObject(parseLine(lines[0] ?? '', 1), 'the first line');
  if (history !== 1) throw new Error('the first line must be {"history":1,"model":"register"} or of another model');
  const events = lines.slice(1).flatMap((line, index) => (line.trim() === '' ? [] : [readEvent(line, index + 2)]));
  const recorded = pair(events.toSorted((a, b) => a.time - b.time));
  if (model === 'register') return consume({ model: register, operations: read(recorded, registerVocabulary) });
  if (model === 'store-key') return consume({ model: storeKey, operations: read(recorded, storeKeyVocabulary) });
  if (model === 'lock') return consume({ model: lock, operations: read(recorded, lockVocabulary) });
  throw new Error(`there is no model ${JSON.stringify(model)}: register, store-key or lock`);
}

const registerVocabulary: Vocabulary<RegisterInput, RegisterOutput> = {
  read: ({ f, key, asked, answer }) => {
    if (f === 'cas') {
      const [from, to] = Array.isArray(asked) ? asked : [];
      return { input: { f, key, from: asScalar(from), to: asScalar(to) }, output: answer && { done: answer.type === 'ok' } };
    }
    if (f !== 'read' && f !== 'write') throw new Error(`a register has read, write and cas, not ${f}`);
    if (answer?.type === 'fail') return undefined;
    if (f === 'write') return { input: { f, key, to: asScalar(asked) }, output: answer && {} };
    return { input: { f, key }, output: answer && { value: asScalar(answer.value) } };
  },
};

const storeKeyVocabulary: Vocabulary<StoreKeyInput, StoreKeyOutput> = {
  read: ({ f, key, asked, answer }) => {
    if (f === 'get')
      return answer?.type === 'fail' ? undefined : { input: { f, key }, output: answer && { current: asEntry(answer.value) } };
    if (f === 'remove') {
      const input = { f, key, expect: asBigint(asObject(asked, f)['expect']) } as const;
      return { input, output: answer && { removed: answer.type === 'ok' } };
    }
    if (f !== 'swap') throw new Error(`a key of a store has get, swap and remove, not ${f}`);
    const { to, expect } = asObject(asked, f);
    const input = { f, key, to: asText(to), expect: asExpectation(expect) } as const;
    if (answer?.type === 'ok') return { input, output: { revision: asBigint(answer.value) } };
    return { input, output: answer && { current: asEntry(answer.value) } };
  },
};

const lockVocabulary: Vocabulary<LockInput, LockOutput> = {
  read: ({ f, key, asked, answer }) => {
    if (answer?.type === 'fail') return undefined;
    if (f === 'acquire') return { input: { f, key }, output: answer && { token: asBigint(answer.value) } };
    if (f !== 'holds' && f !== 'release') throw new Error(`a lock has acquire, holds and release, not ${f}`);
    return { input: { f, key, token: asBigint(asked) }, output: answer && {} };
  },
};

type TimedEvent = HistoryEvent & { readonly time: number };
type TimedRecord = Recorded & { readonly process: string; readonly call: number; readonly return: number; readonly line: string };

function read<Input, Output>(records: readonly TimedRecord[], vocabulary: Vocabulary<Input, Output>): Operation<Input, Output>[] {
  return records.flatMap((record) => {
    try {
      const operation = vocabulary.read(record);
      if (operation === undefined) return [];
      return [{ ...operation, process: record.process, call: record.call, return: record.return }];
    } catch (error) {
      throw new Error(`${record.line}: ${impossibleText(error)}`, { cause: error });
    }
  });
}

function pair(events: readonly TimedEvent[]): TimedRecord[] {
  const open = new Map<string, TimedEvent>();
  const records: TimedRecord[] = [];
  const close = (asked: TimedEvent, answer: TimedEvent | undefined): void => {
    open.delete(asked.process);
    const known = answer && knownOutcome(answer);
    records.push({
      process: asked.process,
      f: asked.f,
      key: asked.key,
      asked: asked.value,
      answer: known,
      call: asked.time,
      return: known === undefined ? Infinity : answer!.time,
      line: `the ${asked.f} of ${asked.process} at ${asked.time}`,
    });
  };
  for (const event of events) {
    const asked = open.get(event.process);
    if (event.type === 'invoke') {
      if (asked !== undefined) close(asked, undefined);
      open.set(event.process, event);
    } else {
      if (asked === undefined) throw new Error(`process ${event.process} answers at ${event.time} what it was not asked`);
      if (asked.f !== event.f) throw new Error(`process ${event.process} answers ${event.f} at ${event.time}, but was asked ${asked.f}`);
      close(asked, event);
    }
  }
  for (const asked of open.values()) close(asked, undefined);
  return records;
}

function knownOutcome({ type, value }: HistoryEvent): Recorded['answer'] {
  return type === 'ok' || type === 'fail' ? { type, value } : undefined;
}

function readEvent(line: string, number: number): TimedEvent {
  const { process, type, f, key = '', value = null, time = number } = asObject(parseLine(line, number), `line ${number}`);
  if (type !== 'invoke' && type !== 'ok' && type !== 'fail' && type !== 'info')
    throw new Error(`line ${number}: type must be invoke, ok, fail or info, not ${JSON.stringify(type)}`);
  return { process: asText(process), type, f: asText(f), key: asText(key), value, time: asTime(time, number) };
}

function parseLine(line: string, number: number): unknown {
  try {
    return JSON.parse(line);
  } catch (error) {
    throw new Error(`line ${number} is not JSON: ${line.slice(0, 80)}`, { cause: error });
  }
}
