import { hasCode } from '../../core/errors.ts';
import { historyName, type TimelineHistory } from '../../core/timeline.ts';
import { segmentName } from '../../core/lsn.ts';
import type { Runtime } from '../../core/runtime.ts';
import { loadTree } from '../browse/walk.ts';
import { createTally, trackItem, type Tally } from '../files/tally.ts';
import { snapshotDocument } from '../files/snapshot-document.ts';
import { mapAtOnce } from '../gate.ts';
import type { OpenedRepository } from '../open/opened-repository.ts';
import type { BlobId, RepositoryWriter, Snapshot } from '../repository.ts';
import { compareNames } from '../tree/name.ts';
import type { TreeNode } from '../tree/node.ts';
import { timeFromMs } from '../tree/time.ts';
import { encodeTree } from '../tree/tree.ts';
import type { WalRange } from './coverage.ts';
import { decideBatch, decideFull, decideMerges, decideSpare, type FoldBatch } from './decide-fold.ts';
import { replaces, tagsOfFolded, type FoldedFacts, type FoldedWal } from './folded.ts';
import { partKey } from './journal-key.ts';
import { encodePart } from './journal-part.ts';
import type { WalOwner } from './stored-wal.ts';
import { WalFiles } from './wal-files.ts';

/** A segment is stored in pieces of so many bytes: WAL hardly repeats itself, so where it is cut does not matter. */
const pieceBytes = 4 * 1024 * 1024;
const removedAtOnceMax = 8;
const smallPartsMaxDefault = 256;
/** For its owner alone: rows are in it. */
const fileMode = 0o600;

export interface FoldOptions extends WalOwner {
  readonly segmentBytes: number;
  /** Who does it, as the snapshots say. */
  readonly host: string;
  /** As many parts of the newest timeline are left small. Default 256: what comes in some minutes. */
  readonly smallPartsMax?: number;
  readonly signal: AbortSignal;
}

export interface FoldFigures {
  /** Segments that are in the repository now. */
  readonly segments: number;
  readonly storedBytes: number;
  /** Parts that were put together of others. */
  readonly merged: number;
  /** Parts that were removed, as others have what they had. */
  readonly removed: number;
  /** Small objects that are left. */
  readonly left: number;
  /** Snapshots of WAL all of which a longer one has: retention removes them. */
  readonly replaced: number;
  /** WAL that is missing after the newest base backup: no recovery passes it. */
  readonly gap: WalRange | undefined;
  /** Why segments were left as they are: somebody else had the repository. */
  readonly waitsFor: string | undefined;
}

/**
 * Puts the full segments of a journal into the repository as files under PostgreSQL's own names, puts small parts of the rest together,
 * and removes the parts that an earlier call has replaced: never in the same one, so that nobody who is just listing misses both. Whoever writes
 * the journal goes on meanwhile. Cut off anywhere, everything can be read, and the next call finishes it.
 * @throws STORAGE_…, BACKUP_DAMAGED
 */
export async function foldJournal(
  repository: OpenedRepository,
  runtime: Pick<Runtime, 'clock'>,
  options: FoldOptions,
): Promise<FoldFigures> {
  const { service, systemId, signal } = options;
  const wal = await WalFiles.open({ ...options, repository }, { signal });
  const folding = new Folding(repository, runtime, wal, options);
  const spare = decideSpare(
    wal.stored.parts,
    wal.stored.folded.map(({ facts }) => facts.range),
  );
  const kept = wal.stored.parts.filter((part) => !spare.includes(part));
  const waitsFor = await folding.foldAll(kept).catch(busy);
  const small = kept.filter((part) => decideSpare([part], folding.folded).length === 0);
  const merges = decideMerges(small, options.smallPartsMax ?? smallPartsMaxDefault);
  for (const merge of merges) await folding.merge(merge);
  await mapAtOnce(spare, removedAtOnceMax, (range) => repository.location.remove(partKey(service, systemId, range), { signal }));
  const { segments, storedBytes, replaced } = folding;
  const gap = gapOf(wal);
  return {
    segments,
    storedBytes,
    merged: merges.length,
    removed: spare.length,
    left: kept.length + merges.length,
    replaced,
    gap,
    waitsFor,
  };
}

/** What first stops a recovery from the newest base backup along the newest timeline, once WAL behind it is there. */
function gapOf(wal: WalFiles): WalRange | undefined {
  const base = wal.stored.bases.at(-1);
  const newest = wal.newestTimeline;
  if (base === undefined || newest === undefined || !wal.timelines.includes(newest)) return undefined;
  const { missing } = wal.reach(base.start, newest);
  return missing?.end === undefined ? undefined : { ...missing, end: missing.end };
}

/** Segments wait; parts are put together all the same, so that they do not become too many. */
function busy(error: unknown): string {
  if (hasCode(error, 'BACKUP_LOCKED') || hasCode(error, 'BACKUP_WRITER_ACTIVE')) return error.message;
  throw error;
}

class Folding {
  readonly #repository: OpenedRepository;
  readonly #runtime: Pick<Runtime, 'clock'>;
  readonly #wal: WalFiles;
  readonly #options: FoldOptions;
  readonly #histories: readonly TimelineHistory[];
  #snapshots: readonly FoldedWal[];
  segments = 0;
  storedBytes = 0;

