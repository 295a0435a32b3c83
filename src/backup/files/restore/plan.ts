import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { HoldfastError } from '../../../core/errors.ts';
import { findNode } from '../../browse/walk.ts';
import { fileChunkSizes } from '../../chunk/fast-cdc.ts';
import type { FileLook } from '../../reading/look-at-files.ts';
import type { BlobId, Repository, Snapshot } from '../../repository.ts';
import { firstLot } from './contents.ts';
import type { RestoreIssues } from './issues.ts';
import { type PresentOptions, type SeenFile, seeFiles } from './present.ts';
import type { RestoreSelection } from './select.ts';
import { survey, type Survey } from './survey.ts';
import { assertSpace, lookAtTarget, type Room, type Target } from './target.ts';

export interface MeasureOptions {
  readonly target: string;
  readonly from: string;
  readonly select: RestoreSelection;
  readonly issues: RestoreIssues;
  readonly mayHold: boolean;
  readonly sparse: boolean;
  readonly signal: AbortSignal;
}

export interface PlanOptions extends MeasureOptions, Pick<PresentOptions, 'trustTimes' | 'onSame'> {
  /** Told how many bytes there are in all, before the first of them is the same. */
  readonly onSurvey: (totalBytes: number) => void;
}

export interface RestorePlan extends Survey {
  readonly tree: BlobId;
  readonly target: Target;
  /** Where a path of the snapshot lies in the target. */
  readonly targetOf: (path: string) => string;
  /** What the target has of the first lot of files: taken over by who restores them, as it is large. */
  readonly first: SeenFile[];
}

interface Measured extends Survey {
  readonly tree: BlobId;
  readonly target: Target;
  readonly targetOf: (path: string) => string;
  readonly looks: readonly (FileLook | undefined)[];
  readonly room: Room;
}

/** What is to be done, and that it can be; nothing is changed. @throws what `restoreFiles` throws before it writes */
export async function planRestore(repository: Repository, snapshot: Snapshot, options: PlanOptions): Promise<RestorePlan> {
  const { trustTimes, onSame, signal } = options;
  const { looks, room, ...found } = await measure(repository, snapshot, options);
  options.onSurvey(found.files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0));
  await assertSpace([room]);
  const first = found.files.slice(0, firstLot(found.files));
  const seen = await seeFiles(first, looks, { repository, targetOf: found.targetOf, trustTimes, onSame, signal });
  return { ...found, first: seen };
}

/** Refuses restores that can not all be done, one after the other. @throws what `restoreFiles` throws before it writes */
export async function assertRoom(repository: Repository, snapshot: Snapshot, orders: readonly MeasureOptions[]): Promise<void> {
  const rooms: Room[] = [];
  for (const order of orders) rooms.push((await measure(repository, snapshot, order)).room);
  await assertSpace(rooms);
}

async function measure(
  repository: Repository,
  snapshot: Snapshot,
  { from, target: directory, select, issues, mayHold, sparse, signal }: MeasureOptions,
): Promise<Measured> {
  const tree = await treeOf(repository, snapshot, from, signal);
  const target = await lookAtTarget(directory, snapshot.id, mayHold);
  const targetOf = (path: string): string => (target.path === '/' ? path : target.path + path);
  const found = await survey(repository, tree, select, issues, signal);
  const looks = target.isEmpty ? [] : await lookWithin(repository, found, targetOf, signal);
  const needs = (holes: ReadonlySet<BlobId>): number => neededBytes(repository, found, looks, holes);
  const room = { target, mostBytes: needs(new Set()), leastBytes: () => (sparse ? needs(zeroBlobs()) : Infinity) };
  return { ...found, tree, target, targetOf, looks, room };
}

/** At files: undefined for those to which something else than directories leads, as it will be replaced. */
async function lookWithin(
  repository: Repository,
  { files, directories }: Survey,
  targetOf: (path: string) => string,
  signal: AbortSignal,
): Promise<(FileLook | undefined)[]> {
  const above = [...directories];
  const looksAbove = await repository.lookAtFiles(above.map(targetOf), { signal });
  const sound = new Set(['']);
  // Each comes before those in it.
  for (const [number, path] of above.entries()) {
    const isDirectory = ((looksAbove[number]?.mode ?? 0) & constants.S_IFMT) === constants.S_IFDIR;
    if (isDirectory && sound.has(directoryOf(path))) sound.add(path);
  }
  const looks = await repository.lookAtFiles(
    files.map(({ path }) => targetOf(path)),
    { signal },
  );
  return files.map(({ path }, number) => (sound.has(directoryOf(path)) ? looks[number] : undefined));
}

/** Empty for what lies in the root. */
function directoryOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/'));
}

async function treeOf(repository: Repository, snapshot: Snapshot, from: string, signal: AbortSignal): Promise<BlobId> {
  const node = await findNode(repository, snapshot.tree, from, signal);
  if (node === undefined) return snapshot.tree;
  if (node.subtree === undefined) {
    throw new HoldfastError('BACKUP_PATH_UNKNOWN', `${from} is no directory in the snapshot`, {
      hint: 'restore one file with --include, or print it with holdfast dump',
    });
  }
  return node.subtree;
}

/** At most so much is added to the target's disk: holes and what is there already are free. */
function neededBytes(
  repository: Repository,
  { files }: Survey,
  looks: readonly (FileLook | undefined)[],
  holes: ReadonlySet<BlobId>,
): number {
  let needed = 0;
  for (const [number, { content }] of files.entries()) {
    let bytes = 0;
    for (const id of content) if (!holes.has(id)) bytes += repository.find('data', id)?.plainSizeBytes ?? 0;
    needed += Math.max(0, bytes - (looks[number]?.allocatedBytes ?? 0));
  }
  return needed;
}

/** What long runs of zeros become: our chunker cuts them at its maximum, restic's at its minimum. */
function zeroBlobs(): ReadonlySet<BlobId> {
  return new Set(
    [fileChunkSizes.maxBytes, fileChunkSizes.minBytes].map((size) => createHash('sha256').update(Buffer.alloc(size)).digest('hex')),
  );
}
