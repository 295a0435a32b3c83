import { HoldfastError } from '../../../core/errors.ts';
import { busy, denied, unreachable, unsuitable } from '../../failures.ts';

/** What a server answers instead of success (draft-ietf-secsh-filexfer-02, 7). */
export const sftpStatus = { endOfFile: 1, noSuchFile: 2, permissionDenied: 3, failure: 4, badMessage: 5, unsupported: 8 } as const;

/** The status that a server answered; undefined for any other error. */
export function statusOf(error: unknown): number | undefined {
  const { code } = (error ?? {}) as { code?: unknown };
  return typeof code === 'number' ? code : undefined;
}

export function isStatus(error: unknown, ...names: readonly (keyof typeof sftpStatus)[]): boolean {
  const status = statusOf(error);
  return names.some((name) => sftpStatus[name] === status);
}

/** Whether the library itself refused a request because the server has no such extension. */
export function isUnsupported(error: unknown): boolean {
  return isStatus(error, 'unsupported') || (error instanceof Error && error.message.includes('does not support this extended request'));
}

/** In the words of a location what a server answered; anything else as it is. */
export function explainSftp(location: string, error: unknown): unknown {
  if (error instanceof HoldfastError) return error;
  if (isUnsupported(error)) return unsuitable(location, error);
  switch (statusOf(error)) {
    case undefined:
      return error instanceof Error ? unreachable(location, error) : error;
    case sftpStatus.permissionDenied:
      return denied(location, error, { hint: 'The directory and all in it must belong to the user that logs in.' });
    case sftpStatus.noSuchFile:
      return unreachable(location, error);
    case sftpStatus.badMessage:
      return unsuitable(location, error);
    default:
      // The protocol has one word for all that fails on a server.
      return busy(location, error);
  }
}
