import type { Clock } from '../core/clock.ts';

/** Wrong secrets that one address may show in one window. */
const failuresMax = 20;
export const failureWindowMs = 60_000;
/** Addresses whose failures are counted; beyond that the longest known are forgotten. */
const addressesMax = 1_000;

/** Wrong secrets by the address that they came from, so that nobody can try as many as the line carries. */
export class FailedTries {
  readonly #clock: Clock;
  readonly #failures = new Map<string, { count: number; readonly sinceMs: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  count(address: string): void {
    const current = this.#current(address) ?? { count: 0, sinceMs: this.#clock.monotonicMs() };
    current.count++;
    this.#failures.delete(address);
    this.#failures.set(address, current);
    if (this.#failures.size > addressesMax) this.#failures.delete(this.#failures.keys().next().value!);
  }

  /** More than anybody mistypes. */
  tooMany(address: string): boolean {
    return (this.#current(address)?.count ?? 0) > failuresMax;
  }

  #current(address: string): { count: number; readonly sinceMs: number } | undefined {
    const known = this.#failures.get(address);
    return known !== undefined && this.#clock.monotonicMs() - known.sinceMs < failureWindowMs ? known : undefined;
  }
}
