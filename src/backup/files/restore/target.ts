import * as fs from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import { HoldfastError } from '../../../core/errors.ts';
import type { FileId } from '../../repository.ts';
import { look } from '../fs.ts';
import { codeOf, fsPath, joinPath } from '../path.ts';

/** In a target from the first byte to the last: who finds it knows that what lies there is not all, and of which snapshot it is. */
export const unfinishedMark = '.holdfast-restore-unfinished';

export interface Target {
  /** Without a symbolic link above its last existing directory. */
  readonly path: string;
  /** Or absent. */
  readonly isEmpty: boolean;
  /** It, or the directory in which it will be made. */
  readonly standing: string;
}

/**
 * Looks at the directory that is restored into, and changes nothing. One with something in it is refused unless `mayHold`, or it holds an
 * unfinished restore of the same snapshot, which goes on.
 * @throws BACKUP_TARGET_NOT_EMPTY, BACKUP_TARGET_UNUSABLE
 */
export async function lookAtTarget(target: string, snapshot: FileId, mayHold: boolean): Promise<Target> {
  const path = resolve(target);
  return await usable(path, async () => {
    const found = await standingOf(path);
    if (found.path !== found.standing) return { ...found, isEmpty: true };
    const names = await fs.readdir(found.path);
    const isUnfinished =
      names.includes(unfinishedMark) && (await fs.readFile(joinPath(found.path, unfinishedMark), 'utf8')).trim() === snapshot;
    if (names.length > 0 && !mayHold && !isUnfinished) {
      throw new HoldfastError('BACKUP_TARGET_NOT_EMPTY', `${path} is not empty`, {
        hint: 'name an empty directory, or say that what differs there may be overwritten: --overwrite',
      });
    }
    return { ...found, isEmpty: names.length === 0 };
  });
}

/** Makes it, with all above it that is absent. @throws BACKUP_TARGET_UNUSABLE */
export async function makeTarget({ path }: Target): Promise<void> {
  await usable(path, async () => {
    await makeDirectories(path);
    await fs.access(path, fs.constants.R_OK | fs.constants.W_OK | fs.constants.X_OK);
  });
}

/** Where a path really lies, and how far that is there. */
async function standingOf(path: string): Promise<{ readonly path: string; readonly standing: string }> {
  try {
    const standing = await fs.realpath(path);
    // Not a directory: told here, not when something is to be made in it.
    await fs.access(`${standing}/.`, fs.constants.R_OK | fs.constants.W_OK | fs.constants.X_OK);
    return { path: standing, standing };
  } catch (error) {
    if (codeOf(error) !== 'ENOENT' || dirname(path) === path) throw error;
  }
  const above = await standingOf(dirname(path));
  return { path: joinPath(above.path, basename(path)), standing: above.standing };
}

async function usable<Result>(path: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
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

/** What a restore writes to the disk of its target. */
export interface Room {
  readonly target: Target;
  readonly mostBytes: number;
  /** What is needed if all goes well; asked for when there is not room for all. */
  readonly leastBytes: () => number;
}

/**
 * Of several restores, one after the other, those to the same file system must have room together.
 * @throws BACKUP_NO_SPACE when so much more is not free
 */
export async function assertSpace(rooms: readonly Room[]): Promise<void> {
  const devices = await Promise.all(rooms.map(async ({ target }) => (await fs.stat(target.standing)).dev));
  for (const device of new Set(devices)) await assertDevice(rooms.filter((_, index) => devices[index] === device));
}

async function assertDevice(rooms: readonly Room[]): Promise<void> {
  const { path, standing } = rooms[0]!.target;
  const { bavail, bsize } = await fs.statfs(standing);
  const freeBytes = bavail * bsize;
  const sum = (of: (room: Room) => number): number => rooms.reduce((total, room) => total + of(room), 0);
  if (sum(({ mostBytes }) => mostBytes) <= freeBytes) return;
  const neededBytes = sum(({ mostBytes, leastBytes }) => Math.min(mostBytes, leastBytes()));
  if (neededBytes <= freeBytes) return;
  const mib = (bytes: number): string => `${Math.ceil(bytes / 1_048_576)} MiB`;
  throw new HoldfastError('BACKUP_NO_SPACE', `${path} has ${mib(freeBytes)} free, and ${mib(neededBytes)} are to be written`, {
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
