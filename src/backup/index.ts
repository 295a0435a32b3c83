export { type CheckOptions, checkRepository } from './check/check.ts';
export { type IndexRepair, repairIndex } from './check/repair-index.ts';
export type { CheckReport, Damage, DamageKind, Loss } from './check/report.ts';
export { type DataSubset, parseSubset } from './check/subset.ts';
export { initRepository, type InitOptions, type OpenOptions, openRepository } from './open/open-repository.ts';
export type { OpenedRepository } from './open/opened-repository.ts';
export type {
  BlobId,
  BlobPlace,
  BlobType,
  FileId,
  FileKind,
  HeldLock,
  IndexedBlob,
  Repository,
  RepositoryMaintenance,
  RepositoryWriter,
  SavedBlob,
  Snapshot,
  StoredFile,
} from './repository.ts';
export { compareNames, nameFromBytes, nameToBytes } from './tree/name.ts';
export type { ExtendedAttribute, NodeType, TreeNode } from './tree/node.ts';
export { permissionsOf } from './tree/mode.ts';
export { decodeTree, encodeTree } from './tree/tree.ts';
export { dumpSnapshot, type DumpOptions } from './browse/dump.ts';
export { diffTrees, type Difference, type DiffOptions } from './browse/diff.ts';
export { findInSnapshots, type FindOptions, type Match } from './browse/find.ts';
export { listSnapshot, type ListedNode, type ListOptions } from './browse/list.ts';
export { findNode, walkTree, type WalkedDirectory, type WalkOptions } from './browse/walk.ts';
export { createFastCdc, type ChunkSizes, fileChunkSizes, gearTable } from './chunk/fast-cdc.ts';
export { createFixedCutter, type Cutter } from './chunk/cutter.ts';
export { copySnapshots, type CopyOptions, type CopyProgress, type CopyResult } from './copy/copy.ts';
export { backupFiles, type BackupFilesOptions, type BackupResult } from './files/backup.ts';
export type { BackupIssue } from './files/issues.ts';
export { restoreFiles, type RestoreOptions, type RestoreProgress, type RestoreResult } from './files/restore/restore.ts';
export type { RestoreFilter } from './files/restore/select.ts';
export type { RestoreIssue } from './files/restore/issues.ts';
export type { DirectoryMark, SelectionOptions } from './files/selection.ts';
export { backupStream, type BackupStreamOptions } from './files/stream.ts';
export type { BackupSummary } from './files/tally.ts';
export { prune, type PruneOptions, type PruneProgress } from './prune/prune.ts';
export type { PruneFigures, PruneLimits } from './prune/decide.ts';
export { decideForget, type ForgetGroup, type ForgetOptions, type KeepCount, type KeepRules, type Kept } from './retention/decide.ts';
export { forgetByRules, forgetSnapshots, type ForgetSnapshotsOptions } from './retention/forget.ts';
export { retainCopies, type RetainFigures, type RetainOptions } from './retention/retain.ts';
export { groupSnapshots, matchesFilter, type GroupBy, type GroupKey, type SnapshotFilter } from './retention/group.ts';
export { parseCalendarSpan, type CalendarSpan } from './retention/stamp.ts';
export { Journal, type JournalOptions, type JournalStatus } from './journal/journal.ts';
export { foldJournal, type FoldFigures, type FoldOptions } from './journal/fold.ts';
export { WalFiles } from './journal/wal-files.ts';
export type { Reach, WalPosition, WalRange } from './journal/coverage.ts';
export { backupBase, baseFactsOf, type BaseFacts, type BaseOptions, type BaseResult } from './postgres/base.ts';
export { tablespacesOf } from './postgres/tablespaces.ts';
export { restoreBase, type RestoreBaseOptions } from './postgres/restore-base.ts';
export { findBases, planRecovery, type RecoveryOrder } from './postgres/plan.ts';
export type { RecoveryTarget } from '../core/recovery-target.ts';
export type { BaseChoice, RecoveryPlan } from './postgres/target.ts';
export { jitterOf, Schedule } from './policy/schedule.ts';
export { RestService, type RestLimits, type RestMode, type RestOptions, type RestRequest } from './rest/rest-service.ts';
export type { RestAnswer } from './rest/answer.ts';
export { parseRestTarget, type RestTarget } from './rest/rest-target.ts';
