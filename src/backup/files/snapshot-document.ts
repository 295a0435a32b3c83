import { userInfo } from 'node:os';
import type { BlobId, FileId } from '../repository.ts';
import { timeFromMs } from '../tree/time.ts';
import type { BackupSummary } from './tally.ts';

export interface SnapshotFacts {
  readonly timeMs: number;
  readonly endMs: number;
  readonly startMs: number;
  readonly tree: BlobId;
  readonly paths: readonly string[];
  readonly hostname: string;
  readonly tags: readonly string[];
  readonly excludes: readonly string[];
  readonly parent: FileId | undefined;
  readonly summary: BackupSummary;
}

/** A snapshot's document as restic writes it (internal/data/snapshot.go). */
export function snapshotDocument(facts: SnapshotFacts): Record<string, unknown> {
  const account = userInfo();
  const { summary } = facts;
  return {
    time: localTime(facts.timeMs),
    ...(facts.parent === undefined ? {} : { parent: facts.parent }),
    tree: facts.tree,
    paths: facts.paths,
    hostname: facts.hostname,
    username: account.username,
    ...(account.uid > 0 ? { uid: account.uid } : {}),
    ...(account.gid > 0 ? { gid: account.gid } : {}),
    ...(facts.excludes.length === 0 ? {} : { excludes: facts.excludes }),
    ...(facts.tags.length === 0 ? {} : { tags: facts.tags }),
    program_version: 'holdfast',
    summary: {
      backup_start: localTime(facts.startMs),
      backup_end: localTime(facts.endMs),
      files_new: summary.filesNew,
      files_changed: summary.filesChanged,
      files_unmodified: summary.filesUnmodified,
      dirs_new: summary.dirsNew,
      dirs_changed: summary.dirsChanged,
      dirs_unmodified: summary.dirsUnmodified,
      data_blobs: summary.dataBlobs,
      tree_blobs: summary.treeBlobs,
      data_added: summary.addedBytes,
      data_added_packed: summary.storedBytes,
      total_files_processed: summary.processedFiles,
      total_bytes_processed: summary.processedBytes,
    },
  };
}

/** With this machine's offset from UTC: days and weeks of retention are those of where the snapshot was made. */
function localTime(ms: number): string {
  const offsetMinutes = -new Date(ms).getTimezoneOffset();
  if (offsetMinutes === 0) return timeFromMs(ms);
  const digits = (value: number): string => String(value).padStart(2, '0');
  const away = Math.abs(offsetMinutes);
  const zone = `${offsetMinutes < 0 ? '-' : '+'}${digits(Math.floor(away / 60))}:${digits(away % 60)}`;
  return timeFromMs(ms + offsetMinutes * 60_000).replace('Z', zone);
}
