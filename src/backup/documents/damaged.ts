import { HoldfastError } from '../../core/errors.ts';

/** Something is not what was written. @param what the thing, for example `index 1f3a…`; @param how `does not match its checksum` */
export function damaged(what: string, how: string, cause?: unknown): HoldfastError {
  return new HoldfastError('BACKUP_DAMAGED', `${what} ${how}`, {
    hint: '`holdfast check --read-data` lists all damage and what is lost by it.',
    ...(cause !== undefined && { cause }),
  });
}
