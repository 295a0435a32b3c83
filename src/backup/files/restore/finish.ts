import * as fs from 'node:fs/promises';
import { joinTreePath, walkTree } from '../../browse/walk.ts';
import type { BlobId, Repository } from '../../repository.ts';
import { compareNames } from '../../tree/name.ts';
import type { TreeNode } from '../../tree/node.ts';
import { soundNodes } from '../../tree/sound-nodes.ts';
import { listDirectory } from '../fs.ts';
import { mapAtOnce } from '../../gate.ts';
import { codeOf, fsPath, joinPath } from '../path.ts';
import { type Before, makeSpecial, restoreMetadata, type MetadataOptions } from './metadata.ts';
import type { RestoreSelection } from './select.ts';
import type { Survey } from './survey.ts';
import { unfinishedMark } from './target.ts';

export interface FinishOptions extends MetadataOptions {
  readonly repository: Repository;
  readonly tree: BlobId;
  readonly targetOf: (path: string) => string;
  readonly survey: Survey;
  /** Files whose contents are there. */
  readonly whole: ReadonlySet<string>;
  readonly select: RestoreSelection;
  /** Nothing was in the target before. */
  readonly isNew: boolean;
  readonly removeOthers: boolean;
  readonly signal: AbortSignal;
}

export interface FinishResult {
  readonly specials: number;
  readonly removed: number;
}

const entriesAtOnceMax = 16;
/** Of a directory, together. */
const entriesLookedAtMax = 256;

/**
 * The second way through a snapshot, when all contents are written: further names of files, links and devices, then metadata; those of a
 * directory when nothing more changes in it.
 */
export async function finish(options: FinishOptions): Promise<FinishResult> {
  const { repository, tree, select, survey, targetOf, signal } = options;
  let specials = 0;
  let removed = 0;
  const soundOnes = new WeakSet<TreeNode>();
  const into = (path: string, node: TreeNode): boolean => soundOnes.has(node) && select(path).below && survey.directories.has(path);
  for await (const { phase, path: directory, node: own, nodes } of walkTree(repository, tree, { into, signal })) {
    if (phase === 'leave') {
      if (own !== undefined) await restoreMetadata(targetOf(directory), directory, own, { isNew: options.isNew }, options);
      continue;
    }
    // They were told when it was surveyed.
    const sound = soundNodes(nodes, () => undefined);
    for (const node of sound) soundOnes.add(node);
    if (options.removeOthers) removed += await removeOthers(directory, sound, options);
    const entries = sound.filter((node) => node.type !== 'dir' && select(joinTreePath(directory, node.name)).selected);
    for (let at = 0; at < entries.length; at += entriesLookedAtMax) {
      const lot = entries.slice(at, at + entriesLookedAtMax);
      specials += await finishLot(directory, lot, options);
    }
  }
  return { specials, removed };
}

/** Returns how many were made that are no files. */
async function finishLot(directory: string, entries: readonly TreeNode[], options: FinishOptions): Promise<number> {
  const { repository, system, isNew, issues, targetOf, signal } = options;
  const numbered = entries.map((node, number) => ({ node, number, path: joinTreePath(directory, node.name) }));
  const targets = numbered.map(({ path }) => targetOf(path));
  const looks = await repository.lookAtFiles(targets, { signal });
  const attributes = isNew ? undefined : await system?.readAttributes(targets);
  const made = await mapAtOnce(numbered, entriesAtOnceMax, async ({ node, number, path }) => {
    try {
      return await finishEntry(path, node, { isNew, look: looks[number], attributes: attributes?.[number] }, options);
    } catch (error) {
      issues.addError(path, error);
      return false;
    }
  });
  return made.filter(Boolean).length;
}

/** Whether something was made that is no file. */
async function finishEntry(path: string, node: TreeNode, before: Before, options: FinishOptions): Promise<boolean> {
  const { survey, whole, targetOf } = options;
  const target = targetOf(path);
  if (node.type !== 'file') {
    const isMade = await makeSpecial(target, path, node, options);
    if (isMade) await restoreMetadata(target, path, node, { isNew: true }, options);
    return isMade;
  }
  const first = survey.hardLinks.get(path);
  if (first === undefined) {
    if (whole.has(path)) await restoreMetadata(target, path, node, before, options);
  } else if (whole.has(first)) {
    await fs.rm(fsPath(target), { force: true });
    await fs.link(fsPath(targetOf(first)), fsPath(target));
    // The first name's metadata may be written later than this or earlier: they are the same.
  } else options.issues.add({ path, kind: 'unwritable', message: `it is a further name of ${first}, which could not be restored` });
  return false;
}

/** What is in a directory of the target and not in that of the snapshot. */
async function removeOthers(directory: string, nodes: readonly TreeNode[], { targetOf, select, issues }: FinishOptions): Promise<number> {
  const wanted = new Set(nodes.map((node) => node.name));
  let removed = 0;
  const names = await listDirectory(targetOf(directory)).catch((error: unknown) => {
    if (codeOf(error) === '') throw error;
    return [];
  });
  for (const name of names.toSorted(compareNames)) {
    const path = joinTreePath(directory, name);
    if (wanted.has(name) || (directory === '/' && name === unfinishedMark) || !select(path).selected) continue;
    try {
      await fs.rm(fsPath(joinPath(targetOf(directory), name)), { recursive: true, force: true });
      removed += 1;
    } catch (error) {
      issues.addError(path, error);
    }
  }
  return removed;
}
