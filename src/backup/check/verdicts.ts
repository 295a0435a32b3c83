import type { BlobTable } from '../index/blob-table.ts';
import type { BlobId, BlobType } from '../repository.ts';

/** What a check has found of the entries of an index: a bit each, so that ten million of them are no burden. */
export class Verdicts {
  readonly table: BlobTable;
  /** Entries that are judged: others may add to the table meanwhile. */
  readonly size: number;
  readonly #bad: Uint8Array;
  readonly #used: Uint8Array;

  constructor(table: BlobTable) {
    this.table = table;
    this.size = table.size;
    this.#bad = new Uint8Array(Math.ceil(table.size / 8));
    this.#used = new Uint8Array(Math.ceil(table.size / 8));
  }

  /** The entry's blob can not be had from its pack. */
  markBad(ordinal: number): void {
    this.#bad[ordinal >> 3]! |= 1 << (ordinal & 7);
  }

  isBad(ordinal: number): boolean {
    return (this.#bad[ordinal >> 3]! & (1 << (ordinal & 7))) !== 0;
  }

  /** A snapshot needs the blob, wherever it lies. False when that was known. */
  markUsed(type: BlobType, id: BlobId): boolean {
    let isNew = false;
    for (const ordinal of this.table.ordinalsOf(type, id)) {
      const bit = 1 << (ordinal & 7);
      isNew ||= (this.#used[ordinal >> 3]! & bit) === 0;
      this.#used[ordinal >> 3]! |= bit;
    }
    return isNew;
  }

  isUsed(ordinal: number): boolean {
    return (this.#used[ordinal >> 3]! & (1 << (ordinal & 7))) !== 0;
  }

  /** Whether no pack has it whole, as far as was looked. */
  isLost(type: BlobType, id: BlobId): boolean {
    for (const ordinal of this.table.ordinalsOf(type, id)) if (!this.isBad(ordinal)) return false;
    return true;
  }
}
