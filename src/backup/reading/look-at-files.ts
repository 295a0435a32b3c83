// What the system says of many files, on a thread: a call for each through the event loop takes ten times as long.
import { lstatSync } from 'node:fs';
import type { CallOptions } from '../../storage/index.ts';
import { fsPath } from '../files/path.ts';
import type { WorkerPool } from '../workers/pool.ts';

export interface FileLook {
  /** A plain file without further names. */
  readonly isOwn: boolean;
  readonly sizeBytes: number;
  /** Of a file, on its disk now. */
  readonly allocatedBytes: number;
  readonly uid: number;
  readonly gid: number;
  /** st_mode. */
  readonly mode: number;
  readonly accessedNs: bigint;
  readonly modifiedNs: bigint;
}

/** Undefined where nothing can be seen, whatever the reason. Links are not followed. */
export function lookAtFiles(paths: readonly string[]): (FileLook | undefined)[] {
  return paths.map((path) => {
    try {
      const stats = lstatSync(fsPath(path), { bigint: true, throwIfNoEntry: false });
      return (
        stats && {
          isOwn: stats.isFile() && stats.nlink === 1n,
          sizeBytes: Number(stats.size),
          allocatedBytes: stats.isFile() ? Number(stats.blocks) * 512 : 0,
          uid: Number(stats.uid),
          gid: Number(stats.gid),
          mode: Number(stats.mode),
          accessedNs: stats.atimeNs,
          modifiedNs: stats.mtimeNs,
        }
      );
    } catch {
      return undefined;
    }
  });
}

/** What a thread looks at in one go. */
const pathsMax = 1024;
/** A look takes about as long as the work on so many bytes. */
const bytesOfLook = 4096;

export async function lookAtAll(
  pool: WorkerPool,
  paths: readonly string[],
  { signal }: CallOptions,
): Promise<readonly (FileLook | undefined)[]> {
  const all: (FileLook | undefined)[] = [];
  for (let at = 0; at < paths.length; at += pathsMax) {
    signal.throwIfAborted();
    const lot = paths.slice(at, at + pathsMax);
    const { looks } = await pool.run('look', { paths: lot }, lot.length * bytesOfLook);
    for (const look of looks) all.push(look);
  }
  return all;
}
