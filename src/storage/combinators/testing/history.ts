/** What was asked of one key: a value, or its removal. */
export interface Change {
  readonly key: string;
  /** Undefined: a removal. */
  readonly value: string | undefined;
  /** Which process asked. */
  readonly by: number;
  readonly begunMs: number;
  /** When it ended, as success or not; undefined while it is under way. */
  endedMs: number | undefined;
  acknowledged: boolean;
}

export interface Read {
  readonly key: string;
  readonly begunMs: number;
  readonly endedMs: number;
  /** Whether this reader can be expected to know of a change. */
  readonly knows: (change: Change) => boolean;
}

/**
 * All changes, and what may be read after them: a regular register (L. Lamport, "On Interprocess Communication", 1986). A read gives a change that
 * no acknowledged one, begun after its end and ended before the read, has superseded. What failed may have happened or not, until it ended.
 */
export class History {
  readonly #changes = new Map<string, Change[]>();

  begin(key: string, value: string | undefined, by: number, nowMs: number): Change {
    const change: Change = { key, value, by, begunMs: nowMs, endedMs: undefined, acknowledged: false };
    this.of(key).push(change);
    return change;
  }

  of(key: string): Change[] {
    let changes = this.#changes.get(key);
    if (changes === undefined) {
      // Before all there is nothing.
      changes = [{ key, value: undefined, by: -1, begunMs: -1, endedMs: -1, acknowledged: true }];
      this.#changes.set(key, changes);
    }
    return changes;
  }

  keys(): string[] {
    return [...this.#changes.keys()];
  }

  allowed({ key, begunMs, endedMs, knows }: Read): Set<string | undefined> {
    const changes = this.of(key);
    const supersedes = (later: Change, earlier: Change): boolean =>
      later.acknowledged &&
      later.endedMs !== undefined &&
      earlier.endedMs !== undefined &&
      later.begunMs > earlier.endedMs &&
      later.endedMs < begunMs &&
      knows(later);
    return new Set(
      changes.filter((one) => one.begunMs <= endedMs && !changes.some((other) => supersedes(other, one))).map(({ value }) => value),
    );
  }

  /** The one change that is in force, where there is no doubt: it was acknowledged, and nothing went on beside or after it. */
  certain(key: string, untilMs: number): Change | undefined {
    const changes = this.of(key);
    const last = changes.reduce((latest, one) => (one.begunMs > latest.begunMs ? one : latest));
    const alone = changes.every((one) => one === last || (one.endedMs !== undefined && one.endedMs < last.begunMs));
    return last.acknowledged && last.endedMs !== undefined && last.endedMs < untilMs && alone ? last : undefined;
  }
}
