import type { BigIntStats } from 'node:fs';
import { modeFromStat } from '../tree/mode.ts';
import type { ExtendedAttribute, TreeNode } from '../tree/node.ts';
import { timeFromNs, timeToNs } from '../tree/time.ts';

const statFields = ['dev', 'ino', 'mode', 'nlink', 'uid', 'gid', 'rdev', 'size', 'atimeNs', 'mtimeNs', 'ctimeNs'] as const;

/** What is told of a file; unlike all of it, threads can hand it over. */
export type FileStats = Pick<BigIntStats, (typeof statFields)[number]>;

export function statsOf(stats: BigIntStats): FileStats {
  return Object.fromEntries(statFields.map((field) => [field, stats[field]])) as unknown as FileStats;
}

export interface NodeFacts {
  readonly name: string;
  readonly stats: FileStats;
  readonly user: string | undefined;
  readonly group: string | undefined;
  readonly linkTarget?: string;
  readonly attributes: readonly ExtendedAttribute[];
  /** Times of access change by reading alone: without them an unchanged directory has an unchanged tree. */
  readonly withAccessTimes: boolean;
}

/** What a tree says of one file, without its content or subtree. */
export function nodeOf({ name, stats, user, group, linkTarget, attributes, withAccessTimes }: NodeFacts): TreeNode {
  const { mode, type } = modeFromStat(Number(stats.mode));
  const mtime = timeFromNs(stats.mtimeNs);
  const isDirectory = type === 'dir';
  return {
    name,
    type,
    mode,
    mtime,
    atime: withAccessTimes ? timeFromNs(stats.atimeNs) : mtime,
    ctime: stats.ctimeNs === stats.mtimeNs ? mtime : timeFromNs(stats.ctimeNs),
    uid: Number(stats.uid),
    gid: Number(stats.gid),
    inode: stats.ino,
    ...(user === undefined ? {} : { user }),
    ...(group === undefined ? {} : { group }),
    // A device's number differs from one start of the machine to the next: it is kept only where it tells hard links together.
    ...(!isDirectory && stats.nlink > 1n ? { deviceId: stats.dev } : {}),
    ...(type === 'file' ? { size: Number(stats.size), content: [] } : {}),
    ...(isDirectory || type === 'fifo' ? {} : { links: Number(stats.nlink) }),
    ...(linkTarget === undefined ? {} : { linkTarget }),
    ...(attributes.length === 0 ? {} : { extendedAttributes: attributes }),
    ...(type === 'dev' || type === 'chardev' ? { device: stats.rdev } : {}),
  };
}

/** Whether nothing of a file, content or metadata, was touched since a tree told of it: any change moves the time of change (ctime). */
export function isUntouched(stats: BigIntStats, before: TreeNode): boolean {
  return (
    before.inode === stats.ino &&
    before.type === modeFromStat(Number(stats.mode)).type &&
    isTime(before.ctime, stats.ctimeNs) &&
    (before.mtime === before.ctime ? stats.mtimeNs === stats.ctimeNs : isTime(before.mtime, stats.mtimeNs)) &&
    (before.type !== 'file' || BigInt(before.size ?? 0) === stats.size)
  );
}

function isTime(text: string, ns: bigint): boolean {
  return text === timeFromNs(ns) || timeToNs(text) === ns;
}
