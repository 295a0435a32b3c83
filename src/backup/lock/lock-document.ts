// Locks as restic has them: doc/design.rst of restic/restic, "Locks".
import { damaged } from '../documents/damaged.ts';
import { formatJson } from '../documents/json.ts';
import type { Owner } from '../machine/owner.ts';
import type { FileId } from '../repository.ts';
import { timeFromMs, timeToMs } from '../tree/time.ts';

/** A lock that lies in a repository. */
export interface RepositoryLock {
  readonly id: FileId;
  /** When it was made or last refreshed, by its holder's clock. */
  readonly timeMs: number;
  readonly exclusive: boolean;
  readonly hostname: string;
  readonly username: string;
  readonly pid: number;
  /** When its file was written, by the clock of the store, where that tells. */
  readonly storedMs?: number;
}

/** Not refreshed for so long, its holder is taken for dead by everyone. */
export const staleAfterMs: number = 30 * 60 * 1000;

export function encodeLock(owner: Owner, exclusive: boolean, nowMs: number): string {
  const { hostname, username, pid, uid, gid } = owner;
  return formatJson({
    time: timeFromMs(nowMs),
    exclusive,
    hostname,
    username,
    pid,
    uid: uid === 0 ? undefined : uid,
    gid: gid === 0 ? undefined : gid,
  });
}

/** @throws BACKUP_DAMAGED */
export function decodeLock(id: FileId, document: Readonly<Record<string, unknown>>): RepositoryLock {
  const { time, exclusive, hostname, username, pid } = document;
  return {
    id,
    timeMs: parseTime(id, time),
    exclusive: exclusive === true,
    hostname: typeof hostname === 'string' ? hostname : '',
    username: typeof username === 'string' ? username : '',
    pid: typeof pid === 'number' ? pid : 0,
  };
}

/** What time it is: by our clock, and by that of the store as far as its files tell. */
export interface Now {
  readonly wallMs: number;
  readonly storeMs?: number | undefined;
}

/**
 * Whether its holder is gone: too long not refreshed, or a process of this machine that does not run. Clocks of hosts may differ: where the
 * store's own clock can be asked, it must agree.
 */
export function isStale({ timeMs, storedMs, hostname, pid }: RepositoryLock, owner: Owner, { wallMs, storeMs = wallMs }: Now): boolean {
  if (hostname === owner.hostname && !owner.isAlive(pid)) return true;
  return wallMs - timeMs > staleAfterMs && (storedMs === undefined || storeMs - storedMs > staleAfterMs);
}

export function describeLock({ id, timeMs, exclusive, hostname, username, pid }: RepositoryLock): string {
  const kind = exclusive ? 'exclusively ' : '';
  return `${kind}by process ${pid} of ${username || 'somebody'} on ${hostname || 'an unknown host'} since ${timeFromMs(timeMs)} (lock ${id.slice(0, 8)})`;
}

function parseTime(id: FileId, time: unknown): number {
  try {
    return timeToMs(typeof time === 'string' ? time : '');
  } catch (error) {
    throw damaged(`lock ${id}`, 'has no time', error);
  }
}
