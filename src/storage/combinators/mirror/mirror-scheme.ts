import { createHash } from 'node:crypto';
import { hasCode, messageOf } from '../../../core/errors.ts';
import { damaged } from '../../failures.ts';
import type { Ensemble } from '../ensemble.ts';
import type { Part } from '../part.ts';
import { type Copy, holdersOf, type RepairPlan } from '../plan.ts';
import type { Meter, Scheme } from '../repair.ts';
import type { Verify } from './restic-keys.ts';

/** Of an object whose key tells what is in it: all good copies are the same. */
const versionByKey = 'by its key';

/** How copies of a mirror are looked at and made. */
export class MirrorScheme implements Scheme {
  readonly needed = 1;
  readonly holdsWholes = true;
  readonly #ensemble: Ensemble;
  readonly #verify: Verify;

  constructor(ensemble: Ensemble, verify: Verify) {
    this.#ensemble = ensemble;
    this.#verify = verify;
  }

  async observe(
    key: string,
    part: Part,
    { deep, signal, meter }: { deep: boolean; signal: AbortSignal; meter?: Meter | undefined },
  ): Promise<Copy> {
    try {
      const info = await part.run((location) => location.stat(key, { signal }), signal);
      if (info === undefined) return { state: 'absent' };
      // What a key says of no bytes at all, it says of any: whether it tells the content.
      if (!deep && this.#verify(key, new Uint8Array()) !== undefined) return this.#present(part, versionByKey);
      await meter?.(info.sizeBytes, signal);
      return this.judge(key, part, await part.run((location) => location.get(key, { signal }), signal));
    } catch (error) {
      signal.throwIfAborted();
      if (hasCode(error, 'STORAGE_NOT_FOUND')) return { state: 'absent' };
      if (hasCode(error, 'STORAGE_DAMAGED')) return { state: 'damaged', why: messageOf(error) };
      return { state: 'unreachable', why: messageOf(error) };
    }
  }

  judge(key: string, part: Part, bytes: Uint8Array): Copy {
    const verdict = this.#verify(key, bytes);
    if (verdict === false) return { state: 'damaged', why: 'its content is not what its key says' };
    return this.#present(part, verdict === true ? versionByKey : createHash('sha256').update(bytes).digest('hex'));
  }

  #present(part: Part, version: string): Copy {
    return { state: 'present', version, order: '', index: part.number };
  }

  async observeStaged(): Promise<readonly Copy[]> {
    return [];
  }

  async dropStaged(): Promise<void> {}

  async dropStrays(): Promise<void> {}

  async write(
    key: string,
    { version, targets }: RepairPlan & { verdict: 'write' },
    copies: readonly Copy[],
    signal: AbortSignal,
  ): Promise<void> {
    const sources = holdersOf(this.#ensemble.parts, copies, version);
    const bytes = await this.#readGood(key, sources, version, signal);
    await Promise.all(
      targets.map(({ part }) => this.#ensemble.parts[part]!.run((location) => location.put(key, [bytes], { signal }), signal)),
    );
  }

  async #readGood(key: string, sources: readonly Part[], version: string, signal: AbortSignal): Promise<Uint8Array> {
    let failure: unknown = damaged(this.#ensemble.name, key, 'has no good copy');
    for (const part of sources) {
      try {
        const bytes = await part.run((location) => location.get(key, { signal }), signal);
        const copy = this.judge(key, part, bytes);
        if (copy.state === 'present' && copy.version === version) return bytes;
        this.#ensemble.suspect(key, part);
      } catch (error) {
        signal.throwIfAborted();
        failure = error;
      }
    }
    throw failure;
  }
}
