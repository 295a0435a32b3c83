import { hasCode } from '../../../core/errors.ts';
import type { BlobId, BlobPlace, FileId } from '../../repository.ts';
import { type BlobUse, writeBlob, type WriteFailure } from '../../reading/write-run.ts';
import { mapAtOnce } from '../../gate.ts';
import { prepareFiles, type PrepareOptions, type PresentFile, type PresentOptions, type SeenFile, seeFiles } from './present.ts';
import type { PlannedFile } from './survey.ts';
import { verifyContents, type WrongPiece } from './verify.ts';

export interface ContentOptions extends PrepareOptions, PresentOptions {
  readonly sparse: boolean;
  /** Reads back what was written. */
  readonly verify: boolean;
  readonly progress: ContentProgress;
  readonly onProgress: () => void;
  /** Files of a lot have been written, and are read back next. */
  readonly onWritten: () => void;
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
  readonly file: PresentFile;
  readonly position: number;
}

export interface RestoredFiles {
  /** Paths of the files that are as they should be. */
  readonly whole: Set<string>;
  /** How many of them were read back, or had been as they should be before; undefined when none were to be. */
  verifiedFiles: number | undefined;
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
const runsAtOnceMax = 6;
/** One call reads at most so many bytes of a pack, unless one blob has more. */
const runBytesMax = 2 * 1024 * 1024;
/** And one thread writes at most so many: pages of databases take a twentieth of that in a pack, and a few long runs would end one by one. */
const runPlainBytesMax = 16 * 1024 * 1024;
/** Shorter than what another call costs a store that is far away. */
const gapBytesMax = 64 * 1024;

/** How many of the files come first: they are seen to while the others wait. */
export function firstLot(files: readonly PlannedFile[]): number {
  let end = 0;
  for (let blobs = 0; end < files.length && (end === 0 || blobs < blobsPlannedMax); end += 1) blobs += files[end]?.content.length ?? 0;
  return end;
}

/**
 * Gives files their contents: only blobs that a file does not hold already are loaded, each once for all its places, pack after pack in the
 * order in which they lie there.
 * @param first what was seen of the first lot; empty afterwards
 */
export async function restoreContents(files: readonly PlannedFile[], first: SeenFile[], options: ContentOptions): Promise<RestoredFiles> {
  const restored: RestoredFiles = { whole: new Set(), verifiedFiles: options.verify ? 0 : undefined };
  let seen = first.splice(0);
  for (let rest = files; rest.length > 0;) {
    rest = rest.slice(seen.length);
    const opened = await restoreLot(seen, options);
    options.onWritten();
    if (restored.verifiedFiles !== undefined) {
      const mend = (wrong: WrongPiece<PresentFile>): Promise<boolean> => mendPiece(wrong, options);
      restored.verifiedFiles += await verifyContents(opened, { ...options, mend });
    }
    for (const { planned, failed } of opened) if (!failed) restored.whole.add(planned.path);
    seen = await seeNext(rest.slice(0, firstLot(rest)), options);
  }
  return restored;
}

async function seeNext(files: readonly PlannedFile[], options: ContentOptions): Promise<SeenFile[]> {
  const { repository, targetOf, isNew, signal } = options;
  const paths = isNew ? [] : files.map(({ path }) => targetOf(path));
  return await seeFiles(files, await repository.lookAtFiles(paths, { signal }), options);
}

/** Returns the files that can have theirs. @param seen empty afterwards: it is as large as what becomes of it */
async function restoreLot(seen: SeenFile[], options: ContentOptions): Promise<PresentFile[]> {
  const opened = await prepareFiles(seen.splice(0), options);
  const runs = [...lackingBlobs(opened, options).values()].flatMap((blobs) => runsOf([...blobs.values()]));
  await mapAtOnce(runs, runsAtOnceMax, (run) => restoreRun(run, options.verify, options));
  return opened;
}

/**
 * What was read back wrong is opened once more, and its hash looked at before it is written. Where the repository was to blame, another copy
 * of the blob is looked for; returns whether the file may be right now.
 */
async function mendPiece({ file, piece }: WrongPiece<PresentFile>, options: ContentOptions): Promise<boolean> {
  const place = options.repository.find('data', piece.id);
  // What was only taken for right was not written.
  if (place === undefined || file.state === 'trusted') return false;
  const damaged = await restoreRun([{ id: piece.id, place, uses: [{ file, position: piece.position }] }], false, options);
  return damaged > 0;
}

/** What is to be written, by packs. */
function lackingBlobs(files: readonly PresentFile[], { repository }: ContentOptions): Map<FileId, Map<BlobId, NeededBlob>> {
  const packs = new Map<FileId, Map<BlobId, NeededBlob>>();
  for (const file of files) {
    if (file.state === 'trusted') continue;
    for (const [number, { id, position }] of file.pieces.entries())
      if (file.held?.[number] !== 1) note(packs, id, repository.find('data', id)!, { file, position });
  }
  return packs;
}

function note(packs: Map<FileId, Map<BlobId, NeededBlob>>, id: BlobId, place: BlobPlace, use: Use): void {
  let blobs = packs.get(place.packId);
  if (blobs === undefined) packs.set(place.packId, (blobs = new Map()));
  const blob = blobs.get(id);
  if (blob === undefined) blobs.set(id, { id, place, uses: [use] });
  else blob.uses.push(use);
}

/** Blobs that one call reads, in the order of their offsets: what lies between them is read along when it is little. */
function runsOf(blobs: readonly NeededBlob[]): NeededBlob[][] {
  const runs: NeededBlob[][] = [];
  let begin = 0;
  let end = -Infinity;
  let plainBytes = 0;
  for (const blob of blobs.toSorted((a, b) => a.place.offset - b.place.offset)) {
    const { offset, sizeBytes, plainSizeBytes } = blob.place;
    const last = runs.at(-1);
    plainBytes += plainSizeBytes;
    const fits = offset - end <= gapBytesMax && offset + sizeBytes - begin <= runBytesMax && plainBytes <= runPlainBytesMax;
    if (last !== undefined && fits) last.push(blob);
    else {
      runs.push([blob]);
      begin = offset;
      plainBytes = plainSizeBytes;
    }
    end = offset + sizeBytes;
  }
  return runs;
}

/** Returns how many blobs were not to be had from where they were looked for. */
async function restoreRun(run: readonly NeededBlob[], isReadBack: boolean, options: ContentOptions): Promise<number> {
  const { repository, progress, onProgress, signal } = options;
  const { packId } = run[0]!.place;
  const wanted = run.map(({ id, place, uses }) => ({
    entry: { type: 'data' as const, id, ...place },
    uses: uses.map((use) => blobUse(use, options)),
  }));
  signal.throwIfAborted();
  let damaged: ReadonlySet<number>;
  try {
    const outcome = await repository.writeBlobs(packId, wanted, { isReadBack, signal });
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
  return damaged.size;
}

function blobUse({ file, position }: Use, { targetOf, sparse }: ContentOptions): BlobUse {
  return { path: targetOf(file.planned.path), position, fileBytes: file.sizeBytes, isNew: file.state === 'new', sparse };
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
  for (const failure of failures) {
    const file = files.get(failure.path)!;
    file.failed = true;
    issues.addFailure(file.planned.path, failure);
  }
}
