import type { BigIntStats } from 'node:fs';
import type { Clock } from '../../core/clock.ts';
import { mapAtOnce } from '../gate.ts';
import { look, lookNow, lookThrough } from './fs.ts';

/** Looks at files: `lstat` of many at once. */
export interface Looks {
  /** What they are, or why that can not be told; `isFollowed`: of a link, what it leads to. */
  at(paths: readonly string[], isFollowed: (path: string) => boolean): Promise<readonly Outcome[]>;
}

type Outcome = { readonly stats: BigIntStats } | { readonly error: unknown };

const looksAtOnceMax = 32;
/** What is in the system's cache is told in some microseconds, a tenth of what it takes to ask by threads. */
const slowLookMs = 0.2;
/** So many are looked at by threads after some were slow: then it is tried again. */
const looksByThreads = 4_096;

/** @param mayBlock this process has nothing to do that could not wait for the file system */
export function createLooks(clock: Pick<Clock, 'monotonicMs'>, mayBlock: boolean): Looks {
  let byThreads = mayBlock ? 0 : Infinity;

  const lookHere = (paths: readonly string[], isFollowed: (path: string) => boolean): Outcome[] => {
    const beganMs = clock.monotonicMs();
    const outcomes = paths.map((path) => outcomeNow(path, isFollowed));
    if (clock.monotonicMs() - beganMs > slowLookMs * paths.length) byThreads = looksByThreads;
    return outcomes;
  };

  return {
    async at(paths, isFollowed) {
      const outcomes: Outcome[] = [];
      while (outcomes.length < paths.length) {
        const isHere = byThreads <= 0;
        const some = paths.slice(outcomes.length, outcomes.length + (isHere ? looksAtOnceMax : byThreads));
        byThreads -= isHere ? 0 : some.length;
        const told = isHere ? lookHere(some, isFollowed) : await mapAtOnce(some, looksAtOnceMax, (path) => outcomeOf(path, isFollowed));
        for (const one of told) outcomes.push(one);
      }
      return outcomes;
    },
  };
}

async function outcomeOf(path: string, isFollowed: (path: string) => boolean): Promise<Outcome> {
  try {
    return { stats: await (isFollowed(path) ? lookThrough(path) : look(path)) };
  } catch (error) {
    return { error };
  }
}

function outcomeNow(path: string, isFollowed: (path: string) => boolean): Outcome {
  try {
    return { stats: lookNow(path, isFollowed(path)) };
  } catch (error) {
    return { error };
  }
}
