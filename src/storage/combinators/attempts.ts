import { linked } from '../../core/deadline.ts';
import { abortable } from '../../core/abortable.ts';
import type { Clock } from '../../core/clock.ts';
import { unreachable } from '../failures.ts';
import type { Part } from './part.ts';

export type Outcome<T> = { readonly part: Part; readonly value: T } | { readonly part: Part; readonly error: unknown };

export function failedIn<T>(outcomes: readonly Outcome<T>[]): { readonly part: Part; readonly error: unknown }[] {
  return outcomes.filter((outcome) => 'error' in outcome);
}

export function doneIn<T>(outcomes: readonly Outcome<T>[]): { readonly part: Part; readonly value: T }[] {
  return outcomes.filter((outcome) => 'value' in outcome);
}

/** How much longer than the others, who were enough, a part may take: this much, or twice what they took. */
export interface Patience {
  readonly stragglerMs: number;
}

/**
 * The same call on many parts at once. As soon as `enough` have done it, the others may take as long again and longer, and are then given up:
 * whether they did it is not known. @throws the signal's reason, nothing else
 */
export async function onEach<T>(
  parts: readonly Part[],
  call: (part: Part, signal: AbortSignal) => Promise<T>,
  { enough, clock, patience, signal }: { enough: number; clock: Clock; patience: Patience; signal: AbortSignal },
): Promise<Outcome<T>[]> {
  signal.throwIfAborted();
  using late = linked(signal);
  const begunMs = clock.monotonicMs();
  let done = 0;
  let timer: Disposable | undefined;
  const attempt = async (part: Part): Promise<Outcome<T>> => {
    try {
      const value = await abortable(call(part, late.signal), late.signal);
      done += 1;
      if (done >= enough) {
        const graceMs = Math.max(patience.stragglerMs, 2 * (clock.monotonicMs() - begunMs));
        timer ??= clock.after(graceMs, () =>
          late.abort(unreachable('a part', `it did not answer for ${Math.round(graceMs)} ms after the others`)),
        );
      }
      return { part, value };
    } catch (error) {
      return { part, error };
    }
  };
  const outcomes = await Promise.all(parts.map(attempt));
  timer?.[Symbol.dispose]();
  signal.throwIfAborted();
  return outcomes;
}

export interface AskOptions<T> {
  /** How many more good answers are needed at least; 0 ends it. */
  readonly missing: (outcomes: readonly Outcome<T>[]) => number;
  readonly hedgeMs: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/**
 * Asks parts in their order, as few at once as may be enough; others for those that failed, and one more each time nothing was heard for
 * `hedgeMs`. Ends when nothing is missing or all were asked, and gives up those that have not answered. @throws the signal's reason, nothing else
 */
export async function askInTurn<T>(
  parts: readonly Part[],
  call: (part: Part, signal: AbortSignal) => Promise<T>,
  { missing, hedgeMs, clock, signal }: AskOptions<T>,
): Promise<Outcome<T>[]> {
  signal.throwIfAborted();
  using rest = linked(signal);
  const outcomes: Outcome<T>[] = [];
  const waiting = [...parts];
  const running = new Map<Part, Promise<Part>>();
  const ask = async (part: Part): Promise<Part> => {
    try {
      outcomes.push({ part, value: await abortable(call(part, rest.signal), rest.signal) });
    } catch (error) {
      outcomes.push({ part, error });
    }
    return part;
  };
  const start = (): void => {
    const part = waiting.shift();
    if (part !== undefined) running.set(part, ask(part));
  };
  for (let wanted = missing(outcomes); wanted > 0; wanted = missing(outcomes)) {
    while (running.size < wanted && waiting.length > 0) start();
    if (running.size === 0) break;
    const ended = await firstOf(running.values(), hedgeMs, clock, signal);
    if (ended === undefined) start();
    else running.delete(ended);
  }
  rest.abort(new Error('the others were enough'));
  return [...outcomes];
}

/** Undefined when nothing was heard in time. @throws the signal's reason */
async function firstOf(running: Iterable<Promise<Part>>, withinMs: number, clock: Clock, signal: AbortSignal): Promise<Part | undefined> {
  const { promise: late, resolve } = Promise.withResolvers<undefined>();
  using _timer = clock.after(withinMs, () => resolve(undefined));
  const ended = await abortable(Promise.race([...running, late]), signal);
  return ended;
}
