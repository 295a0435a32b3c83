/**
 * Small objects that are loaded at once where many are needed: one after another, each would cost the whole way to a store and back, and a repository
 * has hundreds.
 */
export const loadsAtOnceMax = 16;

/**
 * What `load` makes of each item, in the order of the items, at most `loadsAtOnceMax` under way. When nobody asks any more, or one fails, what is
 * under way is waited for.
 */
export async function* loadAhead<Item, Value>(items: AsyncIterable<Item>, load: (item: Item) => Promise<Value>): AsyncGenerator<Value> {
  const underWay: Promise<Value>[] = [];
  try {
    for await (const item of items) {
      const value = load(item);
      // Whoever comes to it hears of its failure.
      value.catch(() => {});
      underWay.push(value);
      if (underWay.length === loadsAtOnceMax) yield await underWay.shift()!;
    }
    while (underWay.length > 0) yield await underWay.shift()!;
  } finally {
    await Promise.allSettled(underWay);
  }
}
