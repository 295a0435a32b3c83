import type { BaseRead, BaseSource } from '../../core/base-source.ts';
import { HoldfastError } from '../../core/errors.ts';
import { formatLsn, parseLsn } from '../../core/lsn.ts';
import type { Runtime } from '../../core/runtime.ts';
import { createFixedCutter, type CheckedPages } from '../chunk/cutter.ts';
import { backupFiles, fileCutter, findParent, type BackupFilesOptions, type BackupResult } from '../files/backup.ts';
import { look } from '../files/fs.ts';
import { matchesPattern, parsePattern, partsOf } from '../patterns/pattern.ts';
import type { Repository, Snapshot } from '../repository.ts';
import type { WalPosition } from '../journal/coverage.ts';
import { tagValues } from '../snapshot/tags.ts';
import { graftFiles } from './graft.ts';
import { decidePieceBytes, pieceBytesOf } from './piece-size.ts';
import { tagsOfTablespaces } from './tablespaces.ts';

/** The last one may be of a member that went astray: an older one is taken over from then. */
const parentsTriedMax = 5;
/** The tag by which a base backup is known. */
const kind = 'postgres-base';
/** The tag that tells how its relation files are cut. */
const pieceTag = 'piece';

/** What a base backup's snapshot says of itself in its tags, which restic keeps and shows. */
export interface BaseFacts {
  readonly service: string;
  readonly systemId: string;
  readonly version: string;
  readonly segmentBytes: number;
  /** Recovery begins here. */
  readonly start: WalPosition;
  /** Consistent from here on. */
  readonly endLsn: bigint;
  /** When it was consistent: points in time before it are not in it. */
  readonly endMs: number;
}

interface StoredBase {
  readonly snapshot: Snapshot;
  readonly facts: BaseFacts;
}

export interface BaseOptions extends Pick<BackupFilesOptions, 'onProgress' | 'onIssue' | 'signal'> {
  readonly service: string;
  /** The node whose files they are: the next one from there reads only what has changed. */
  readonly host: string;
  /** Everything is read, whatever is known of it. */
  readonly full?: boolean;
  /** Whether the journal has WAL from there on. A base that it does not reach is refused before it is read. */
  readonly isJournalled?: (start: WalPosition) => boolean;
}

export interface BaseResult extends BackupResult {
  readonly snapshot: Snapshot;
  readonly facts: BaseFacts;
}

/**
 * Copies a running database's files into the repository as a snapshot that restic restores to a data directory; with the journal's WAL from
 * `facts.start` on it is recovered. What is unchanged since the last one is not read, where that was read on the same disk.
 * @throws BACKUP_BASE_TOO_EARLY, BACKUP_BASE_INCOMPLETE when a file could not be read, and what the source and `backupFiles` throw
 */
export async function backupBase(
  repository: Repository,
  source: BaseSource,
  runtime: Pick<Runtime, 'clock'>,
  options: BaseOptions,
): Promise<BaseResult> {
  const { service, signal } = options;
  await using read = await source.begin({ label: `holdfast ${service}`, signal });
  const facts = { service, systemId: read.systemId, version: read.version, segmentBytes: read.segmentBytes, start: read.start };
  if (options.isJournalled?.(read.start) === false) throw tooEarly(read.start);
  const at = (pattern: string): string => `${escaped(read.directory)}/${pattern}`;
  const paged = read.paged.paths.map((path) => parsePattern(at(path)));
  const cutter = fileCutter(repository);
  const bases = await newestBases(repository, { service, systemId: read.systemId, signal });
  const pieceBytes = decidePieceBytes(read.paged.sizeBytes, pieceBytesOf(bases[0] && tagValues(bases[0].snapshot).get(pieceTag)));
  const from = options.full === true ? { parent: 'none' as const } : await chooseParent(repository, { read, bases, pieceBytes }, options);
  let done: BaseFacts | undefined;
  let unreadable: string | undefined;
  const result = await backupFiles(repository, runtime, {
    ...options,
    paths: [read.directory],
    base: read.directory,
    ...from,
    select: { exclude: read.excluded.map(at), leavesOut: (path) => read.isNeedless(path.slice(read.directory.length + 1)) },
    followed: new Set(read.tablespaces.map(({ path }) => `${read.directory}/${path}`)),
    cutterFor: (path) =>
      paged.some((pattern) => matchesPattern(pattern, partsOf(path))) ? createFixedCutter(pieceBytes, checkedPages(read, path)) : cutter(),
    onIssue: (issue) => {
      if (issue.kind === 'unreadable') unreadable ??= issue.message;
      options.onIssue?.(issue);
    },
    complete: async (tree, writer) => {
      if (unreadable !== undefined) throw incomplete(unreadable);
      const end = await read.finish({ signal });
      done = { ...facts, endLsn: end.lsn, endMs: runtime.clock.wallMs() };
      const { uid, gid } = await look(read.directory);
      const owner = { uid: Number(uid), gid: Number(gid) };
      const grafted = await graftFiles(tree, end.files, owner, { repository, writer, timeMs: done.endMs, signal });
      return { tree: grafted, tags: [...tagsOfBase(done), `${pieceTag}=${pieceBytes}`, ...tagsOfTablespaces(read.tablespaces)] };
    },
  });
  if (done === undefined || result.snapshot === undefined) throw new RangeError('a base backup without an end');
  return { ...result, snapshot: result.snapshot, facts: done };
}

