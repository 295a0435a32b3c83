import { hasCode } from '../../../core/errors.ts';
import { beyondEnd, damaged, notFound } from '../../failures.ts';
import type { ByteRange } from '../../location.ts';
import { askInTurn, doneIn, failedIn, type Outcome } from '../attempts.ts';
import { type Ensemble, roundsMax } from '../ensemble.ts';
import type { Part } from '../part.ts';
import type { ShardHeader } from './shard.ts';
import { type Group, groupShards, isDamage, type Shard, type Shards } from './shards.ts';

/** Headers remembered for parts of objects that are read again. */
const headersMax = 4096;

/** Reads objects from their shards: from as few parts as can be, from others where those fail. */
export class ParityReader {
  readonly #ensemble: Ensemble;
  readonly #shards: Shards;
  readonly #data: number;
  readonly #headers = new Map<string, ShardHeader>();

  constructor(ensemble: Ensemble, shards: Shards) {
    this.#ensemble = ensemble;
    this.#shards = shards;
    this.#data = shards.codec.data;
  }

  forget(key: string): void {
    this.#headers.delete(key);
  }

  async whole(key: string, signal: AbortSignal): Promise<Uint8Array> {
    const group = await this.#gather(key, signal, (part, at, own) => this.#shards.whole(part, at, own));
    return await this.#shards.join(key, [...group.shards.values()]);
  }

  /** A header of the object as it is now. */
  async header(key: string, signal: AbortSignal): Promise<ShardHeader> {
    const group = await this.#gather(key, signal, async (part, at, own) => ({ header: await this.#shards.header(part, at, own) }));
    return group.shards.values().next().value!.header;
  }

