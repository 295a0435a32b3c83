import type { DurableCell } from '../core/durable-cell.ts';
import type { PromiseRecord } from './records.ts';

/**
 * What this member has promised and seen, on its own disk. Only ever raised. A promise binds this member from the moment it is made, and is
 * spoken of once it is on disk.
 */
export class Promises {
  readonly #cell: DurableCell<PromiseRecord>;
  #onDisk: PromiseRecord = { promised: 0, seen: 0 };
  #wanted: PromiseRecord = this.#onDisk;
  #loading: Promise<void> | undefined;
  #writing: Promise<void> | undefined;

  constructor(cell: DurableCell<PromiseRecord>) {
    this.#cell = cell;
  }

  /** Reads what is on disk, once; nothing is written before. What was asked for meanwhile is kept, too. @throws CELL_DAMAGED */
  load(): Promise<void> {
    this.#loading ??= this.#read();
    return this.#loading;
  }

  async #read(): Promise<void> {
    this.#onDisk = (await this.#cell.read()) ?? this.#onDisk;
    this.#raise(this.#onDisk);
  }

  #raise({ promised = 0, seen = 0 }: Partial<PromiseRecord>): void {
    this.#wanted = { promised: Math.max(promised, this.#wanted.promised), seen: Math.max(seen, this.#wanted.seen) };
  }

  /** The highest promise on disk: what others may be told. */
  get promised(): number {
    return this.#onDisk.promised;
  }

  /** The highest promise made, on disk or on its way there: what this member keeps to. */
  get pledged(): number {
    return this.#wanted.promised;
  }

  get seen(): number {
    return this.#onDisk.seen;
  }

  /** Never lowers a promise; returns once it is on disk. @throws CELL_NOT_WRITTEN (nothing was promised then), CELL_DAMAGED */
  async promise(term: number): Promise<void> {
    this.#raise({ promised: term });
    await this.load();
    while (this.#onDisk.promised < term) await this.#write();
  }

  /** @throws CELL_NOT_WRITTEN, CELL_DAMAGED */
  async see(term: number): Promise<void> {
    this.#raise({ seen: term });
    await this.load();
    while (this.#onDisk.seen < term) await this.#write();
  }

  /** One write at a time, always of all that is wanted by then: two of them could each undo what the other raised. */
  #write(): Promise<void> {
    const write = async (): Promise<void> => {
      const next = this.#wanted;
      try {
        await this.#cell.write(next);
      } catch (error) {
        // Nobody was told of it. Kept to, it would hold this member to a term of which no leader knows that it has to go beyond it.
        this.#wanted = { ...this.#wanted, promised: this.#onDisk.promised };
        throw error;
      }
      this.#onDisk = next;
    };
    this.#writing ??= write().finally(() => (this.#writing = undefined));
    return this.#writing;
  }
}