  constructor(repository: OpenedRepository, runtime: Pick<Runtime, 'clock'>, wal: WalFiles, options: FoldOptions) {
    this.#repository = repository;
    this.#runtime = runtime;
    this.#wal = wal;
    this.#options = options;
    this.#histories = wal.timelines.map((timeline) => wal.historyOf(timeline));
    this.#snapshots = wal.stored.folded;
  }

  get replaced(): number {
    return this.#snapshots.filter((one) => this.#snapshots.some((other) => replaces(other, one))).length;
  }

  get folded(): WalRange[] {
    return this.#snapshots.map(({ facts }) => facts.range);
  }

  /** @throws BACKUP_LOCKED, BACKUP_WRITER_ACTIVE */
  async foldAll(parts: readonly WalRange[]): Promise<undefined> {
    const { segmentBytes, signal } = this.#options;
    const cuts = this.#wal.stored.bases.map(({ start }) => start.lsn);
    const next = (): FoldBatch | undefined =>
      decideBatch(decideFull(parts, this.folded, this.#histories, segmentBytes), this.folded, cuts, segmentBytes);
    let batch = next();
    if (batch === undefined) return;
    await using writer = await this.#repository.write({ signal });
    for (; batch !== undefined; batch = next()) this.#snapshots = [...this.#snapshots, await this.#fold(batch, writer)];
  }

  async #fold({ timeline, start, end, continues }: FoldBatch, writer: RepositoryWriter): Promise<FoldedWal> {
    const { segmentBytes } = this.#options;
    const tally = createTally();
    const before = this.#snapshots.find(
      ({ facts: { range } }) => range.timeline === timeline && range.start === continues && range.end === start,
    );
    const nodes = before === undefined ? [] : await loadTree(this.#repository, before.snapshot.tree, writer.signal);
    if (before === undefined && timeline > 1) nodes.push(await this.#history(timeline, writer, tally));
    for (let lsn = start; lsn < end; lsn += BigInt(segmentBytes)) nodes.push(await this.#segment(timeline, lsn, writer, tally));
    const document = encodeTree(nodes.toSorted((a, b) => compareNames(a.name, b.name)));
    const tree = await writer.saveBlob('tree', document);
    tally.save('tree', tree, document.byteLength);
    const facts = { ...this.#options, range: { timeline, start: continues ?? start, end } };
    const snapshot = await this.#save(tree.id, facts, tally, writer);
    this.segments += Number((end - start) / BigInt(segmentBytes));
    this.storedBytes += tally.summary.storedBytes;
    return { snapshot, facts };
  }

  async #segment(timeline: number, lsn: bigint, writer: RepositoryWriter, tally: Tally): Promise<TreeNode> {
    const { segmentBytes, signal } = this.#options;
    const end = lsn + BigInt(segmentBytes);
    const bytes = await this.#wal.bytes({ timeline, start: lsn, end }, { signal });
    const sentMs = await this.#wal.sentMs({ timeline, lsn: end }, { signal });
    return await this.#file(segmentName(timeline, lsn, BigInt(segmentBytes)), bytes, sentMs, writer, tally);
  }

  async #history(timeline: number, writer: RepositoryWriter, tally: Tally): Promise<TreeNode> {
    const name = historyName(timeline);
    const bytes = await this.#wal.file(name, { signal: this.#options.signal });
    return await this.#file(name, bytes ?? new Uint8Array(), undefined, writer, tally);
  }

  /** Its time is when the server sent the last of it. */
  async #file(name: string, bytes: Uint8Array, timeMs: number | undefined, writer: RepositoryWriter, tally: Tally): Promise<TreeNode> {
    const content: BlobId[] = [];
    for (let at = 0; at < bytes.byteLength; at += pieceBytes) {
      const piece = bytes.slice(at, at + pieceBytes);
      const saved = await writer.saveBlob('data', piece);
      tally.save('data', saved, piece.byteLength);
      content.push(saved.id);
    }
    trackItem(tally, 'file', undefined, false, bytes.byteLength);
    const time = timeFromMs(timeMs ?? this.#runtime.clock.wallMs());
    const [uid, gid] = [process.getuid?.() ?? 0, process.getgid?.() ?? 0];
    return {
      name,
      type: 'file',
      mode: fileMode,
      mtime: time,
      atime: time,
      ctime: time,
      uid,
      gid,
      size: bytes.byteLength,
      links: 1,
      content,
    };
  }

  async #save(tree: BlobId, facts: FoldedFacts, tally: Tally, writer: RepositoryWriter): Promise<Snapshot> {
    const nowMs = this.#runtime.clock.wallMs();
    return await writer.saveSnapshot(
      snapshotDocument({
        timeMs: nowMs,
        startMs: nowMs,
        endMs: nowMs,
        tree,
        paths: [`/wal/${facts.service}`],
        hostname: this.#options.host,
        tags: tagsOfFolded(facts),
        excludes: [],
        parent: undefined,
        summary: tally.summary,
      }),
    );
  }

  /** The parts within go when the next call has seen the new one. */
  async merge(range: WalRange): Promise<void> {
    const { service, systemId, signal } = this.#options;
    const wal = await this.#wal.bytes(range, { signal });
    const sentMs = await this.#wal.sentMs({ timeline: range.timeline, lsn: range.end }, { signal });
    const part = encodePart({ service, systemId, range, sentMs: sentMs ?? 0, wal: [wal] }, this.#repository.parts.files.key);
    await this.#repository.location.put(partKey(service, systemId, range), [part], { signal });
  }
}