  /** A part of an object: from the data shards that hold it, or rebuilt from the same blocks of others. */
  async range(key: string, range: ByteRange, signal: AbortSignal): Promise<Uint8Array> {
    for (const header of [this.#headers.get(key), await this.#remembered(key, signal)]) {
      if (header === undefined) continue;
      if (range.offset + range.sizeBytes > header.sizeBytes) {
        // What is remembered may be of an object that has been replaced.
        if (this.#headers.get(key) !== header) throw beyondEnd(this.#ensemble.name, key, range.offset + range.sizeBytes, header.sizeBytes);
        this.forget(key);
        continue;
      }
      const found = await this.#blocks(key, header, range, signal);
      if (found !== undefined) return found;
      this.forget(key);
    }
    const object = await this.whole(key, signal);
    const end = range.offset + range.sizeBytes;
    if (end > object.length) throw beyondEnd(this.#ensemble.name, key, end, object.length);
    return object.slice(range.offset, end);
  }

  async #remembered(key: string, signal: AbortSignal): Promise<ShardHeader> {
    const known = this.#headers.get(key);
    if (known !== undefined) return known;
    const header = await this.header(key, signal);
    if (this.#headers.size >= headersMax) this.#headers.delete(this.#headers.keys().next().value!);
    this.#headers.set(key, header);
    return header;
  }

  /** Undefined where a shard is not what the header says. */
  async #blocks(key: string, header: ShardHeader, { offset, sizeBytes }: ByteRange, signal: AbortSignal): Promise<Uint8Array | undefined> {
    const payload = Math.ceil(header.sizeBytes / this.#data);
    const pieces: { index: number; from: number; end: number }[] = [];
    for (let at = offset; at < offset + sizeBytes;) {
      const index = Math.floor(at / payload);
      const from = at - index * payload;
      const end = Math.min(payload, from + offset + sizeBytes - at);
      pieces.push({ index, from, end });
      at += end - from;
    }
    const believed = this.#ensemble.believed(key);
    const read = await Promise.all(
      pieces.map(async ({ index, from, end }) => {
        const part = this.#ensemble.parts[index]!;
        if (part.present && believed.includes(part)) {
          try {
            const { first, bytes } = await this.#shards.blocks(part, key, { ...header, index }, from, end, signal);
            return bytes.subarray(from - first, end - first);
          } catch (error) {
            signal.throwIfAborted();
            if (isDamage(error)) this.#ensemble.suspect(key, part);
          }
        }
        return await this.#rebuilt(key, header, { index, from, end }, believed, signal);
      }),
    );
    return read.some((piece) => piece === undefined) ? undefined : Buffer.concat(read.map((piece) => piece!));
  }

  async #rebuilt(
    key: string,
    header: ShardHeader,
    { index, from, end }: { index: number; from: number; end: number },
    believed: readonly Part[],
    signal: AbortSignal,
  ): Promise<Uint8Array | undefined> {
    const others = believed.filter(({ number }) => number !== index);
    const outcomes = await askInTurn(
      others,
      async (part, own) => ({
        index: part.number,
        ...(await this.#shards.blocks(part, key, { ...header, index: part.number }, from, end, own)),
      }),
      { missing: (all) => this.#data - doneIn(all).length, hedgeMs: this.#ensemble.hedgeMs, clock: this.#ensemble.runtime.clock, signal },
    );
    const good = doneIn(outcomes).map(({ value }) => value);
    if (good.length < this.#data) return undefined;
    const sizeBytes = good[0]!.bytes.length;
    const [rebuilt] = await this.#shards.codec.rebuild(new Map(good.map((one) => [one.index, one.bytes])), [index], sizeBytes);
    return rebuilt!.subarray(from - good[0]!.first, end - good[0]!.first);
  }

  /**
   * Shards that make the object: the latest version of which enough can be had. As every write that was acknowledged is in more parts than
   * may be lost, any k shards tell of it; where they do not agree, all parts are asked.
   */
  async #gather<T extends { readonly header: ShardHeader }>(
    key: string,
    signal: AbortSignal,
    read: (part: Part, at: string, signal: AbortSignal) => Promise<T>,
  ): Promise<Group<T>> {
    for (let round = 1; ; round += 1) {
      const outcomes = await askInTurn(this.#ensemble.believed(key), (part, own) => read(part, key, own), {
        missing: (all) => this.#missing(groupShards(doneIn(all).map(({ value }) => value))),
        hedgeMs: this.#ensemble.hedgeMs,
        clock: this.#ensemble.runtime.clock,
        signal,
      });
      const found = this.#latest(doneIn(outcomes).map(({ value }) => value));
      if (found !== undefined) {
        this.#report(key, outcomes, found);
        return found;
      }
      const failure = this.#judge(key, outcomes);
      // In the midst of a replacement neither the old nor the new one may be whole, however few shards of either are left: then the new one is
      // beside them.
      if (doneIn(outcomes).length === 0) throw failure;
      const staged = await this.#staged(key, signal, read);
      if (staged !== undefined && !this.#mayBeLater(outcomes, staged.stamp)) return staged;
      // Nor may what was noted of a part be true any more.
      if (round === roundsMax || (round > 1 && !isDamage(failure))) throw failure;
    }
  }

  #missing<T extends { readonly header: ShardHeader }>(groups: readonly Group<T>[]): number {
    const most = Math.max(0, ...groups.map(({ shards }) => shards.size));
    return groups.length > 1 ? Math.max(1, this.#data - most) : this.#data - most;
  }

  #latest<T extends { readonly header: ShardHeader }>(shards: readonly T[]): Group<T> | undefined {
    return groupShards(shards).find((group) => group.shards.size >= this.#data);
  }

  async #staged<T extends { readonly header: ShardHeader }>(
    key: string,
    signal: AbortSignal,
    read: (part: Part, at: string, signal: AbortSignal) => Promise<T>,
  ): Promise<Group<T> | undefined> {
    const { present, pending } = this.#ensemble;
    await this.#ensemble.readNotes(key, present, signal);
    const places = pending.staged(key).flatMap((stamp) => present.map((part) => ({ part, at: this.#shards.stagedKey(key, stamp) })));
    const results = await Promise.allSettled(places.map(({ part, at }) => read(part, at, signal)));
    signal.throwIfAborted();
    if (places.length > 0) this.#ensemble.suspect(key);
    return this.#latest(results.filter((result) => result.status === 'fulfilled').map(({ value }) => value));
  }

  /** Whether a later write than this one was seen in part, and those that did not answer may have the rest: it was perhaps acknowledged. */
  #mayBeLater(outcomes: readonly Outcome<{ readonly header: ShardHeader }>[], stamp: string): boolean {
    const silent = failedIn(outcomes).filter(({ error }) => !isDamage(error) && !hasCode(error, 'STORAGE_NOT_FOUND')).length;
    const groups = groupShards(doneIn(outcomes).map(({ value }) => value));
    return groups.some((group) => group.stamp > stamp && group.shards.size + silent >= this.#data);
  }

  /** Has healed what was seen to be wrong on the way. */
  #report<T extends { readonly header: ShardHeader }>(key: string, outcomes: readonly Outcome<T>[], found: Group<T>): void {
    for (const { part, value } of doneIn(outcomes)) if (value.header.digest !== found.digest) this.#ensemble.suspect(key, part);
    for (const { part, error } of failedIn(outcomes))
      if (isDamage(error) || hasCode(error, 'STORAGE_NOT_FOUND')) this.#ensemble.suspect(key, part);
  }

  /** Why there is no object to be had: none exists, too much of it is damaged, or those that may have it do not answer. */
  #judge(key: string, outcomes: readonly Outcome<Shard | { readonly header: ShardHeader }>[]): unknown {
    const { parts, name } = this.#ensemble;
    const failed = failedIn(outcomes);
    const broken = failed.filter(({ error }) => isDamage(error));
    const held = doneIn(outcomes).length + broken.length;
    const absent = failed.filter(({ error }) => hasCode(error, 'STORAGE_NOT_FOUND')).length;
    const silent = failed.find(({ error }) => !isDamage(error) && !hasCode(error, 'STORAGE_NOT_FOUND'));
    const unknown = outcomes.length - held - absent;
    // Those that are behind do not count: what they have is old. Of a write that was acknowledged they are the only ones without it.
    const alike = Math.max(0, ...groupShards(doneIn(outcomes).map(({ value }) => value)).map(({ shards }) => shards.size));
    const certain =
      outcomes.length > 0 && alike + broken.length + unknown < this.#data && !(held > 0 && this.#ensemble.pending.isAcknowledged(key));
    if (certain || (held === 0 && absent > parts.length - this.#ensemble.writeMin)) return notFound(name, key);
    if (silent === undefined) return broken[0]?.error ?? damaged(name, key, `has ${held} shards that do not fit together`);
    return this.#ensemble.unreachable(key, `${held} shards answer, ${this.#data} are needed`, silent.error);
  }
}
