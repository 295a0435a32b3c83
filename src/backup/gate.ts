/** Lets at most so many pieces of work run at once. */
export interface Gate {
  /** Waits for a place and begins; what comes back ends with the work, and rejects as it does. */
  enter<Value>(work: () => Promise<Value>): Promise<{ readonly done: Promise<Value> }>;
  /** Whether a place is free now. */
  readonly isFree: boolean;
}

export function createGate(placesMax: number): Gate {
  let places = placesMax;
  const waiting: (() => void)[] = [];
  const leave = (): void => {
    const next = waiting.shift();
    if (next === undefined) places += 1;
    else next();
  };
  return {
    get isFree() {
      return places > 0;
    },
    async enter(work) {
      if (places > 0) places -= 1;
      else await new Promise<void>((resolve) => waiting.push(resolve));
      const done = work().finally(leave);
      // Whoever began it looks at it later; until then its failure is nobody's.
      done.catch(() => undefined);
      return { done };
    },
  };
}

/** All results in order; waits for every one to end before it tells of the first that failed: nothing goes on unseen. */
export async function settle<Value>(promises: readonly Promise<Value>[]): Promise<Value[]> {
  const outcomes = await Promise.allSettled(promises);
  const failed = outcomes.find((outcome) => outcome.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
  return outcomes.map((outcome) => (outcome as PromiseFulfilledResult<Value>).value);
}

/** Runs `work` on all items, so many at once, results in order. */
export async function mapAtOnce<Item, Value>(
  items: readonly Item[],
  atOnceMax: number,
  work: (item: Item) => Promise<Value>,
): Promise<Value[]> {
  const results: Value[] = Array.from({ length: items.length });
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < items.length) {
      const index = next;
      next += 1;
      results[index] = await work(items[index] as Item);
    }
  };
  await settle(Array.from({ length: Math.min(atOnceMax, items.length) }, worker));
  return results;
}
