import type { BigIntStats } from 'node:fs';
import { close, look, lookAt, openForReading, readAt } from './fs.ts';
import { codeOf, joinPath } from './path.ts';
import { judgePath, parsePattern, partsOf } from '../patterns/pattern.ts';

/** A directory with such a file is left out but for that file; with `header` only when the file begins so. */
export interface DirectoryMark {
  readonly name: string;
  readonly header?: string;
}

/** https://bford.info/cachedir/ */
export const cacheDirectoryMark: DirectoryMark = { name: 'CACHEDIR.TAG', header: 'Signature: 8a477f597d28d172789f06886806bc55' };

/** What is left out of a backup; as restic's --exclude, --iexclude, --exclude-if-present, --exclude-caches, --exclude-larger-than, --one-file-system. */
export interface SelectionOptions {
  readonly exclude?: readonly string[];
  /** What patterns can not say: whether an absolute path is left out. */
  readonly leavesOut?: (path: string) => boolean;
  readonly excludeIgnoringCase?: readonly string[];
  readonly excludeIfPresent?: readonly DirectoryMark[];
  readonly excludeCaches?: boolean;
  readonly excludeLargerThanBytes?: number;
  /** Stays on the file systems of the paths that were given; directories on which others are mounted are kept, empty. */
  readonly oneFileSystem?: boolean;
}

/** Judges what the walk meets; the paths that were given themselves are never left out. */
export interface Selection {
  /** Before it is looked at. `path` is absolute. */
  takesName(path: string): boolean;
  /** `rootDevice` and `parentDevice`: st_dev of the path that was given and of the directory it is in. */
  takes(stats: BigIntStats, rootDevice: bigint, parentDevice: bigint): boolean;
  /** The marks of a directory: when there are any, only these names of it are taken. */
  marksOf(directory: string, names: readonly string[]): Promise<readonly string[]>;
}

/** @throws BACKUP_PATTERN_INVALID */
export function createSelection(options: SelectionOptions): Selection {
  const patterns = (options.exclude ?? []).map((text) => parsePattern(text));
  const insensitive = (options.excludeIgnoringCase ?? []).map((text) => parsePattern(text, { ignoreCase: true }));
  const marks = [...(options.excludeIfPresent ?? []), ...(options.excludeCaches === true ? [cacheDirectoryMark] : [])];
  const largest = options.excludeLargerThanBytes === undefined ? undefined : BigInt(options.excludeLargerThanBytes);
  return {
    takesName(path) {
      if (options.leavesOut?.(path) === true) return false;
      if (patterns.length + insensitive.length === 0) return true;
      const parts = partsOf(path);
      return !judgePath(patterns, parts).matched && !judgePath(insensitive, parts).matched;
    },
    takes(stats, rootDevice, parentDevice) {
      if (largest !== undefined && !stats.isDirectory() && stats.size > largest) return false;
      if (options.oneFileSystem !== true || stats.dev === rootDevice) return true;
      return stats.isDirectory() && parentDevice === rootDevice;
    },
    async marksOf(directory, names) {
      const found: string[] = [];
      for (const mark of marks) {
        if (names.includes(mark.name) && (await hasHeader(joinPath(directory, mark.name), mark.header ?? ''))) found.push(mark.name);
      }
      return found;
    },
  };
}

/** A mark that can not be read marks nothing: in doubt it is backed up. */
async function hasHeader(path: string, header: string): Promise<boolean> {
  const wanted = Buffer.from(header);
  try {
    if (wanted.length === 0) return (await look(path)) !== undefined;
    const fd = await openForReading(path);
    try {
      if (!(await lookAt(fd)).isFile()) return false;
      const got = Buffer.alloc(wanted.length);
      return (await readAt(fd, got, 0, got.length, 0)) === wanted.length && got.equals(wanted);
    } finally {
      await close(fd);
    }
  } catch (error) {
    if (codeOf(error) === '') throw error;
    return false;
  }
}
