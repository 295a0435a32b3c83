import type { DurableCell } from '../core/durable-cell.ts';
import type { PromiseRecord } from './records.ts';

/** What this member has promised and seen, on its own disk: only ever raised, and on disk before anybody is told. */
export class Promises {
  readonly #cell: DurableCell<PromiseRecord>;
  #record: PromiseRecord = { promised: 0, seen: 0 };

  constructor(cell: DurableCell<PromiseRecord>) {
    this.#cell = cell;
  }

  /** @throws CELL_DAMAGED */
  async load(): Promise<void> {
    this.#record = (await this.#cell.read()) ?? this.#record;
  }

  get promised(): number {
    return this.#record.promised;
  }

  get seen(): number {
    return this.#record.seen;
  }

  /** Never lowers a promise; returns once it is on disk. @throws CELL_NOT_WRITTEN */
  async promise(term: number): Promise<void> {
    if (term > this.#record.promised) await this.#write({ ...this.#record, promised: term });
  }

  /** @throws CELL_NOT_WRITTEN */
  async see(term: number): Promise<void> {
    if (term > this.#record.seen) await this.#write({ ...this.#record, seen: term });
  }

  async #write(next: PromiseRecord): Promise<void> {
    await this.#cell.write(next);
    this.#record = { promised: Math.max(next.promised, this.#record.promised), seen: Math.max(next.seen, this.#record.seen) };
  }
}
