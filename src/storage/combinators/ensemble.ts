import { HoldfastError } from '../../core/errors.ts';
import type { Runtime } from '../../core/runtime.ts';
import { assertKey, assertPrefix } from '../key.ts';
import type { Location, LocationStatus, ObjectInfo } from '../location.ts';
import { doneIn, failedIn, onEach, type Outcome } from './attempts.ts';
import { KeyTurns } from './key-turns.ts';
import { Part } from './part.ts';
import { Pending } from './pending.ts';
import { Stamps } from './stamps.ts';

/** What every location made of locations can be told. */
export interface CombinedOptions {
  /** Parts that must have a change before it is done. */
  readonly writeMin?: number | undefined;
  /** How much longer than the others a part may take before a write goes on without it. Default: 10 s. */
  readonly stragglerMs?: number | undefined;
  /** Silence after which a read asks one more part. Default: 3 s. */
  readonly hedgeMs?: number | undefined;
  /** How often what others noted is read, and how long at least a part that is away is left alone at last. Default: 30 s. */
  readonly refreshMs?: number | undefined;
  /** Changes that are noted of one part that misses them. Default: 100 000. */
  readonly notesMax?: number | undefined;
  /** A write that another process has begun is over after this time, or its process is gone. Default: 10 min. */
  readonly graceMs?: number | undefined;
  /** 16 hexadecimal digits that no other user of these parts has. Default: by chance. */
  readonly writer?: string | undefined;
}

const namePattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,39}$/;
const partsMax = 64;
/** Objects found wrong that are remembered until they are healed; what is beyond is left to a scrub. */
const suspectsMax = 10_000;
/** Looks at what is left after a removal before it is taken for somebody else's doing. */
export const roundsMax = 4;

/**
 * What mirror and parity have in common: the parts and how each is, the notes of what each missed, turns for changes of one key, and
 * suspicions. It knows nothing of what the parts hold.
 */
export class Ensemble {
  readonly name: string;
  readonly parts: readonly Part[];
  readonly runtime: Runtime;
  readonly pending: Pending;
  readonly stamps: Stamps;
  readonly turns = new KeyTurns();
  readonly writeMin: number;
  readonly hedgeMs: number;
  readonly refreshMs: number;
  readonly stragglerMs: number;
  readonly graceMs: number;
  /** Ends in a slash; nobody else's keys begin so. */
  readonly reserved: string;
  /** Key, then numbers of the parts whose copy was found damaged or missing; empty: it is only to be looked at. */
  readonly suspects = new Map<string, Set<number>>();
  /** Called when there is something to heal. */
  onWork: () => void = () => {};
  /** Numbers of the parts of which it was looked whether they hold anything, and of those that did. */
  readonly #looked = new Set<number>();
  readonly #holding = new Set<number>();
  #ready: Promise<void> | undefined;

  constructor(name: string, locations: readonly Location[], writeMin: number, runtime: Runtime, options: CombinedOptions) {
    assertNames(name, locations);
    this.name = name;
    this.runtime = runtime;
    this.parts = locations.map((location, number) => new Part(location, number));
    this.writeMin = writeMin;
    this.hedgeMs = options.hedgeMs ?? 3_000;
    this.refreshMs = options.refreshMs ?? 30_000;
    this.stragglerMs = options.stragglerMs ?? 10_000;
    this.graceMs = options.graceMs ?? 600_000;
    this.reserved = `.holdfast/${name}/`;
    this.stamps = new Stamps(runtime.clock, options.writer);
    this.pending = new Pending(this.reserved, this.parts, this.stamps, options.notesMax ?? 100_000);
  }

  get present(): Part[] {
    return this.parts.filter((part) => part.present);
  }

  /** Parts worth asking about a key: those that did not miss its last change, the ones that answer first. */
  believed(key: string): Part[] {
    const behind = this.pending.behind(key);
    const doubtful = this.pending.doubtful;
    const suspects = this.suspects.get(key);
    const rank = (part: Part): number =>
      (part.present ? 0 : 4) + (doubtful.has(part.number) ? 2 : 0) + (suspects?.has(part.number) === true ? 1 : 0);
    return this.parts.filter((part) => !behind.has(part.number)).toSorted((a, b) => rank(a) - rank(b));
  }

  /** Resolves when what was noted before has been read from every part that answers. Every call waits for it. */
  async ready(key: string, signal: AbortSignal): Promise<void> {
    assertKey(key);
    if (key.startsWith(this.reserved)) throw reservedKey(this.name, key);
    await this.opened(signal);
  }

  async readyToList(prefix: string, signal: AbortSignal): Promise<void> {
    assertPrefix(prefix);
    await this.opened(signal);
  }

