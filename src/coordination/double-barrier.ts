import { z } from 'zod';
import { HoldfastError } from '../core/errors.ts';
import type { Runtime } from '../core/runtime.ts';
import { barrierTimedOut } from './barrier.ts';
import { jsonText } from './json-text.ts';
import { anySignal, limitAfter, patiently } from './patience.ts';
import { PERMITS_MAX } from './semaphore.ts';
import type { CoordinationStore, Session } from './store.ts';

const ttlMsDefault = 10_000;
/** Most members of one barrier. */
export const BARRIER_SIZE_MAX = PERMITS_MAX;

/** One party that passed a barrier together with the others of its round. */
export interface Presence extends AsyncDisposable {
  /** Counts the rounds of this barrier. */
  readonly round: number;
  /** Aborts when the others may take this one for dead. Reason: COORD_SESSION_LOST. */
  readonly signal: AbortSignal;
  /** Waits until all others of the round have left too, or died. @throws COORD_LOCK_TIMEOUT after `waitMs` (it has left then, all the same) */
  leave(options?: { waitMs?: number; signal?: AbortSignal }): Promise<void>;
}

/** The state of a barrier: one value, changed by compare-and-swap only. Members are session ids. */
const roundSchema = jsonText(
  z.strictObject({
    round: z.number().int().nonnegative(),
    size: z.number().int().positive(),
    phase: z.enum(['gathering', 'running']),
    members: z.array(z.string()).max(BARRIER_SIZE_MAX),
  }),
);
export type Round = z.infer<typeof roundSchema>;

/**
 * What a round becomes when one wants to be in (or out of) it and some have died: gathering until `size` are there, running until all are
 * gone, then the next one gathers. Pure. The same object when nothing changes.
 */
export function decideRound(now: Round, me: string, wish: 'in' | 'out', dead: ReadonlySet<string>): Round {
  const alive = now.members.filter((member) => !dead.has(member) && !(wish === 'out' && member === me));
  const over = now.phase === 'running' && alive.length === 0;
  const [round, phase] = over ? [now.round + 1, 'gathering' as const] : [now.round, now.phase];
  const joins = wish === 'in' && phase === 'gathering' && !alive.includes(me);
  const members = joins ? [...alive, me] : alive;
  const next = { ...now, round, members, phase: phase === 'gathering' && members.length >= now.size ? ('running' as const) : phase };
  return JSON.stringify(next) === JSON.stringify(now) ? now : next;
}

/**
 * Enters a double barrier: returns once `size` parties are there, all of one round. Who comes while a round runs waits for the next.
 * A party that dies while gathering is not counted; one that dies later has left.
 * @throws COORD_LOCK_TIMEOUT after `waitMs`, COORD_MISMATCH when others use this name with another size, COORD_SESSION_LOST when this
 * machine was cut off for longer than the TTL
 */
export async function enterBarrier(
  store: CoordinationStore,
  name: string,
  runtime: Runtime,
  options: { size: number; ttlMs?: number; allowShortTtl?: boolean; waitMs?: number; signal?: AbortSignal },
): Promise<Presence> {
  const { size, ttlMs = ttlMsDefault, allowShortTtl = false } = options;
  if (!Number.isInteger(size) || size < 1 || size > BARRIER_SIZE_MAX) {
    throw new HoldfastError('COORD_MISMATCH', `a barrier of ${size} parties: a whole number from 1 to ${BARRIER_SIZE_MAX} is allowed`);
  }
  using limit = limitAfter(runtime.clock, options.waitMs, () => barrierTimedOut(name, options.waitMs!, `fewer than ${size} parties came`));
  const signal = anySignal(options.signal, limit.signal);
  const session = await patiently(runtime, signal, () => store.openSession({ ttlMs, allowShortTtl, name, signal }));
  const party = new Party(store, name, size, session, runtime);
  try {
    return await party.enter(anySignal(signal, session.signal));
  } catch (error) {
    await party.abandon();
    throw error;
  }
}

