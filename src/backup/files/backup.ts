import { hostname } from 'node:os';
import { linked } from '../../core/deadline.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { Runtime } from '../../core/runtime.ts';
import { createBufferPool } from '../chunk/chunks.ts';
import type { Cutter } from '../chunk/cutter.ts';
import { createFastCdc, fileChunkSizes, gearTable } from '../chunk/fast-cdc.ts';
import type { BlobId, Repository, RepositoryWriter, Snapshot } from '../repository.ts';
import { assertClock } from '../snapshot/clock.ts';
import { timeToNs } from '../tree/time.ts';
import { createContentSaver } from './content.ts';
import { createIssueList, type BackupIssue } from './issues.ts';
import type { KnownPieces } from './known-pieces.ts';
import { LateWriter } from './late-writer.ts';
import { layOut } from './layout.ts';
import { createSelection, type SelectionOptions } from './selection.ts';
import { snapshotDocument } from './snapshot-document.ts';
import { createLooks } from './looks.ts';
import { lateSystemCalls } from './system.ts';
import { createTally, type BackupSummary } from './tally.ts';
import { TreeSaver } from './tree-saver.ts';

export interface BackupFilesOptions {
  /** At least one. */
  readonly paths: readonly string[];
  /** Stored as seen from here, as `restic backup` does with relative paths; absolute when absent. */
  readonly base?: string;
  /** Files unchanged since it are not read. Default: the latest snapshot of the same host and paths; `none`: all are read. */
  readonly parent?: Snapshot | 'none';
  /** No file is taken for unchanged by its times: for a parent that was made of another machine's files. */
  readonly distrustTimes?: boolean;
  /** Whatever their times say, these pieces of the parent's files are taken over. */
  readonly knownPieces?: KnownPieces | undefined;
  readonly tags?: readonly string[];
  /** Default: this machine's. */
  readonly host?: string;
  readonly select?: SelectionOptions;
  /** Absolute paths of links that are stored as what they lead to; all others are stored as links. */
  readonly followed?: ReadonlySet<string>;
  readonly withAccessTimes?: boolean;
  /** Makes no snapshot when its tree would be the parent's. */
  readonly skipIfUnchanged?: boolean;
  /** How a file is cut. Default: FastCDC. */
  readonly cutterFor?: (path: string, sizeBytes: number) => Cutter;
  readonly filesAtOnceMax?: number;
  /** This process has nothing else to do that could not wait for a slow file system. */
  readonly mayBlock?: boolean;
  /** Asked when all is read, before the snapshot is made: for what can only be known or had then. What it throws ends the backup. */
  readonly complete?: (tree: BlobId, writer: RepositoryWriter) => Promise<{ readonly tree: BlobId; readonly tags: readonly string[] }>;
  readonly onProgress?: (summary: BackupSummary) => void;
  readonly onIssue?: (issue: BackupIssue) => void;
  readonly signal: AbortSignal;
}

export interface BackupResult {
  /** Undefined when nothing had changed and it was to be skipped then. */
  readonly snapshot: Snapshot | undefined;
  readonly summary: BackupSummary;
  /** The first thousand. */
  readonly issues: readonly BackupIssue[];
  readonly issueCount: number;
  /** Whether everything that was to be backed up is in the snapshot; commands end with 3 when it is not, as restic does. */
  readonly isComplete: boolean;
}

const filesAtOnceDefault = 4;
/** Where threads read: many small ones go to one together. */
const filesReadByThreadsMax = 64;
/** Chunks that are being saved beyond those being read. */
const chunksSavedAtOnceMax = 8;

/**
 * Makes a snapshot of files and directories. What can not be read is told and left out; the snapshot is made all the same.
 * @throws BACKUP_CLOCK_BACKWARDS, BACKUP_SOURCE_MISSING when none of the paths can be read, BACKUP_PATTERN_INVALID, BACKUP_LOCKED, and what the location throws
 */
