import { HoldfastError, messageOf } from '../core/errors.ts';

// What a location may fail with (see Location), said in the same way by every kind of it.

/** There is no such object. */
export function notFound(location: string, key: string): HoldfastError {
  return new HoldfastError('STORAGE_NOT_FOUND', `${location} has no object ${key}`);
}

/** There is one already, and it was to be created. */
export function alreadyExists(location: string, key: string): HoldfastError {
  return new HoldfastError('STORAGE_EXISTS', `${location} has an object ${key} already`);
}

/** What is stored is not what was put. @param problem such as `has 10 of its 12 bytes` */
export function damaged(location: string, key: string, problem: string, cause?: unknown): HoldfastError {
  return new HoldfastError('STORAGE_DAMAGED', `${key} in ${location} ${problem}`, {
    hint: 'Other copies heal it: `holdfast scrub`. Look after the disk below this location.',
    ...(cause !== undefined && { cause }),
  });
}

/** A range that reaches beyond the end. */
export function beyondEnd(location: string, key: string, endBytes: number, sizeBytes: number): HoldfastError {
  return damaged(location, key, `has ${sizeBytes} bytes and was to have at least ${endBytes}`);
}

interface Remedy {
  readonly hint?: string;
  readonly cause?: unknown;
}

/** The store can not be reached, or is not there; what was asked may or may not have happened. */
export function unreachable(location: string, why: unknown, remedy: Remedy & { readonly retryable?: boolean } = {}): HoldfastError {
  return failure('STORAGE_UNREACHABLE', `${location} can not be reached`, why, { retryable: true, ...remedy });
}

/** The store answers, but not now. */
export function busy(location: string, why: unknown, remedy: Remedy = {}): HoldfastError {
  return failure('STORAGE_BUSY', `${location} does not serve now`, why, { retryable: true, ...remedy });
}

export function denied(location: string, why: unknown, remedy: Remedy & { readonly retryable?: boolean } = {}): HoldfastError {
  return failure('STORAGE_DENIED', `${location} refuses access`, why, remedy);
}

export function full(location: string, why: unknown, remedy: Remedy = {}): HoldfastError {
  return failure('STORAGE_FULL', `${location} is full`, why, {
    hint: 'Make room or raise its quota; what is stored stays whole.',
    ...remedy,
  });
}

/** The store does not do what is needed. */
export function unsuitable(location: string, why: unknown, remedy: Remedy = {}): HoldfastError {
  return failure('STORAGE_UNSUITABLE', `${location} can not be used`, why, remedy);
}

function failure(code: string, what: string, why: unknown, remedy: Remedy & { readonly retryable?: boolean }): HoldfastError {
  const cause = remedy.cause ?? (why instanceof Error ? why : undefined);
  return new HoldfastError(code, `${what}: ${messageOf(why)}`, {
    retryable: remedy.retryable ?? false,
    ...(remedy.hint !== undefined && { hint: remedy.hint }),
    ...(cause !== undefined && { cause }),
  });
}
