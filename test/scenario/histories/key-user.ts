import type { CoordinationStore, Entry } from '../../../src/coordination/store.ts';
import type { Clock } from '../../../src/core/clock.ts';
import { hasCode } from '../../../src/core/errors.ts';
import type { SeededRandom } from '../../../src/sim/index.ts';
import type { Attempt, Recorder } from './recorder.ts';

/** Few, so that clients meet. */
const keyNames = ['register/a', 'register/b', 'register/c'];

export interface KeyUse {
  readonly store: CoordinationStore;
  readonly clock: Clock;
  readonly random: SeededRandom;
  readonly recorder: Recorder;
  readonly label: string;
  readonly stop: AbortSignal;
  readonly pauseMs: number;
  readonly hasty: boolean;
}

/** Reads, swaps and removes keys, one call at a time, until `stop`. Whether a swap without an answer was done, nobody knows. */
export async function useKeys(use: KeyUse): Promise<void> {
  const { clock, random, stop, pauseMs } = use;
  const user = new KeyUser(use);
  while (!stop.aborted) {
    await user.act(random.pick(keyNames));
    // Its end is the end of the loop.
    await clock.sleep(random.next() * pauseMs, stop).catch(() => {});
  }
}

class KeyUser {
  readonly #use: KeyUse;
  /** As last seen by this user. */
  readonly #seen = new Map<string, Entry | undefined>();
  #writes = 0;

  constructor(use: KeyUse) {
    this.#use = use;
  }

  act(key: string): Promise<void> {
    const { random } = this.#use;
    const dice = random.next();
    if (dice < 0.4) return this.#get(key);
    const seen = this.#seen.get(key);
    if (dice > 0.93 && seen !== undefined) return this.#remove(key, seen.revision);
    return this.#swap(key, random.chance(0.1) ? 'absent' : (seen?.revision ?? 'absent'));
  }

  async #get(key: string): Promise<void> {
    const attempt = this.#begin('get', key, null);
    await this.#settle(attempt, undefined, async () => {
      const entry = await this.#use.store.get(key);
      attempt.ok(plain(entry));
      this.#seen.set(key, entry);
    });
  }

  async #swap(key: string, expect: bigint | 'absent'): Promise<void> {
    const value = `${this.#use.label}#${(this.#writes += 1)}`;
    const attempt = this.#begin('swap', key, { to: value, expect });
    await this.#settle(attempt, this.#seen.get(key), async () => {
      const result = await this.#use.store.swap(key, value, expect);
      if (result.swapped) attempt.ok(result.revision);
      else attempt.fail(plain(result.current));
      this.#seen.set(key, result.swapped ? { key, value, revision: result.revision, sessionId: undefined } : result.current);
    });
  }

  async #remove(key: string, expect: bigint): Promise<void> {
    const attempt = this.#begin('remove', key, { expect });
    await this.#settle(attempt, undefined, async () => {
      const removed = await this.#use.store.remove(key, expect);
      if (removed) attempt.ok();
      else attempt.fail();
      this.#seen.delete(key);
    });
  }

  #begin(f: string, key: string, value: unknown): Attempt {
    return this.#use.recorder.begin(this.#use.label, f, key, value);
  }

  async #settle(attempt: Attempt, guess: Entry | undefined, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!hasCode(error, 'COORD_UNREACHABLE')) throw error;
      if (this.#use.hasty && guess !== undefined) attempt.fail({ ...plain(guess), revision: guess.revision });
      else attempt.unknown();
    }
  }
}

function plain(entry: Entry | undefined): { value: string; revision: bigint } | null {
  return entry === undefined ? null : { value: entry.value, revision: entry.revision };
}
