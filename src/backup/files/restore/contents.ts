import { hasCode, HoldfastError } from '../../../core/errors.ts';
import type { BlobId, BlobPlace, FileId, Repository } from '../../repository.ts';
import { timeToNs } from '../../tree/time.ts';
import { type BlobUse, writeBlob, type WriteFailure } from '../../reading/write-run.ts';
import { close, look } from '../fs.ts';
import { mapAtOnce } from '../../gate.ts';
import type { RestoreIssues } from './issues.ts';
import type { PlannedFile } from './survey.ts';
import { openTargetFile, piecesOf } from './target-files.ts';

export interface ContentOptions {
  readonly repository: Repository;
  /** Where a path of the snapshot lies in the target. */
  readonly targetOf: (path: string) => string;
  readonly sparse: boolean;
  /** Nothing is in the target: files are made when their first bytes come. */
  readonly isNew: boolean;
  /** Files whose size and time of change are as they should are taken to be so without being read. */
  readonly trustTimes: boolean;
  readonly issues: RestoreIssues;
  readonly progress: ContentProgress;
  readonly onProgress: () => void;
  readonly signal: AbortSignal;
}

export interface ContentProgress {
  /** Read from the repository and written. */
  writtenBytes: number;
  /** In the target already. */
  keptBytes: number;
  loadedBlobs: number;
}

/** Where a blob goes. */
interface Use {
  readonly file: OpenedFile;
  readonly position: number;
}

interface OpenedFile {
  readonly planned: PlannedFile;
  /** Of its blobs together. */
  readonly sizeBytes: number;
  readonly isNew: boolean;
  /** Read just now, and as it should be: nothing is to be written. */
  readonly isHeld: boolean;
  failed: boolean;
}

export interface RestoredFiles {
  /** Paths of the files that are as they should be. */
  readonly whole: ReadonlySet<string>;
  /** Those of them that were so before, every byte read and compared. */
  readonly held: ReadonlySet<string>;
}

interface PlacedBlob {
  readonly id: BlobId;
  readonly place: BlobPlace;
}

interface NeededBlob extends PlacedBlob {
  readonly uses: Use[];
}

/** Blobs planned at once: bounds memory, at the price that a pack may be read once more for each further lot (some 250 GB of files). */
const blobsPlannedMax = 250_000;
const filesComparedAtOnceMax = 8;
const runsAtOnceMax = 4;
/** One call reads at most so many bytes of a pack, unless one blob has more. */
const runBytesMax = 4 * 1024 * 1024;
/** Shorter than what another call costs a store that is far away. */
const gapBytesMax = 64 * 1024;

/**
 * Gives files their contents: only blobs that a file does not hold already are loaded, each once for all its places, pack after pack in the
 * order in which they lie there.
 */
export async function restoreContents(files: readonly PlannedFile[], options: ContentOptions): Promise<RestoredFiles> {
  const whole = new Set<string>();
  const held = new Set<string>();
  for (let begin = 0; begin < files.length;) {
    let end = begin;
    for (let blobs = 0; end < files.length && (end === begin || blobs < blobsPlannedMax); end += 1)
      blobs += files[end]?.content.length ?? 0;
    for (const { planned, isHeld } of await restoreLot(files.slice(begin, end), options)) {
      whole.add(planned.path);
      if (isHeld) held.add(planned.path);
    }
    begin = end;
  }
  return { whole, held };
}

async function restoreLot(files: readonly PlannedFile[], options: ContentOptions): Promise<OpenedFile[]> {
  const packs = new Map<FileId, Map<BlobId, NeededBlob>>();
  const opened = await mapAtOnce(files, filesComparedAtOnceMax, async (planned) => {
    options.signal.throwIfAborted();
    try {
      return await compare(planned, packs, options);
    } catch (error) {
      options.issues.addError(planned.path, error);
      return undefined;
    }
  });
  const runs = [...packs.values()].flatMap((blobs) => runsOf([...blobs.values()]));
  await mapAtOnce(runs, runsAtOnceMax, (run) => restoreRun(run, options));
  return opened.filter((file) => file?.failed === false) as OpenedFile[];
}

/** Makes the file at its size, unless the target is new, and notes what it lacks. */
async function compare(
  planned: PlannedFile,
  packs: Map<FileId, Map<BlobId, NeededBlob>>,
  { repository, targetOf, trustTimes, isNew, progress, onProgress, signal }: ContentOptions,
): Promise<OpenedFile> {
  const target = targetOf(planned.path);
  if (trustTimes && (await looksUnchanged(target, planned))) {
    progress.keptBytes += planned.sizeBytes;
    return { planned, sizeBytes: planned.sizeBytes, isNew: false, isHeld: false, failed: false };
  }
  const places = new Map<BlobId, BlobPlace>();
  for (const id of planned.content) if (!places.has(id)) places.set(id, await placeOf(repository, id, signal));
  const pieces = piecesOf(planned.content, (id) => places.get(id)!.plainSizeBytes);
  const sizeBytes = pieces.reduce((sum, piece) => sum + piece.sizeBytes, 0);
  let held: readonly boolean[] | undefined;
  if (!isNew || sizeBytes === 0) {
    const made = await openTargetFile(target, sizeBytes);
    await close(made.fd);
    if (!made.isNew) held = await repository.holdsBlobs(target, pieces, { signal });
  }
  const file: OpenedFile = { planned, sizeBytes, isNew: held === undefined, isHeld: held?.every(Boolean) === true, failed: false };
  for (const [number, { id, position, sizeBytes: pieceBytes }] of pieces.entries()) {
    if (held?.[number] === true) progress.keptBytes += pieceBytes;
    else note(packs, id, places.get(id)!, { file, position });
  }
  if (held !== undefined) onProgress();
  return file;
}

