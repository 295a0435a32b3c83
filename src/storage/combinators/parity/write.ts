import { hasCode } from '../../../core/errors.ts';
import { doneIn, type Outcome } from '../attempts.ts';
import { createAmong } from '../create-among.ts';
import type { Ensemble } from '../ensemble.ts';
import type { Part } from '../part.ts';
import { stampWallMs } from '../stamps.ts';
import type { ParityScheme } from './parity-scheme.ts';
import type { ParityReader } from './read.ts';
import { isDamage, type Shards, type Write } from './shards.ts';

/** Creations that failed and are remembered, so that this process may try again at once. */
const attemptsMax = 1_000;

/** Writes objects as shards. The caller gives each key its turn. */
export class ParityWriter {
  readonly #ensemble: Ensemble;
  readonly #shards: Shards;
  readonly #reader: ParityReader;
  /** Key, and the content that was to be created. */
  readonly #attempts = new Map<string, string>();

  constructor(ensemble: Ensemble, shards: Shards, reader: ParityReader) {
    this.#ensemble = ensemble;
    this.#shards = shards;
    this.#reader = reader;
  }

  /** Says whether it took the place of another object, so that shards of it may wait beside. */
  async put(key: string, object: Uint8Array, ifAbsent: boolean, signal: AbortSignal): Promise<{ replaced: boolean }> {
    const write = await this.#shards.encode(object);
    const { outcomes, replaced } = ifAbsent ? await this.#create(key, write, signal) : await this.#put(key, write, signal);
    await this.#ensemble.conclude(key, outcomes, Math.ceil(object.length / this.#shards.codec.data), signal);
    return { replaced };
  }

  async #create(key: string, write: Write, signal: AbortSignal): Promise<{ outcomes: Outcome<void>[]; replaced: boolean }> {
    const own = this.#attempts.get(key) === write.header.digest;
    this.#attempts.delete(key);
    const outcomes = await createAmong(this.#ensemble, key, signal, {
      create: (part, inner) => this.#shards.put(part, key, write, part.number, inner, true),
      replace: (part, inner) => this.#shards.put(part, key, write, part.number, inner),
      isFree: (part, inner) => this.#isRemnant(key, part, own, inner),
    });
    if (doneIn(outcomes).length < this.#ensemble.writeMin) {
      if (this.#attempts.size >= attemptsMax) this.#attempts.delete(this.#attempts.keys().next().value!);
      this.#attempts.set(key, write.header.digest);
    }
    return { outcomes, replaced: false };
  }

  /** Whether too few shards are there to make an object, and nobody else is about to add the others. */
  async #isRemnant(key: string, part: Part, own: boolean, signal: AbortSignal): Promise<boolean> {
    const there = await this.#reader.header(key, signal).then(
      () => true,
      (error: unknown) => !hasCode(error, 'STORAGE_NOT_FOUND'),
    );
    if (there) return false;
    if (own) return true;
    try {
      const { stamp } = await this.#shards.header(part, key, signal);
      return this.#ensemble.runtime.clock.wallMs() - stampWallMs(stamp) > this.#ensemble.graceMs;
    } catch (error) {
      return hasCode(error, 'STORAGE_NOT_FOUND') || isDamage(error);
    }
  }

  /** Creates, which is nearly always what is wanted; what is there with another content is replaced with care. */
  async #put(key: string, write: Write, signal: AbortSignal): Promise<{ outcomes: Outcome<void>[]; replaced: boolean }> {
    const outcomes = await this.#ensemble.each(this.#ensemble.forChange(), this.#ensemble.writeMin, signal, async (part, own) => {
      try {
        await this.#shards.put(part, key, write, part.number, own, true);
      } catch (error) {
        if (!hasCode(error, 'STORAGE_EXISTS') || !(await this.#isSame(part, key, write, own))) throw error;
        await this.#shards.put(part, key, write, part.number, own);
      }
    });
    const differs = outcomes.some((outcome) => 'error' in outcome && hasCode(outcome.error, 'STORAGE_EXISTS'));
    return differs ? { outcomes: await this.#replace(key, write, signal), replaced: true } : { outcomes, replaced: false };
  }

  /** Whether it holds a shard of the same content: that can be written over without care. */
  async #isSame(part: Part, key: string, write: Write, signal: AbortSignal): Promise<boolean> {
    try {
      const { digest, stamp } = await this.#shards.header(part, key, signal);
      this.#ensemble.stamps.saw(stamp);
      return digest === write.header.digest;
    } catch (error) {
      if (isDamage(error) || hasCode(error, 'STORAGE_NOT_FOUND')) return false;
      throw error;
    }
  }

  /**
   * Half-way through writing new shards over old ones neither object might be whole. So the new shards are first put beside them; only when
   * enough are durable there, the old ones are written over. Who finds a mixture takes what waits beside it.
   */
  async #replace(key: string, { header, payloads }: Write, signal: AbortSignal): Promise<Outcome<void>[]> {
    const { writeMin } = this.#ensemble;
    // Later than all that it replaces, whatever the clocks of their writers were: also than what one that died has left beside it.
    await this.#ensemble.seeNotes(key, this.#ensemble.forChange(), signal);
    const stamp = this.#ensemble.stamps.next();
    const { sizeBytes } = header;
    const write: Write = { header: { ...header, stamp }, payloads };
    const parts = await this.#ensemble.pending.addStaged(key, { stamp, sizeBytes }, this.#ensemble.forChange(), writeMin, signal);
    const at = this.#shards.stagedKey(key, stamp);
    const staged = await this.#ensemble.each(parts, writeMin, signal, (part, own) => this.#shards.put(part, at, write, part.number, own));
    if (doneIn(staged).length < writeMin) {
      this.#ensemble.suspect(key);
      throw this.#ensemble.tooFew(key, staged);
    }
    return await this.#ensemble.each(this.#ensemble.forChange(), writeMin, signal, (part, own) =>
      this.#shards.put(part, key, write, part.number, own),
    );
  }

  /** Before a removal: what some writer that is dead has left beside the object must not take its place later. */
  async dropStaged(key: string, scheme: ParityScheme, signal: AbortSignal): Promise<void> {
    const { present, pending, writeMin } = this.#ensemble;
    const looks = await this.#ensemble.readNotes(key, present, signal);
    const stamps = pending.staged(key);
    if (doneIn(looks).length < writeMin) throw this.#ensemble.tooFew(key, looks);
    if (stamps.length === 0) return;
    const drops = await this.#ensemble.each(present, writeMin, signal, async (part, own) => {
      await scheme.dropStaged(key, stamps, [part], own);
      await pending.clearStaged(key, stamps, [part], own);
    });
    if (doneIn(drops).length < writeMin) throw this.#ensemble.tooFew(key, drops);
  }
}
