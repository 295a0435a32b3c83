// Which packs go, which are repacked, which stay: internal/repository/prune.go of restic/restic, with the same limits and the same order.
import { HoldfastError } from '../../core/errors.ts';
import { headerBytes } from '../pack/header.ts';
import type { FileId, IndexedBlob, StoredFile } from '../repository.ts';
import type { BlobSet } from './used.ts';

export interface PruneLimits {
  /** Unused bytes that may stay, as a part of what is left. Default 5 %; Infinity: nothing is repacked for being partly used. */
  readonly maxUnusedPercent?: number;
  /** As many bytes of packs are repacked at most. */
  readonly maxRepackBytes?: number;
  /** Packs below this size are put together when there are ten or more. Default: four fifths of what nearly all packs have. */
  readonly smallPackBytes?: number;
}

export interface PruneObservation {
  /** Every entry of the index; gone through several times. */
  readonly blobs: () => Iterable<IndexedBlob>;
  readonly used: BlobSet;
  /** Packs that lie in the location. */
  readonly packs: Iterable<StoredFile>;
}

export interface PruneFigures {
  readonly usedBytes: number;
  readonly unusedBytes: number;
  /** In packs that no index names. */
  readonly unindexedBytes: number;
  readonly repackedBytes: number;
  /** What the repository becomes smaller by. */
  readonly freedBytes: number;
  /** Unused bytes that stay. */
  readonly remainingUnusedBytes: number;
  readonly packs: {
    readonly kept: number;
    readonly repacked: number;
    readonly removed: number;
    readonly unindexed: number;
    readonly lost: number;
  };
}

export interface PrunePlan {
  /** In no index: left by what was cut off. */
  readonly unindexed: ReadonlySet<FileId>;
  /** Nothing in them is needed. */
  readonly remove: ReadonlySet<FileId>;
  /** What is needed of each is copied, then they go. A blob is copied from one pack only. */
  readonly repack: ReadonlyMap<FileId, readonly IndexedBlob[]>;
  /** Named by the index, not needed, and not there: only the index changes. */
  readonly lost: ReadonlySet<FileId>;
  readonly figures: PruneFigures;
}

const maxUnusedPercentDefault = 5;
const smallPackBytesMin = 4 * 1024 * 1024;
const smallPacksMin = 10;

interface PackState {
  readonly id: FileId;
  usedBlobs: number;
  unusedBlobs: number;
  duplicateBlobs: number;
  /** The header counts as used. */
  usedBytes: number;
  unusedBytes: number;
  kind: 'data' | 'tree' | 'mixed' | undefined;
}

/**
 * What a prune is to do.
 * @throws BACKUP_INDEX_INCOMPLETE when a needed blob is in no index or in no pack that is there: then nothing is removed
 */
export function decidePrune(observation: PruneObservation, limits: PruneLimits = {}): PrunePlan {
  const { copies, states } = countCopies(observation);
  assignDuplicates(observation, copies, states);
  return chooseActions(observation, states, limits);
}

/** How often each used blob is there (at most 255 are told apart), and each pack's bytes; blobs with several copies count as unused so far. */
function countCopies({ blobs, used }: PruneObservation): { copies: Uint8Array; states: Map<FileId, PackState> } {
  const copies = new Uint8Array(used.size);
  for (const { type, id } of blobs()) {
    const ordinal = used.ordinalOf(type, id);
    if (ordinal >= 0 && copies[ordinal]! < 255) copies[ordinal]! += 1;
  }
  const missing = copies.indexOf(0);
  if (missing !== -1) {
    const { type, id } = used.at(missing);
    throw incomplete(`snapshots need the ${type} blob ${id}, and no index names it`);
  }
  const states = new Map<FileId, PackState>();
  for (const { type, id, place } of blobs()) {
    const state = stateOf(states, place.packId);
    state.kind = state.kind === undefined || state.kind === type ? type : 'mixed';
    state.usedBytes += headerBytes([place]) - headerBytes([]);
    const ordinal = used.ordinalOf(type, id);
    const count = ordinal < 0 ? 0 : copies[ordinal]!;
    if (count === 1) {
      state.usedBlobs += 1;
      state.usedBytes += place.sizeBytes;
    } else {
      state.unusedBlobs += 1;
      state.unusedBytes += place.sizeBytes;
      if (count > 1) state.duplicateBlobs += 1;
    }
  }
  return { copies, states };
}