/** @throws BACKUP_BLOB_MISSING */
async function placeOf(repository: Repository, id: BlobId, signal: AbortSignal): Promise<BlobPlace> {
  const known = repository.find('data', id);
  if (known !== undefined) return known;
  // Looks for what others have added since, and tells when there is none.
  await repository.loadBlob('data', id, { signal });
  const place = repository.find('data', id);
  if (place === undefined) throw new HoldfastError('BACKUP_BLOB_MISSING', `blob ${id} is in no index`);
  return place;
}

function note(packs: Map<FileId, Map<BlobId, NeededBlob>>, id: BlobId, place: BlobPlace, use: Use): void {
  let blobs = packs.get(place.packId);
  if (blobs === undefined) packs.set(place.packId, (blobs = new Map()));
  const blob = blobs.get(id);
  if (blob === undefined) blobs.set(id, { id, place, uses: [use] });
  else blob.uses.push(use);
}

async function looksUnchanged(target: string, planned: PlannedFile): Promise<boolean> {
  const stats = await look(target).catch(() => undefined);
  return (
    stats?.isFile() === true && stats.nlink === 1n && stats.size === BigInt(planned.sizeBytes) && stats.mtimeNs === timeToNs(planned.mtime)
  );
}

/** Blobs that one call reads, in the order of their offsets: what lies between them is read along when it is little. */
function runsOf(blobs: readonly NeededBlob[]): NeededBlob[][] {
  const runs: NeededBlob[][] = [];
  let begin = 0;
  let end = -Infinity;
  for (const blob of blobs.toSorted((a, b) => a.place.offset - b.place.offset)) {
    const { offset, sizeBytes } = blob.place;
    const last = runs.at(-1);
    if (last !== undefined && offset - end <= gapBytesMax && offset + sizeBytes - begin <= runBytesMax) last.push(blob);
    else {
      runs.push([blob]);
      begin = offset;
    }
    end = offset + sizeBytes;
  }
  return runs;
}

async function restoreRun(run: readonly NeededBlob[], options: ContentOptions): Promise<void> {
  const { repository, progress, onProgress, signal } = options;
  const { packId } = run[0]!.place;
  const wanted = run.map(({ id, place, uses }) => ({
    entry: { type: 'data' as const, id, ...place },
    uses: uses.map((use) => blobUse(use, options)),
  }));
  signal.throwIfAborted();
  let damaged: ReadonlySet<number>;
  try {
    const outcome = await repository.writeBlobs(packId, wanted, { signal });
    damaged = new Set(outcome.damaged);
    tellFailures(run, outcome.failures, options);
  } catch (error) {
    signal.throwIfAborted();
    if (!hasCode(error, 'STORAGE_NOT_FOUND') && !hasCode(error, 'STORAGE_DAMAGED')) throw error;
    damaged = new Set(run.keys());
  }
  for (const [number, blob] of run.entries()) {
    // Another pack may have it, or another copy of this one.
    if (damaged.has(number)) await restoreAlone(blob, options);
    else {
      progress.loadedBlobs += 1;
      progress.writtenBytes += blob.place.plainSizeBytes * blob.uses.length;
    }
  }
  onProgress();
}

function blobUse({ file, position }: Use, { targetOf, sparse }: ContentOptions): BlobUse {
  return { path: targetOf(file.planned.path), position, fileBytes: file.sizeBytes, isNew: file.isNew, sparse };
}

async function restoreAlone(blob: NeededBlob, options: ContentOptions): Promise<void> {
  const { repository, issues, progress, onProgress, signal } = options;
  let data: Uint8Array;
  try {
    data = await repository.loadBlob('data', blob.id, { signal });
  } catch (error) {
    signal.throwIfAborted();
    for (const path of new Set(blob.uses.map(({ file }) => file.planned.path))) issues.addError(path, error);
    for (const { file } of blob.uses) file.failed = true;
    return;
  }
  const uses = blob.uses.map((use) => blobUse(use, options));
  tellFailures([blob], writeBlob(data, uses), options);
  progress.loadedBlobs += 1;
  progress.writtenBytes += data.length * uses.length;
  onProgress();
}

function tellFailures(blobs: readonly NeededBlob[], failures: readonly WriteFailure[], { targetOf, issues }: ContentOptions): void {
  if (failures.length === 0) return;
  const files = new Map(blobs.flatMap(({ uses }) => uses.map(({ file }) => [targetOf(file.planned.path), file] as const)));
  for (const { path, code, message } of failures) {
    const file = files.get(path)!;
    file.failed = true;
    issues.addError(file.planned.path, Object.assign(new Error(message), { code }));
  }
}
