import * as fs from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { HoldfastError } from '../../../core/errors.ts';
import type { FileId } from '../../repository.ts';
import { look } from '../fs.ts';
import { codeOf, fsPath, joinPath } from '../path.ts';

/** In a target from the first byte to the last: who finds it knows that what lies there is not all, and of which snapshot it is. */
export const unfinishedMark = '.holdfast-restore-unfinished';

/**
 * Makes the directory that is restored into. One with something in it is refused unless `mayHold`, or it holds an unfinished restore of the same
 * snapshot, which goes on.
 * @throws BACKUP_TARGET_NOT_EMPTY, BACKUP_TARGET_UNUSABLE
 */
export async function prepareTarget(
  target: string,
  snapshot: FileId,
  mayHold: boolean,
): Promise<{ readonly path: string; readonly isEmpty: boolean }> {
  const path = resolve(target);
  try {
    await makeDirectories(path);
    const real = await fs.realpath(path);
    const names = await fs.readdir(real);
    const isUnfinished = names.includes(unfinishedMark) && (await fs.readFile(joinPath(real, unfinishedMark), 'utf8')).trim() === snapshot;
    if (names.length > 0 && !mayHold && !isUnfinished) {
      throw new HoldfastError('BACKUP_TARGET_NOT_EMPTY', `${path} is not empty`, {
        hint: 'name an empty directory, or say that what differs there may be overwritten: --overwrite',
      });
    }
    return { path: real, isEmpty: names.length === 0 };
  } catch (error) {
    if (error instanceof HoldfastError || codeOf(error) === '') throw error;
    throw new HoldfastError('BACKUP_TARGET_UNUSABLE', `${path} can not be restored into: ${(error as Error).message}`, {
      hint: 'name a directory that this user may write to',
      cause: error,
    });
  }
}

/** mkdir's own `recursive` never returns where a directory is there and nothing can be made in it, as in /proc. */
async function makeDirectories(path: string): Promise<void> {
  try {
    await fs.mkdir(path, { mode: 0o700 });
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return;
    if (codeOf(error) !== 'ENOENT' || dirname(path) === path) throw error;
    await makeDirectories(dirname(path));
    await fs.mkdir(path, { mode: 0o700 });
  }
}

export async function markUnfinished(target: string, snapshot: FileId): Promise<void> {
  await fs.writeFile(joinPath(target, unfinishedMark), `${snapshot}\n`, { mode: 0o600 });
}

export async function unmark(target: string): Promise<void> {
  await fs.rm(joinPath(target, unfinishedMark), { force: true });
}

/**
 * @param leastBytes what is needed if all goes well; asked for when there is not room for all
 * @throws BACKUP_NO_SPACE when so much more is not free
 */
export async function assertSpace(target: string, mostBytes: number, leastBytes: () => number): Promise<void> {
  const { bavail, bsize } = await fs.statfs(target);
  const freeBytes = bavail * bsize;
  if (mostBytes <= freeBytes) return;
  const neededBytes = Math.min(mostBytes, leastBytes());
  if (neededBytes <= freeBytes) return;
  const mib = (bytes: number): string => `${Math.ceil(bytes / 1_048_576)} MiB`;
  throw new HoldfastError('BACKUP_NO_SPACE', `${target} has ${mib(freeBytes)} free, and ${mib(neededBytes)} are to be written`, {
    hint: 'nothing was written: make room, restore elsewhere, or only a part with --include',
  });
}

/**
 * Makes a directory that is really one: what is in its place, above all a symbolic link that would lead out of the target, is removed.
 * Returns whether it was made.
 */
export async function makeDirectory(path: string): Promise<boolean> {
  try {
    await fs.mkdir(fsPath(path), { mode: 0o700 });
    return true;
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
  }
  if ((await look(path)).isDirectory()) return false;
  await fs.unlink(fsPath(path));
  await fs.mkdir(fsPath(path), { mode: 0o700 });
  return true;
}
