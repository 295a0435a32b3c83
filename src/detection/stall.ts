/**
 * Notices that this process itself did not run for a while: a tick that comes late by more than `stallMs`, or a boot clock that ran ahead
 * of the monotonic one (a suspended machine). Whoever stalled must not judge others by their silence.
 */
export class StallWatch {
  readonly #stallMs: number;
  #expectedMs: number | undefined;
  #skewMs: number | undefined;

  constructor(stallMs: number) {
    this.#stallMs = stallMs;
  }

  /**
   * Call on every turn of the loop.
   * @param nextMs how long the loop means to sleep until the next call
   * @returns how long it was stalled before this call; 0 when it was not
   */
  tick(monotonicMs: number, bootMs: number, nextMs: number): number {
    const late = this.#expectedMs === undefined ? 0 : monotonicMs - this.#expectedMs;
    const skewMs = bootMs - monotonicMs;
    const suspended = this.#skewMs === undefined ? 0 : skewMs - this.#skewMs;
    this.#expectedMs = monotonicMs + nextMs;
    this.#skewMs = skewMs;
    const stalled = Math.max(late, suspended);
    return stalled > this.#stallMs ? stalled : 0;
  }
}