function stateOf(states: Map<FileId, PackState>, id: FileId): PackState {
  let state = states.get(id);
  if (state === undefined) {
    state = { id, usedBlobs: 0, unusedBlobs: 0, duplicateBlobs: 0, usedBytes: headerBytes([]), unusedBytes: 0, kind: undefined };
    states.set(id, state);
  }
  return state;
}

/**
 * One copy of each blob becomes the used one: rather in a pack that is needed anyhow, or in one of nothing but duplicates, as a prune leaves
 * that was cut off; else the last. `copies` is 1 for all in the end.
 */
function assignDuplicates({ blobs, used }: PruneObservation, copies: Uint8Array, states: ReadonlyMap<FileId, PackState>): void {
  if (!copies.some((count) => count > 1)) return;
  for (const { type, id, place } of blobs()) {
    const ordinal = used.ordinalOf(type, id);
    const count = ordinal < 0 ? 1 : copies[ordinal]!;
    // 0 stands for a blob with one copy left, which is not to be mistaken for one that never had more.
    if (count === 1) continue;
    const state = states.get(place.packId) as PackState;
    if (state.usedBlobs > 0 || state.duplicateBlobs === state.unusedBlobs || count === 0) {
      state.usedBlobs += 1;
      state.usedBytes += place.sizeBytes;
      state.unusedBlobs -= 1;
      state.unusedBytes -= place.sizeBytes;
      copies[ordinal] = 1;
    } else copies[ordinal] = count === 2 ? 0 : count - 1;
  }
}

function chooseActions(observation: PruneObservation, states: Map<FileId, PackState>, limits: PruneLimits): PrunePlan {
  const unindexed = new Set<FileId>();
  const remove = new Set<FileId>();
  const candidates: PackState[] = [];
  const small: PackState[] = [];
  const targetBytes = limits.smallPackBytes ?? usualPackBytes(states);
  const seen = new Set<FileId>();
  let unindexedBytes = 0;
  let kept = 0;
  for (const { id, sizeBytes } of observation.packs) {
    const state = states.get(id);
    seen.add(id);
    if (state === undefined) {
      unindexed.add(id);
      unindexedBytes += sizeBytes;
    } else if (state.usedBlobs === 0) remove.add(id);
    else if (sizeBytes !== state.usedBytes + state.unusedBytes) {
      throw incomplete(`the pack ${id} has ${sizeBytes} bytes, and by the index ${state.usedBytes + state.unusedBytes}`);
    } else if (state.unusedBlobs > 0 || state.kind === 'mixed') candidates.push(state);
    else if (sizeBytes < targetBytes) small.push(state);
    else kept += 1;
  }
  const lost = lostPacks(states, seen);
  if (small.length >= smallPacksMin) candidates.push(...small);
  else kept += small.length;

  const totals = totalsOf(states);
  const removedBytes = sumOf(remove, states);
  const repacked = chooseRepacked(candidates, totals, removedBytes.unused + sumOf(lost, states).unused, targetBytes, limits);
  kept += candidates.length - repacked.size;
  const repackedUnused = [...repacked].reduce((sum, { unusedBytes }) => sum + unusedBytes, 0);
  return {
    unindexed,
    remove,
    lost,
    repack: blobsToKeep(observation, repacked, states, remove),
    figures: {
      usedBytes: totals.used,
      unusedBytes: totals.unused,
      unindexedBytes,
      repackedBytes: [...repacked].reduce((sum, state) => sum + state.usedBytes + state.unusedBytes, 0),
      freedBytes: unindexedBytes + removedBytes.all + repackedUnused,
      remainingUnusedBytes: totals.unused - removedBytes.unused - sumOf(lost, states).unused - repackedUnused,
      packs: { kept, repacked: repacked.size, removed: remove.size, unindexed: unindexed.size, lost: lost.size },
    },
  };
}

function lostPacks(states: ReadonlyMap<FileId, PackState>, seen: ReadonlySet<FileId>): Set<FileId> {
  const lost = new Set<FileId>();
  for (const { id, usedBlobs } of states.values()) {
    if (seen.has(id)) continue;
    if (usedBlobs > 0) throw incomplete(`the pack ${id}, which snapshots need, is not there`);
    lost.add(id);
  }
  return lost;
}

