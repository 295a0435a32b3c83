/**
 * An expected failure. Every code is tabled in docs/errors.md with its cause and remedy.
 * A broken invariant is not a HoldfastError but an assertion.
 */
export class HoldfastError extends Error {
  /** `AREA_WHAT`, for example `COORD_UNREACHABLE`: stable across releases, safe to match on. */
  readonly code: string;
  /** Whether the same call may succeed later without anyone changing anything. */
  readonly retryable: boolean;
  /** What the reader should do next, as one sentence; empty where the message says it all. */
  readonly hint: string;

  constructor(code: string, message: string, options: { retryable?: boolean; hint?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'HoldfastError';
    this.code = code;
    this.retryable = options.retryable ?? false;
    this.hint = options.hint ?? '';
  }
}

/** Whether `error` is a HoldfastError with this code. */
export function hasCode(error: unknown, code: string): error is HoldfastError {
  return error instanceof HoldfastError && error.code === code;
}

/** The one-line text of anything thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
