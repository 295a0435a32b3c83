import { HoldfastError } from '../core/errors.ts';
import type { Runtime } from '../core/runtime.ts';
import { formatSizeBytes } from '../core/units.ts';
import type { LocationConfig } from './config.ts';
import { openLocation } from './registry.ts';

/** A location is counted as seldom: every object of it is listed. */
const countedForMs = 10 * 60_000;

/** Whether there is room for another backup in a location, by the `limits.size` of all that it is made of. */
export class Quota {
  readonly #locations: Readonly<Record<string, LocationConfig>>;
  readonly #runtime: Runtime;
  readonly #counted = new Map<string, { readonly usedBytes: number; readonly atMs: number }>();

  constructor(locations: Readonly<Record<string, LocationConfig>>, runtime: Runtime) {
    this.#locations = locations;
    this.#runtime = runtime;
  }

  /**
   * To be asked before a backup is begun. One that can not be counted, as it is away, refuses nothing.
   * @throws STORAGE_QUOTA
   */
  async admit(name: string, options: { readonly signal: AbortSignal }): Promise<void> {
    for (const [part, sizeBytesMax] of this.#limited(name, [])) {
      const usedBytes = await this.#used(part, options.signal);
      if (usedBytes === undefined || usedBytes < sizeBytesMax) continue;
      const [used, most] = [usedBytes, sizeBytesMax].map(formatSizeBytes);
      throw new HoldfastError('STORAGE_QUOTA', `${used} lie in location '${part}', and ${most} may: no backup was begun`, {
        hint: `Keep fewer copies (backup.keep, \`holdfast forget --prune\`), or allow more: locations.${part}.limits.size.`,
      });
    }
  }

  *#limited(name: string, above: readonly string[]): Generator<[string, number]> {
    const config = Object.hasOwn(this.#locations, name) ? this.#locations[name] : undefined;
    if (config === undefined || above.includes(name)) return;
    if (config.limits?.size !== undefined) yield [name, config.limits.size];
    for (const part of config.mirror ?? config.parity?.over ?? []) yield* this.#limited(part, [...above, name]);
  }

  async #used(name: string, signal: AbortSignal): Promise<number | undefined> {
    const { clock, logger } = this.#runtime;
    const known = this.#counted.get(name);
    if (known !== undefined && clock.monotonicMs() - known.atMs < countedForMs) return known.usedBytes;
    let usedBytes = 0;
    try {
      await using location = await openLocation(name, this.#locations, this.#runtime, { signal });
      for await (const { sizeBytes } of location.list('', { signal })) usedBytes += sizeBytes;
    } catch (error) {
      signal.throwIfAborted();
      logger.warn('storage.quota.not-counted', { location: name, error: (error as Error).message });
      return undefined;
    }
    this.#counted.set(name, { usedBytes, atMs: clock.monotonicMs() });
    return usedBytes;
  }
}
