/**
 * The self-fence of a member, as a port: a second process that ends the member's whole process tree when a deadline passes, whatever
 * happens to this one. `failover/guard/` is the real one.
 */
export interface Fence extends AsyncDisposable {
  /** Process id for the status; undefined while none runs. */
  readonly pid: number | undefined;
  /** Returns only once the guard has confirmed this deadline (boot time, ms): before anything may take writes. Starts or attaches to a guard. */
  arm(deadlineBootMs: number | 'never'): Promise<void>;
  /** Moves the deadline, without waiting. When asked often, a later one may be passed on some hundred milliseconds later. */
  renew(deadlineBootMs: number | 'never'): void;
  /** The database is stopped for good: the guard is no longer needed. */
  end(): Promise<void>;
}
