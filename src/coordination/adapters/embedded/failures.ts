import { HoldfastError, messageOf } from '../../../core/errors.ts';
import type { Failure } from './protocol.ts';

// Primary result codes of SQLite, sqlite.org/rescode.html.
const permission = 3;
const busy = 5;
const locked = 6;
const readOnly = 8;
const corrupt = 11;
const notDatabase = 26;

const hints = {
  COORD_DENIED: 'Give this user the right to read and write the file of the embedded store and its directory.',
  COORD_UNSUITABLE: 'The file is damaged or something else: stop all who use it, move it aside, start again.',
  COORD_UNREACHABLE: 'Look at the disk of the embedded store: is it full, failing, or gone?',
} as const;

/** Whether another process has the file locked: this passes by itself. */
export function isBusy(error: unknown): boolean {
  const code = resultCode(error);
  return code === busy || code === locked;
}

/** What went wrong with the file, for the other thread; undefined: nothing that is known to go wrong. */
export function failureOf(error: unknown, file: string): Failure | undefined {
  if (error instanceof HoldfastError && error.code in hints)
    return { code: error.code as Failure['code'], message: error.message, hint: error.hint };
  const code = codeOf(error);
  return code && { code, message: `the embedded store ${file} does not answer: ${messageOf(error)}`, hint: hints[code] };
}

export function errorOf({ code, message, hint }: Failure): HoldfastError {
  return new HoldfastError(code, message, { hint, retryable: code === 'COORD_UNREACHABLE' });
}

function codeOf(error: unknown): Failure['code'] | undefined {
  switch ((error as NodeJS.ErrnoException).code) {
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return 'COORD_DENIED';
    case 'EISDIR':
    case 'ELOOP':
    case 'ENXIO':
      return 'COORD_UNSUITABLE';
    default:
  }
  switch (resultCode(error)) {
    case undefined:
      return undefined;
    case permission:
    case readOnly:
      return 'COORD_DENIED';
    case corrupt:
    case notDatabase:
      return 'COORD_UNSUITABLE';
    default:
      return 'COORD_UNREACHABLE';
  }
}

/** Without what the extended codes add. */
function resultCode(error: unknown): number | undefined {
  const { errcode } = error as { errcode?: unknown };
  return typeof errcode === 'number' ? errcode & 0xff : undefined;
}