  async opened(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    // Whoever comes first does it for all; an abort of one is no failure of the others.
    while (this.#ready === undefined || !(await settled(this.#ready))) {
      const opening = this.meet(this.#answering(), signal).then(() => {});
      this.#ready = opening;
      opening.catch(() => {
        if (this.#ready === opening) this.#ready = undefined;
      });
      await opening;
    }
    signal.throwIfAborted();
  }

  /** Who did not answer when it was opened is met later, and nobody waits for it; unless nobody else is there. */
  #answering(): readonly Part[] {
    for (const part of this.parts) {
      const { state, message } = part.location.status();
      if (state === 'away') part.leave(new Error(message));
    }
    return this.present.length > 0 ? this.present : this.parts;
  }

  /** Reads what these parts noted; those that answer are back. @throws the signal's reason */
  async meet(parts: readonly Part[], signal: AbortSignal): Promise<Part[]> {
    const empty: Part[] = [];
    const outcomes = await this.each(parts, 1, signal, async (part, own) => {
      await part.run(() => this.pending.load(part, own), own);
      if ((part.state === 'away' || !this.#looked.has(part.number)) && !(await this.#lookInto(part, own))) empty.push(part);
      if (part.state === 'away') {
        part.cameBack();
        this.runtime.logger.info('storage.part.back', { location: this.name, part: part.name, behind: this.pending.missed(part).objects });
      }
    });
    // Whose notes are not known is not to be believed.
    for (const { part, error } of failedIn(outcomes)) part.leave(error);
    await this.#noteEmptied(empty, signal);
    return doneIn(outcomes).map(({ part }) => part);
  }

  /** Whether it holds anything at all. */
  async #lookInto(part: Part, signal: AbortSignal): Promise<boolean> {
    const holds = await part.run(async (location) => (await firstOf(location.list('', { signal }))) !== undefined, signal);
    this.#looked.add(part.number);
    if (holds) this.#holding.add(part.number);
    return holds;
  }

  /** A part that holds nothing, beside others that do, is a disk that was replaced, or one that is new: it missed everything, and nobody noted it. */
  async #noteEmptied(empty: readonly Part[], signal: AbortSignal): Promise<void> {
    const holders = this.present.filter((part) => this.#holding.has(part.number) && !empty.includes(part));
    if (holders.length === 0) return;
    for (const part of empty) {
      await this.pending.addFull(part, holders, 1, signal);
      this.runtime.logger.warn('storage.part.empty', { location: this.name, part: part.name });
      this.onWork();
    }
  }

  each<T>(
    parts: readonly Part[],
    enough: number,
    signal: AbortSignal,
    call: (part: Part, signal: AbortSignal) => Promise<T>,
  ): Promise<Outcome<T>[]> {
    return onEach(parts, call, { enough, clock: this.runtime.clock, patience: { stragglerMs: this.stragglerMs }, signal });
  }

  /** Those that a change goes to: who is away only when the others are too few. */
  forChange(): Part[] {
    return this.present.length >= this.writeMin ? this.present : [...this.parts];
  }

  /** Ends a change: notes who missed it, durably, where enough did not. @throws what a part said when they were too few */
  async conclude(
    key: string,
    outcomes: readonly Outcome<unknown>[],
    sizeBytes: number,
    signal: AbortSignal,
    { removal = false }: { readonly removal?: boolean } = {},
  ): Promise<void> {
    const done = doneIn(outcomes).map(({ part }) => part);
    const missing = this.parts.filter((part) => !done.includes(part));
    if (done.length < this.writeMin) {
      if (done.length > 0) this.suspect(key);
      throw this.tooFew(key, outcomes);
    }
    if (missing.length > 0) {
      await this.seeNotes(key, done, signal);
      await this.pending.add(key, missing, { stamp: this.stamps.next(), sizeBytes }, done, this.writeMin, signal);
      this.runtime.logger.warn('storage.change.missed', { location: this.name, key, parts: missing.map(({ name }) => name) });
    }
    // What was noted before is over: who believed it later would take the others' word, and lose what they lose. A removal leaves it to those
    // who repair, as one of them may be about to write what was removed.
    else if (!removal && this.pending.has(key)) await this.pending.clear(key, this.parts, signal).catch(() => signal.throwIfAborted());
    for (const part of done) this.suspects.get(key)?.delete(part.number);
    if (missing.length > 0 || this.pending.has(key)) this.onWork();
  }

  /** Reads what others noted of a key, so that what is noted next is later, however far the clocks of the writers are apart. */
  async seeNotes(key: string, holders: readonly Part[], signal: AbortSignal): Promise<void> {
    const looks = await this.readNotes(key, holders, signal);
    // So many that one of them was there whenever enough others were; less than half can not promise that.
    if (doneIn(looks).length < Math.min(this.writeMin, this.parts.length - this.writeMin + 1)) throw this.tooFew(key, looks);
  }

  /** What these parts have noted of a key by now. */
  readNotes(key: string, parts: readonly Part[], signal: AbortSignal): Promise<Outcome<void>[]> {
    return this.each(parts, parts.length, signal, (part, own) => part.run(() => this.pending.load(part, own, key), own));
  }

  /** Why a change is not done, as an error that its caller can act on. */
  tooFew(key: string, outcomes: readonly Outcome<unknown>[]): unknown {
    const failed = failedIn(outcomes);
    const first = failed.find(({ error }) => error instanceof HoldfastError && !error.retryable) ?? failed[0];
    // All say the same, or what is said can not pass: that is the answer.
    if (first !== undefined && (failed.length === this.parts.length || (first.error instanceof HoldfastError && !first.error.retryable)))
      return first.error;
    return this.unreachable(key, `${this.writeMin} of ${this.parts.length} locations must have it`, first?.error);
  }

  unreachable(key: string, why: string, cause?: unknown): HoldfastError {
    const away = this.parts.filter((part) => !part.present).map(({ name }) => name);
    return new HoldfastError(
      'STORAGE_UNREACHABLE',
      `${key} in ${this.name}: ${why}${away.length > 0 ? `; away: ${away.join(', ')}` : ''}`,
      {
        retryable: true,
        hint: 'Bring the locations that are away back; `holdfast status` tells what each says.',
        ...(cause !== undefined && { cause }),
      },
    );
  }

  /** A removal can not be forgotten: where it can not be noted any more, it is refused. */
  assertRemovalsCanBeNoted(): void {
    const part = this.parts.find((one) => !one.present && this.pending.isFull(one));
    if (part === undefined) return;
    throw new HoldfastError(
      'STORAGE_BEHIND',
      `${this.name} removes nothing: ${part.name} is away and has missed more changes than are noted`,
      {
        retryable: true,
        hint: `Bring ${part.name} back, or take it out of ${this.name} in the configuration.`,
      },
    );
  }

  /** What was found wrong, or may be; it is healed in the background. */
  suspect(key: string, part?: Part): void {
    if (!this.suspects.has(key) && this.suspects.size >= suspectsMax) return;
    const known = this.suspects.get(key) ?? new Set();
    this.suspects.set(key, known);
    if (part !== undefined) known.add(part.number);
    this.onWork();
  }

  /** Everything that each part which answers lists, by number of the part. @throws when a key is known of which nobody who answers knows */
  async listings(prefix: string, least: number, signal: AbortSignal): Promise<Map<number, Map<string, ObjectInfo>>> {
    const parts = this.present.length >= least ? this.present : this.parts;
    const outcomes = await this.each(parts, parts.length, signal, async (part, own) => {
      const found = new Map<string, ObjectInfo>();
      await part.run(async (location) => {
        for await (const info of location.list(prefix, { signal: own })) if (!info.key.startsWith(this.reserved)) found.set(info.key, info);
      }, own);
      return found;
    });
    const listed = doneIn(outcomes);
    if (listed.length < least) throw this.unreachable(`${prefix}*`, `${least} locations must list it`, failedIn(outcomes)[0]?.error);
    return new Map(listed.map(({ part, value }) => [part.number, value]));
  }

  status(readable: number): LocationStatus {
    const parts = this.parts.map((part): LocationStatus => {
      const own = part.location.status();
      const { objects, bytes } = this.pending.missed(part);
      const late = objects > 0 || this.pending.doubtful.has(part.number);
      const state =
        part.state === 'away' || own.state === 'away'
          ? 'away'
          : part.state === 'degraded' || late || own.state === 'degraded'
            ? 'degraded'
            : 'ok';
      const behind = this.pending.doubtful.has(part.number) ? 'all of it is being compared with the others' : `${objects} changes behind`;
      const message = part.message || own.message || (late ? behind : '');
      return { name: part.name, state, message, behindObjects: objects, behindBytes: bytes, parts: own.parts };
    });
    const away = parts.filter(({ state }) => state === 'away').length;
    const bad = parts.filter(({ state }) => state !== 'ok');
    return {
      name: this.name,
      state: this.parts.length - away < readable ? 'away' : bad.length > 0 ? 'degraded' : 'ok',
      message: bad.map(({ name, message }) => `${name}: ${message}`).join('; '),
      behindObjects: Math.max(...parts.map(({ behindObjects }) => behindObjects)),
      behindBytes: Math.max(...parts.map(({ behindBytes }) => behindBytes)),
      parts,
    };
  }
}

async function firstOf<T>(all: AsyncIterable<T>): Promise<T | undefined> {
  for await (const one of all) return one;
  return undefined;
}

async function settled(promise: Promise<void>): Promise<boolean> {
  return await promise.then(
    () => true,
    () => false,
  );
}

function assertNames(name: string, locations: readonly Location[]): void {
  const names = locations.map((location) => location.name);
  const bad = [name, ...names].find((one) => !namePattern.test(one));
  if (bad !== undefined) throw new RangeError(`'${bad}' can not be part of keys: 1 to 40 characters of [A-Za-z0-9._-]`);
  if (new Set(names).size < names.length) throw new RangeError(`the locations of ${name} need different names, not ${names.join(', ')}`);
  if (names.length < 1 || names.length > partsMax)
    throw new RangeError(`${name} can be made of 1 to ${partsMax} locations, not ${names.length}`);
}

function reservedKey(name: string, key: string): HoldfastError {
  return new HoldfastError('STORAGE_BAD_KEY', `${key} begins with what ${name} keeps for itself`, { hint: 'Use another key.' });
}
