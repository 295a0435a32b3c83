/** A running timer; disposing of it before it fires means that it never fires. */
export interface Timer extends Disposable {
  readonly fired: boolean;
}

/**
 * Time as a port. Durations and deadlines come from `monotonicMs`, stamps for people from `wallMs`.
 * The three scales have unrelated origins and are never mixed.
 */
export interface Clock {
  /** Milliseconds, fractional, never going back; stands still while the machine is suspended. */
  monotonicMs(): number;
  /** Milliseconds since boot, suspension included; about 10 ms fine. Comparable between processes of one boot. */
  bootMs(): number;
  /** Milliseconds since 1970-01-01 UTC; may jump either way. */
  wallMs(): number;
  /** Runs `callback` once, not before `delayMs` have passed. A real timer may be late without limit. */
  after(delayMs: number, callback: () => void): Timer;
  /**
   * Resolves after `delayMs`.
   * @throws the signal's reason as soon as `signal` aborts
   */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void>;
}
