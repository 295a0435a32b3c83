import { HoldfastError } from '../../../core/errors.ts';
import { busy, denied, full, unreachable, unsuitable } from '../../failures.ts';

/** The name of a system call's error (errno(3)); undefined for any other error. */
export function errnoOf(error: unknown): string | undefined {
  const { code, syscall } = (error ?? {}) as NodeJS.ErrnoException;
  return typeof code === 'string' && syscall !== undefined ? code : undefined;
}

/** Nothing is there: no entry, or what would be its directory is a file. */
export function isMissing(error: unknown): boolean {
  return ['ENOENT', 'ENOTDIR'].includes(errnoOf(error) ?? '');
}

/** In the words of a location what a file system said; anything else as it is. */
export function explainErrno(location: string, error: unknown): unknown {
  if (error instanceof HoldfastError) return error;
  switch (errnoOf(error)) {
    case undefined:
      return error;
    case 'ENOSPC':
    case 'EDQUOT':
    case 'EFBIG':
      return full(location, error);
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return denied(location, error, { hint: 'The directory and all in it must belong to the account that Holdfast runs as.' });
    case 'EMFILE':
    case 'ENFILE':
    case 'ENOMEM':
    case 'EAGAIN':
      return busy(location, error);
    case 'ELOOP':
    case 'ENOTDIR':
    case 'EISDIR':
    case 'ENAMETOOLONG':
    case 'EXDEV':
    case 'EINVAL':
      return unsuitable(location, error);
    default:
      return unreachable(location, error, { hint: 'Is its disk mounted, and does it work? See the log of the kernel.' });
  }
}
