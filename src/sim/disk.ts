import type { Clock } from '../core/clock.ts';
import type { DurableCell } from '../core/durable-cell.ts';
import { HoldfastError } from '../core/errors.ts';
import type { SeededRandom } from './random.ts';

/** A machine's disk as far as small durable values go: what was written and not yet flushed when the writer was killed may be there or not. */
export class SimulatedDisk {
  readonly #random: SeededRandom;
  readonly #values = new Map<string, string>();
  /** How long a write takes at most. */
  writeMsMax = 4;
  /** Every write fails: the disk is full. */
  full = false;

  constructor(random: SeededRandom) {
    this.#random = random;
  }

  /** What is on the disk now. */
  peek(name: string): unknown {
    const text = this.#values.get(name);
    return text === undefined ? undefined : JSON.parse(text);
  }

  /** @param clock of the process that writes: killed or stalled half way, it goes no further */
  cell<T>(name: string, clock: Clock): DurableCell<T> {
    let last: Promise<void> = Promise.resolve();
    const write = async (text: string): Promise<void> => {
      await clock.sleep(this.writeMsMax * this.#random.next());
      if (this.full)
        throw new HoldfastError('CELL_NOT_WRITTEN', `'${name}' could not be written: no space left on device`, { retryable: true });
      this.#values.set(name, text);
      // Renamed; that the directory is flushed, too, is known only later.
      await clock.sleep((this.writeMsMax / 2) * this.#random.next());
    };
    return {
      read: async () => {
        await clock.sleep(this.writeMsMax / 4);
        const text = this.#values.get(name);
        return text === undefined ? undefined : (JSON.parse(text) as T);
      },
      write: (value) => {
        const text = JSON.stringify(value);
        const written = last.then(() => write(text));
        last = written.catch(() => {});
        return written;
      },
    };
  }
}
