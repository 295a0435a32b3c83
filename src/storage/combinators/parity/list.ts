import type { ObjectInfo } from '../../location.ts';
import type { Ensemble } from '../ensemble.ts';
import { sizeOfObject, sizeOfSingle } from './shard.ts';

/**
 * Objects of which enough parts list a shard. Sizes come from the lengths of the shards; where those do not fit together, from `stat`.
 * @throws STORAGE_UNREACHABLE where more parts are away than the code can do without, or only those that are away know of an object
 */
export async function* listObjects(
  ensemble: Ensemble,
  needed: number,
  prefix: string,
  stat: (key: string) => Promise<ObjectInfo | undefined>,
  signal: AbortSignal,
): AsyncGenerator<ObjectInfo> {
  const { pending } = ensemble;
  const listings = [...(await ensemble.listings(prefix, needed, signal))];
  const keys = new Set(listings.flatMap(([, listing]) => [...listing.keys()]));
  for (const key of keys) {
    signal.throwIfAborted();
    const behind = pending.behind(key);
    const shards = listings.flatMap(([index, listing]) => {
      const info = behind.has(index) ? undefined : listing.get(key);
      return info === undefined ? [] : [{ index, bytes: info.sizeBytes, modifiedMs: info.modifiedMs }];
    });
    if (shards.length > 0 && shards.length < needed && pending.isAcknowledged(key) && listings.length < ensemble.parts.length)
      throw ensemble.unreachable(key, `${shards.length} shards answer, ${needed} are needed`);
    if (shards.length < needed) continue;
    const sizeBytes = commonSize(needed, shards);
    const { modifiedMs } = shards[0]!;
    const info = sizeBytes === undefined ? await stat(key) : { key, sizeBytes, ...(modifiedMs !== undefined && { modifiedMs }) };
    if (info !== undefined) yield info;
  }
  const unknown = pending.keys().find((key) => key.startsWith(prefix) && listings.every(([part]) => pending.behind(key).has(part)));
  if (unknown !== undefined) throw ensemble.unreachable(unknown, 'those that know of its last change do not answer');
}

/** The size that all lengths tell alike. */
function commonSize(data: number, shards: readonly { index: number; bytes: number }[]): number | undefined {
  const [first, ...others] = shards;
  const sizes = data === 1 ? shards.map(({ bytes }) => sizeOfSingle(bytes)) : others.map((other) => sizeOfObject(data, first!, other));
  return sizes.every((size) => size === sizes[0]) ? sizes[0] : undefined;
}
