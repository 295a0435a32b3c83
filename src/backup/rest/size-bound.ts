import type { Clock } from '../../core/clock.ts';
import type { CallOptions, Location } from '../../storage/index.ts';
import { Refusal } from './answer.ts';

/** After this time everything is counted anew: others may write to the same location. */
const countedMsMax = 3_600_000;

/** Room for one object. What was not kept of it is given back when it is disposed of. */
export interface Allowance extends Disposable {
  /** It was stored, with so many bytes. */
  keep(bytes: number): void;
}

/** Bounds the bytes of all objects in a location. They are counted before the first change, then followed; exactly but for what is under way. */
export class SizeBound {
  readonly #location: Location;
  readonly #bytesMax: number;
  readonly #clock: Clock;
  #usedBytes = 0;
  #countedMs: number | undefined;
  #counting: Promise<void> | undefined;

  constructor(location: Location, bytesMax: number, clock: Clock) {
    this.#location = location;
    this.#bytesMax = bytesMax;
    this.#clock = clock;
  }

  /** @throws Refusal; what the location says while it is counted */
  async take(bytes: number, options: CallOptions): Promise<Allowance> {
    await this.#count(options);
    if (this.#usedBytes + bytes > this.#bytesMax) throw new Refusal(507, `no more than ${this.#bytesMax} bytes may be stored here`);
    this.#usedBytes += bytes;
    let unused = bytes;
    return {
      keep: (kept) => {
        unused = bytes - kept;
      },
      [Symbol.dispose]: () => {
        this.#usedBytes -= unused;
        unused = 0;
      },
    };
  }

  removed(bytes: number): void {
    this.#usedBytes -= bytes;
  }

  async #count(options: CallOptions): Promise<void> {
    if (this.#countedMs !== undefined && this.#clock.monotonicMs() - this.#countedMs < countedMsMax) return;
    // For all who come meanwhile; an abort of whoever began is a failure for them too, and their clients ask again.
    this.#counting ??= this.#sum(options).finally(() => (this.#counting = undefined));
    await this.#counting;
  }

  async #sum(options: CallOptions): Promise<void> {
    const beforeBytes = this.#usedBytes;
    let sum = 0;
    for await (const { sizeBytes } of this.#location.list('', options)) sum += sizeBytes;
    // What was taken or removed meanwhile counts as well.
    this.#usedBytes += sum - beforeBytes;
    this.#countedMs = this.#clock.monotonicMs();
  }
}
