import { hasCode, messageOf } from '../../../core/errors.ts';
import { damaged } from '../../failures.ts';
import type { Ensemble } from '../ensemble.ts';
import type { Part } from '../part.ts';
import { type Copy, holdersOf, type RepairPlan } from '../plan.ts';
import type { Meter, Scheme } from '../repair.ts';
import { stampWallMs } from '../stamps.ts';
import { isDamage, type Shard, type Shards } from './shards.ts';

/** How shards are looked at and made anew. */
export class ParityScheme implements Scheme {
  readonly needed: number;
  readonly holdsWholes = false;
  readonly #ensemble: Ensemble;
  readonly #shards: Shards;

  constructor(ensemble: Ensemble, shards: Shards) {
    this.needed = shards.codec.data;
    this.#ensemble = ensemble;
    this.#shards = shards;
  }

  async observe(
    key: string,
    part: Part,
    { deep, signal, meter }: { deep: boolean; signal: AbortSignal; meter?: Meter | undefined },
  ): Promise<Copy> {
    try {
      const header = deep ? (await this.#shards.whole(part, key, signal, meter)).header : await this.#shards.header(part, key, signal);
      return { state: 'present', version: header.digest, order: header.stamp, index: header.index };
    } catch (error) {
      signal.throwIfAborted();
      if (hasCode(error, 'STORAGE_NOT_FOUND')) return { state: 'absent' };
      return { state: isDamage(error) ? 'damaged' : 'unreachable', why: messageOf(error) };
    }
  }

  async observeStaged(key: string, signal: AbortSignal): Promise<readonly Copy[]> {
    const looks = this.#ensemble.pending
      .staged(key)
      .flatMap((stamp) =>
        this.#ensemble.present.map((part) => this.observe(this.#shards.stagedKey(key, stamp), part, { deep: false, signal })),
      );
    return await Promise.all(looks);
  }

  async dropStaged(key: string, stamps: readonly string[], parts: readonly Part[], signal: AbortSignal): Promise<void> {
    const drops = stamps.flatMap((stamp) =>
      parts.map((part) => part.run((location) => location.remove(this.#shards.stagedKey(key, stamp), { signal }), signal)),
    );
    await Promise.all(drops);
  }

  async dropStrays(signal: AbortSignal): Promise<void> {
    const { graceMs, pending, present, reserved, runtime } = this.#ensemble;
    const beforeMs = runtime.clock.wallMs() - graceMs;
    for (const part of present) {
      const found = await part.run((location) => Array.fromAsync(location.list(`${reserved}staged/`, { signal })), signal);
      for (const { key } of found) {
        const stamp = key.slice(key.lastIndexOf('/') + 1);
        if (stampWallMs(stamp) < beforeMs && !pending.isStagedBy(stamp))
          await part.run((location) => location.remove(key, { signal }), signal);
      }
    }
  }

  async write(
    key: string,
    { version, targets }: RepairPlan & { verdict: 'write' },
    copies: readonly Copy[],
    signal: AbortSignal,
  ): Promise<void> {
    const sources = holdersOf(this.#ensemble.parts, copies, version);
    const shards = await this.#gather(key, version, sources, signal);
    const object = await this.#shards.join(key, shards);
    const payloads = await this.#shards.codec.split(object);
    const { header } = shards.reduce((latest, shard) => (shard.header.stamp > latest.header.stamp ? shard : latest));
    await Promise.all(
      targets.map(({ part, index }) => this.#shards.put(this.#ensemble.parts[part]!, key, { header, payloads }, index, signal)),
    );
  }

  /** Enough whole shards of one version, those that wait to replace others included. @throws STORAGE_DAMAGED where there are too few */
  async #gather(key: string, version: string, sources: readonly Part[], signal: AbortSignal): Promise<Shard[]> {
    const found = new Map<number, Shard>();
    const places = [
      ...sources.map((part) => ({ part, at: key })),
      ...this.#ensemble.pending
        .staged(key)
        .flatMap((stamp) => this.#ensemble.present.map((part) => ({ part, at: this.#shards.stagedKey(key, stamp) }))),
    ];
    for (const { part, at } of places) {
      if (found.size === this.needed) break;
      try {
        const shard = await this.#shards.whole(part, at, signal);
        if (shard.header.digest === version) found.set(shard.header.index, shard);
      } catch (error) {
        signal.throwIfAborted();
        if (at === key && isDamage(error)) this.#ensemble.suspect(key, part);
      }
    }
    if (found.size < this.needed) throw damaged(this.#ensemble.name, key, `has ${found.size} whole shards and needs ${this.needed}`);
    return [...found.values()];
  }
}