class Party implements Presence {
  round = 0;
  readonly #store: CoordinationStore;
  readonly #name: string;
  readonly #size: number;
  readonly #session: Session;
  readonly #runtime: Runtime;

  constructor(store: CoordinationStore, name: string, size: number, session: Session, runtime: Runtime) {
    this.#store = store;
    this.#name = name;
    this.#size = size;
    this.#session = session;
    this.#runtime = runtime;
  }

  get signal(): AbortSignal {
    return this.#session.signal;
  }

  async enter(signal: AbortSignal): Promise<Presence> {
    // Its end, by whatever cause, wakes the others.
    const beacon = `${this.#key}/${this.#session.id.replaceAll(/[^A-Za-z0-9_-]/g, '_')}`;
    await patiently(this.#runtime, signal, () => this.#store.swap(beacon, '', 'absent', { session: this.#session, signal }));
    await this.#untilRound(signal, async () => {
      const now = await this.#move('in', signal);
      this.round = now.round;
      return now.phase === 'running' && now.members.includes(this.#session.id);
    });
    return this;
  }

  async leave(options: { waitMs?: number; signal?: AbortSignal } = {}): Promise<void> {
    using limit = limitAfter(this.#runtime.clock, options.waitMs, () =>
      barrierTimedOut(this.#name, options.waitMs!, 'others have not left'),
    );
    const signal = anySignal(options.signal, limit.signal, this.signal);
    try {
      await this.#untilRound(signal, async () => (await this.#move('out', signal)).round > this.round);
    } finally {
      await this[Symbol.asyncDispose]();
    }
  }

  /** Out of it before it began: the others count without this one at once, not only when its session is known to be over. */
  async abandon(): Promise<void> {
    using limit = limitAfter(this.#runtime.clock, 1_000, () => barrierTimedOut(this.#name, 1_000, 'the store is away'));
    await this.#move('out', anySignal(limit.signal, this.signal)).catch(() => {});
    await this[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#session[Symbol.asyncDispose]();
  }

  get #key(): string {
    return `barriers/${this.#name}/parties`;
  }

  /** Looks after every change, until it is so. */
  async #untilRound(signal: AbortSignal, isSo: () => Promise<boolean>): Promise<void> {
    for await (const _ of this.#store.watch(this.#key, { signal })) {
      if (await patiently(this.#runtime, signal, isSo)) return;
    }
    signal.throwIfAborted();
    throw new HoldfastError('COORD_UNREACHABLE', 'this client of the coordination store is closed');
  }

  /** Brings the state to what this party wishes; returns what it then is. */
  async #move(wish: 'in' | 'out', signal: AbortSignal): Promise<Round> {
    for (;;) {
      const entry = await this.#store.get(this.#key, { signal });
      const now = entry === undefined ? { round: 1, size: this.#size, phase: 'gathering' as const, members: [] } : this.#parse(entry.value);
      const next = decideRound(now, this.#session.id, wish, await this.#dead(now.members, signal));
      if (next === now) return now;
      this.#session.assertValid();
      const result = await this.#store.swap(this.#key, JSON.stringify(next), entry?.revision ?? 'absent', { signal });
      if (result.swapped) return next;
    }
  }

  async #dead(members: readonly string[], signal: AbortSignal): Promise<Set<string>> {
    const others = members.filter((member) => member !== this.#session.id);
    const alive = await Promise.all(others.map((member) => this.#store.isSessionAlive(member, { signal })));
    return new Set(others.filter((_, index) => !alive[index]));
  }

  #parse(value: string): Round {
    const parsed = roundSchema.safeParse(value);
    const size = parsed.data?.size;
    if (parsed.data !== undefined && size === this.#size) return parsed.data;
    throw new HoldfastError(
      'COORD_MISMATCH',
      `the barrier ${this.#name} is used by others with ${size ?? 'something that is not a size'}, here with ${this.#size} parties`,
      {
        hint: 'Give all its users the same size, or use another name for another size.',
      },
    );
  }
}