function checkedPages({ directory, paged, start }: BaseRead, path: string): CheckedPages | undefined {
  const first = paged.firstPage?.(path.slice(directory.length + 1));
  return first === undefined ? undefined : { pageBytes: paged.pageBytes, first, beforeLsn: start.lsn };
}

/**
 * What need not be read again. Where the server knows what changed since the last base, its pages count, whichever node's files it was made of;
 * else files that nobody touched since the last one of the same node.
 */
async function chooseParent(
  repository: Repository,
  { read, bases, pieceBytes }: { readonly read: BaseRead; readonly bases: readonly StoredBase[]; readonly pieceBytes: number },
  { host, signal }: BaseOptions,
): Promise<Pick<BackupFilesOptions, 'parent' | 'distrustTimes' | 'knownPieces'>> {
  for (const { snapshot, facts } of bases) {
    const changes = await read.changesSince(facts, { pieceBytes, signal });
    if (changes === undefined) continue;
    return {
      parent: snapshot,
      distrustTimes: snapshot.hostname !== host || snapshot.paths.join('\n') !== read.directory,
      knownPieces: { pieceBytes, mayDiffer: (path) => changes.of(path.slice(read.directory.length + 1)) },
    };
  }
  return { parent: (await findParent(repository, { host, paths: [read.directory], signal })) ?? 'none' };
}

/** The newest first. */
async function newestBases(
  repository: Repository,
  { service, systemId, signal }: { readonly service: string; readonly systemId: string; readonly signal: AbortSignal },
): Promise<StoredBase[]> {
  const bases: StoredBase[] = [];
  for await (const snapshot of repository.readableSnapshots({ signal })) {
    const facts = baseFactsOf(snapshot);
    if (facts?.service === service && facts.systemId === systemId) bases.push({ snapshot, facts });
  }
  return bases.toSorted((a, b) => b.facts.endMs - a.facts.endMs).slice(0, parentsTriedMax);
}

/** Undefined for a snapshot that is no base backup. */
export function baseFactsOf(snapshot: Snapshot): BaseFacts | undefined {
  const values = tagValues(snapshot);
  if (!values.has(kind)) return undefined;
  const [service, systemId, version, segment, start, end, at] = ['service', 'system', 'version', 'segment', 'start', 'end', 'at'].map(
    (name) => values.get(name),
  );
  const [, timeline, lsn] = /^(\d+):([0-9A-F]+\/[0-9A-F]+)$/.exec(start ?? '') ?? [];
  const endMs = Date.parse(at ?? '');
  if (
    service === undefined ||
    systemId === undefined ||
    timeline === undefined ||
    lsn === undefined ||
    end === undefined ||
    Number.isNaN(endMs)
  )
    return undefined;
  return {
    service,
    systemId,
    version: version ?? '',
    segmentBytes: Number(segment),
    start: { timeline: Number(timeline), lsn: parseLsn(lsn) },
    endLsn: parseLsn(end),
    endMs,
  };
}

/** By which `baseFactsOf` knows it again. */
export function tagsOfBase(facts: BaseFacts): string[] {
  return [
    kind,
    `service=${facts.service}`,
    `system=${facts.systemId}`,
    `version=${facts.version}`,
    `segment=${facts.segmentBytes}`,
    `start=${facts.start.timeline}:${formatLsn(facts.start.lsn)}`,
    `end=${formatLsn(facts.endLsn)}`,
    `at=${new Date(facts.endMs).toISOString()}`,
  ];
}

/** A path as a pattern that matches it alone. */
function escaped(path: string): string {
  return path.replaceAll(/[\\*?[\]]/g, String.raw`\$&`);
}

function incomplete(why: string): HoldfastError {
  return new HoldfastError('BACKUP_BASE_INCOMPLETE', `a file of the database could not be read: ${why}`, {
    retryable: true,
    hint: 'No snapshot was made. Look at the disk; what was stored already is not stored again.',
  });
}

function tooEarly({ timeline, lsn }: WalPosition): HoldfastError {
  return new HoldfastError(
    'BACKUP_BASE_TOO_EARLY',
    `a base backup now would begin at ${formatLsn(lsn)} of timeline ${timeline}, and the journal has no WAL from there`,
    {
      retryable: true,
      hint: 'A replica begins at the last checkpoint of its primary that it has replayed: let the primary make one (CHECKPOINT) while the journal runs.',
    },
  );
}
