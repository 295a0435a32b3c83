import { randomBytes } from 'node:crypto';
import type { Clock } from '../../core/clock.ts';

/** Before every stamp of a change: what is noted without one. */
export const STAMP_NONE: string = '0'.repeat(32);

const countMax = 0xffff;

/**
 * Puts changes in an order: 32 hexadecimal digits, milliseconds since 1970 (12), a counter (4), the writer (16); greater is later. A stamp is
 * after all that this writer gave or saw, whatever the clocks of others say. (A hybrid logical clock: S. Kulkarni et al., "Logical Physical
 * Clocks and Consistent Snapshots in Globally Distributed Databases", 2014.)
 */
export class Stamps {
  readonly #clock: Clock;
  readonly #writer: string;
  #timeMs = 0;
  #count = 0;

  /** @param writer 16 hexadecimal digits that no other writer has */
  constructor(clock: Clock, writer: string = randomBytes(8).toString('hex')) {
    this.#clock = clock;
    this.#writer = writer;
  }

  next(): string {
    const wallMs = Math.max(0, Math.floor(this.#clock.wallMs()));
    if (wallMs > this.#timeMs) [this.#timeMs, this.#count] = [wallMs, 0];
    else if (this.#count < countMax) this.#count += 1;
    else [this.#timeMs, this.#count] = [this.#timeMs + 1, 0];
    return hex(this.#timeMs, 12) + hex(this.#count, 4) + this.#writer;
  }

  isOwn(stamp: string): boolean {
    return stamp.endsWith(this.#writer);
  }

  /** Whatever is stamped from now on is after this. */
  saw(stamp: string): void {
    const timeMs = Number.parseInt(stamp.slice(0, 12), 16);
    const count = Number.parseInt(stamp.slice(12, 16), 16);
    if (timeMs > this.#timeMs || (timeMs === this.#timeMs && count > this.#count)) [this.#timeMs, this.#count] = [timeMs, count];
  }
}

/** When a stamp was given, by its writer's clock. */
export function stampWallMs(stamp: string): number {
  return Number.parseInt(stamp.slice(0, 12), 16);
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, '0');
}
