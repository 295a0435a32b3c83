import type { SavedBlob, SavedFile } from '../repository.ts';
import type { TreeNode } from '../tree/node.ts';

/** What a backup came to; the same figures as in a snapshot of restic. */
export interface BackupSummary {
  readonly filesNew: number;
  readonly filesChanged: number;
  readonly filesUnmodified: number;
  readonly dirsNew: number;
  readonly dirsChanged: number;
  readonly dirsUnmodified: number;
  readonly dataBlobs: number;
  readonly treeBlobs: number;
  /** New blobs before compression. */
  readonly addedBytes: number;
  /** What they take in packs. */
  readonly storedBytes: number;
  readonly processedFiles: number;
  readonly processedBytes: number;
  /** Bytes of contents that were read: no more than what may have changed, with a parent. */
  readonly readBytes: number;
}

export interface Tally {
  /** As it is: it goes on counting. */
  readonly summary: BackupSummary;
  save(kind: 'data' | 'tree', saved: SavedBlob, sizeBytes: number): void;
  count(name: keyof BackupSummary, by: number): void;
}

export function createTally(): Tally {
  const summary = {
    filesNew: 0,
    filesChanged: 0,
    filesUnmodified: 0,
    dirsNew: 0,
    dirsChanged: 0,
    dirsUnmodified: 0,
    dataBlobs: 0,
    treeBlobs: 0,
    addedBytes: 0,
    storedBytes: 0,
    processedFiles: 0,
    processedBytes: 0,
    readBytes: 0,
  };
  return {
    summary,
    save(kind, saved, sizeBytes) {
      if (!saved.isNew) return;
      summary[kind === 'data' ? 'dataBlobs' : 'treeBlobs'] += 1;
      summary.addedBytes += sizeBytes;
      summary.storedBytes += saved.storedBytes;
    },
    count(name, by) {
      summary[name] += by;
    },
  };
}

/** A file that threads have read. */
export function countFile(tally: Tally, { sizeBytes, newBlobs, addedBytes, storedBytes }: SavedFile): void {
  tally.count('readBytes', sizeBytes);
  tally.count('dataBlobs', newBlobs);
  tally.count('addedBytes', addedBytes);
  tally.count('storedBytes', storedBytes);
}

export function trackItem(
  tally: Tally,
  kind: 'file' | 'dir',
  before: TreeNode | undefined,
  isUnmodified: boolean,
  sizeBytes: number,
): void {
  const known = before?.type === kind;
  const change = !known ? 'New' : isUnmodified ? 'Unmodified' : 'Changed';
  tally.count(`${kind}s${change}`, 1);
  if (kind !== 'file') return;
  tally.count('processedFiles', 1);
  tally.count('processedBytes', sizeBytes);
}