/** Those with the largest unused part first, trees before all, until what may stay unused is reached or enough is repacked. */
function chooseRepacked(
  candidates: PackState[],
  totals: { readonly used: number; readonly unused: number },
  removedUnused: number,
  targetBytes: number,
  { maxUnusedPercent = maxUnusedPercentDefault, maxRepackBytes = Infinity }: PruneLimits,
): Set<PackState> {
  const isSmall = (state: PackState): boolean => state.usedBytes + state.unusedBytes < targetBytes;
  const rank = (state: PackState): number => (state.kind !== 'data' ? 0 : isSmall(state) ? 1 : 2);
  candidates.sort((a, b) => rank(a) - rank(b) || b.unusedBytes * a.usedBytes - a.unusedBytes * b.usedBytes);
  const mayStayBytes = maxUnusedPercent >= 100 ? Infinity : (totals.used * maxUnusedPercent) / (100 - maxUnusedPercent);
  const chosen = new Set<PackState>();
  let chosenBytes = 0;
  let unusedLeft = totals.unused - removedUnused;
  for (const state of candidates) {
    const bytes = state.usedBytes + state.unusedBytes;
    if (chosenBytes + bytes > maxRepackBytes) continue;
    const isWorthIt = state.kind !== 'data' || isSmall(state) || unusedLeft > mayStayBytes;
    if (!isWorthIt) continue;
    chosen.add(state);
    chosenBytes += bytes;
    unusedLeft -= state.unusedBytes;
  }
  return chosen;
}

/** The used blobs of packs that go, but for those that a pack that stays has, too. */
function blobsToKeep(
  { blobs, used }: PruneObservation,
  repacked: ReadonlySet<PackState>,
  states: ReadonlyMap<FileId, PackState>,
  remove: ReadonlySet<FileId>,
): Map<FileId, IndexedBlob[]> {
  const repack = new Map<FileId, IndexedBlob[]>([...repacked].map(({ id }) => [id, []]));
  if (repack.size === 0) return repack;
  const isSafe = new Uint8Array(used.size);
  for (const { type, id, place } of blobs()) {
    const ordinal = used.ordinalOf(type, id);
    const staysThere = !repack.has(place.packId) && !remove.has(place.packId) && states.get(place.packId)!.usedBlobs > 0;
    if (ordinal >= 0 && staysThere) isSafe[ordinal] = 1;
  }
  for (const blob of blobs()) {
    const ordinal = used.ordinalOf(blob.type, blob.id);
    const list = repack.get(blob.place.packId);
    if (list === undefined || ordinal < 0 || isSafe[ordinal] === 1) continue;
    isSafe[ordinal] = 1;
    list.push(blob);
  }
  return repack;
}

function usualPackBytes(states: ReadonlyMap<FileId, PackState>): number {
  const sizes = [...states.values()].map((state) => state.usedBytes + state.unusedBytes).toSorted((a, b) => a - b);
  // Nearly none is smaller than the third percentile: where there are no small packs, nothing is put together.
  return (Math.max(smallPackBytesMin, sizes[Math.floor((sizes.length * 3) / 100)] ?? 0) * 4) / 5;
}

function totalsOf(states: ReadonlyMap<FileId, PackState>): { used: number; unused: number } {
  const totals = { used: 0, unused: 0 };
  for (const state of states.values()) {
    totals.used += state.usedBytes;
    totals.unused += state.unusedBytes;
  }
  return totals;
}

function sumOf(ids: ReadonlySet<FileId>, states: ReadonlyMap<FileId, PackState>): { all: number; unused: number } {
  const sum = { all: 0, unused: 0 };
  for (const id of ids) {
    const state = states.get(id) as PackState;
    sum.all += state.usedBytes + state.unusedBytes;
    sum.unused += state.unusedBytes;
  }
  return sum;
}

function incomplete(what: string): HoldfastError {
  return new HoldfastError('BACKUP_INDEX_INCOMPLETE', `${what}; nothing was removed`, {
    hint: '`holdfast check` tells what is damaged; `holdfast repair` names packs anew',
  });
}
