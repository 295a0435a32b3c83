import { hostname, userInfo } from 'node:os';

/** Who holds a lock or made a key, as restic writes it down. */
export interface Owner {
  readonly hostname: string;
  readonly username: string;
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
  /** Whether a process of this machine runs. */
  isAlive(pid: number): boolean;
}

/** This process. */
export function thisProcess(): Owner {
  const { username, uid, gid } = userInfoOrNone();
  // Other systems than POSIX tell -1.
  return { hostname: hostname(), username, pid: process.pid, uid: Math.max(uid, 0), gid: Math.max(gid, 0), isAlive };
}

function isAlive(pid: number): boolean {
  if (!Number.isSafeInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // It is there, but somebody else's.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** In containers a user may have no name. */
function userInfoOrNone(): { readonly username: string; readonly uid: number; readonly gid: number } {
  try {
    return userInfo();
  } catch {
    return { username: '', uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
  }
}
