import type { Clock } from '../../../core/clock.ts';
import { abortable } from '../../../core/abortable.ts';
import type { Client } from './client.ts';
import type { Connection } from './connection.ts';
import { toStoreError, ZooKeeperFailure } from './failure.ts';

/** How long a call tries to reach the ensemble before it says that it could not. */
export const CALL_MS_MAX = 5_000;

export interface CallOptions {
  readonly signal: AbortSignal;
  /** Whether doing it twice is as good as doing it once: then it is done again when the connection broke before the answer. */
  readonly repeatable: boolean;
}

/**
 * Runs `work` on a connection of `client`; all its requests go over that one. Done again on the next connection where that is safe.
 * @throws HoldfastError COORD_UNREACHABLE after CALL_MS_MAX or when nobody knows whether it was done; COORD_DENIED, COORD_UNSUITABLE; the signal's reason
 */
export async function call<T>(
  clock: Clock,
  client: Client,
  options: CallOptions,
  work: (connection: Connection) => Promise<T>,
): Promise<T> {
  const { signal, repeatable } = options;
  const deadlineMs = clock.monotonicMs() + CALL_MS_MAX;
  try {
    for (;;) {
      const connection = await client.connection({ signal, limitMs: Math.max(0, deadlineMs - clock.monotonicMs()) });
      try {
        return await abortable(work(connection), signal);
      } catch (error) {
        if (signal.aborted || !brokeSafely(error, connection, repeatable) || clock.monotonicMs() >= deadlineMs) throw error;
      }
    }
  } catch (error) {
    throw toStoreError(error);
  }
}

function brokeSafely(error: unknown, connection: Connection, repeatable: boolean): boolean {
  if (!(error instanceof ZooKeeperFailure) || !connection.closed.aborted) return false;
  return error.kind === 'away' || (repeatable && error.kind === 'lost');
}

/** Whether another connection may do better. */
export function isConnectionLoss(error: unknown): boolean {
  return error instanceof ZooKeeperFailure && (error.kind === 'away' || error.kind === 'lost' || error.kind === 'foreign');
}