export async function backupFiles(
  repository: Repository,
  runtime: Pick<Runtime, 'clock'>,
  options: BackupFilesOptions,
): Promise<BackupResult> {
  const startMs = runtime.clock.wallMs();
  const host = options.host ?? hostname();
  const { root, absolutePaths } = layOut(options.paths, options.base);
  const selection = createSelection(options.select ?? {});
  const parent = await parentOf(repository, options, host, absolutePaths);
  assertClock(parent, startMs);

  await using system = lateSystemCalls();
  await using late = new LateWriter(repository, options.signal);
  const filesAtOnceMax = options.filesAtOnceMax ?? (repository.readsFiles ? filesReadByThreadsMax : filesAtOnceDefault);
  const pool = createBufferPool(filesAtOnceMax + chunksSavedAtOnceMax, fileChunkSizes.maxBytes);
  const { read, issues, tally } = await walkOnFirmGround(repository, late, async (signal) => {
    const walked = { issues: createIssueList(options.onIssue), tally: createTally() };
    const saver = new TreeSaver({
      repository,
      writer: late,
      content: createContentSaver(late, pool, (kind, saved, sizeBytes) => walked.tally.save(kind, saved, sizeBytes)),
      system,
      looks: createLooks(runtime.clock, options.mayBlock ?? false),
      selection,
      ...walked,
      withAccessTimes: options.withAccessTimes ?? false,
      followed: options.followed ?? new Set(),
      cutterFor: options.cutterFor ?? fileCutter(repository),
      trustedBeforeNs: parent === undefined || options.distrustTimes === true ? 0n : startNsOf(parent),
      knownPieces: options.knownPieces,
      filesAtOnceMax,
      onItem: () => options.onProgress?.(walked.tally.summary),
      signal,
    });
    return { read: await saver.saveLayout(root, parent?.tree), ...walked };
  });
  if (read === undefined) {
    throw new HoldfastError(
      'BACKUP_SOURCE_MISSING',
      `nothing of ${absolutePaths.join(', ')} can be read: ${issues.told[0]?.message ?? 'it is left out'}`,
      {
        hint: 'name what exists and may be read by this user',
      },
    );
  }
  const writer = await late.get();
  const { tree, tags } = (await options.complete?.(read, writer)) ?? { tree: read, tags: options.tags ?? [] };
  const result = { summary: { ...tally.summary }, issues: issues.told, issueCount: issues.count, isComplete: !issues.isIncomplete };
  if (options.skipIfUnchanged === true && parent?.tree === tree) return { ...result, snapshot: undefined };
  const snapshot = await writer.saveSnapshot(
    snapshotDocument({
      timeMs: startMs,
      startMs,
      endMs: runtime.clock.wallMs(),
      tree,
      paths: absolutePaths,
      hostname: host,
      tags,
      excludes: options.select?.exclude ?? [],
      parent: parent?.id,
      summary: result.summary,
    }),
  );
  return { ...result, snapshot };
}

/**
 * Begins to walk while the writer's lock settles. Whoever removed blobs until then is done by now, and its new index was read: then what the
 * walk took for stored may have gone, and it begins anew.
 */
async function walkOnFirmGround<Walked>(
  repository: Repository,
  writer: LateWriter,
  walk: (signal: AbortSignal) => Promise<Walked>,
): Promise<Walked> {
  const losses = repository.indexLosses;
  using first = linked(writer.signal);
  const opening = writer.get().then(() => {
    const isFirm = repository.indexLosses === losses;
    if (!isFirm) first.abort(new Error('what the repository had was removed meanwhile'));
    return isFirm;
  });
  const [opened, walked] = await Promise.allSettled([opening, walk(first.signal)]);
  if (opened.status === 'rejected') throw opened.reason;
  if (!opened.value) return await walk(writer.signal);
  if (walked.status === 'rejected') throw walked.reason;
  return walked.value;
}

/** FastCDC with the repository's own table. Those that share a polynomial find each other's blobs, with restic's chunker and with this one. */
export function fileCutter(repository: Repository): () => Cutter {
  const gear = gearTable(repository.chunkerPolynomial);
  return () => createFastCdc(gear);
}

/** The latest snapshot of a host that has exactly these paths. */
export async function findParent(
  repository: Repository,
  { host, paths, signal }: { readonly host: string; readonly paths: readonly string[]; readonly signal: AbortSignal },
): Promise<Snapshot | undefined> {
  const wanted = JSON.stringify(paths.toSorted());
  let latest: Snapshot | undefined;
  for await (const snapshot of repository.readableSnapshots({ signal })) {
    if (snapshot.hostname !== host || JSON.stringify(snapshot.paths.toSorted()) !== wanted) continue;
    if (latest === undefined || snapshot.timeMs > latest.timeMs) latest = snapshot;
  }
  return latest;
}

async function parentOf(
  repository: Repository,
  { parent, signal }: BackupFilesOptions,
  host: string,
  paths: readonly string[],
): Promise<Snapshot | undefined> {
  if (parent === 'none') return undefined;
  return parent ?? findParent(repository, { host, paths, signal });
}

function startNsOf(snapshot: Snapshot): bigint {
  return timeToNs(snapshot.time);
}
