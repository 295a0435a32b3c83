import { HoldfastError } from '../../../core/errors.ts';
import type { BlobId, BlobPlace, FileId, Repository } from '../../repository.ts';
import { timeToNs } from '../../tree/time.ts';
import { close, look, writeAt } from '../fs.ts';
import { mapAtOnce } from '../../gate.ts';
import type { RestoreIssues } from './issues.ts';
import type { PlannedFile } from './survey.ts';
import { holdsBlob, openTargetFile, reopenTargetFile, writeSparsely } from './target-files.ts';

export interface ContentOptions {
  readonly repository: Repository;
  /** Where a path of the snapshot lies in the target. */
  readonly targetOf: (path: string) => string;
  readonly sparse: boolean;
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
  readonly isNew: boolean;
  failed: boolean;
}

interface NeededBlob {
  readonly id: BlobId;
  readonly place: BlobPlace;
  readonly uses: Use[];
}

/** Blobs planned at once: bounds memory, at the price that a pack may be read once more for each further lot (some 250 GB of files). */
const blobsPlannedMax = 250_000;
const filesComparedAtOnceMax = 4;
const packsAtOnceMax = 4;
const blobsOfPackAtOnceMax = 3;

/**
 * Gives files their contents: only blobs that a file does not hold already are loaded, each once for all its places, pack after pack in the
 * order in which they lie there. Returns the files that are whole.
 */
export async function restoreContents(files: readonly PlannedFile[], options: ContentOptions): Promise<Set<string>> {
  const whole = new Set<string>();
  for (let begin = 0; begin < files.length;) {
    let end = begin;
    for (let blobs = 0; end < files.length && (end === begin || blobs < blobsPlannedMax); end += 1)
      blobs += files[end]?.content.length ?? 0;
    for (const path of await restoreLot(files.slice(begin, end), options)) whole.add(path);
    begin = end;
  }
  return whole;
}

async function restoreLot(files: readonly PlannedFile[], options: ContentOptions): Promise<string[]> {
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
  await mapAtOnce([...packs.values()], packsAtOnceMax, async (blobs) => {
    const inOrder = [...blobs.values()].toSorted((a, b) => a.place.offset - b.place.offset);
    await mapAtOnce(inOrder, blobsOfPackAtOnceMax, (blob) => restoreBlob(blob, options));
  });
  return opened.filter((file) => file !== undefined && !file.failed).map((file) => (file as OpenedFile).planned.path);
}

/** Makes the file at its size, and notes what it lacks. */
async function compare(
  planned: PlannedFile,
  packs: Map<FileId, Map<BlobId, NeededBlob>>,
  { repository, targetOf, trustTimes, progress, onProgress, signal }: ContentOptions,
): Promise<OpenedFile> {
  const target = targetOf(planned.path);
  if (trustTimes && (await looksUnchanged(target, planned))) {
    progress.keptBytes += planned.sizeBytes;
    return { planned, isNew: false, failed: false };
  }
  const places: { readonly id: BlobId; readonly place: BlobPlace }[] = [];
  for (const id of planned.content) places.push({ id, place: await placeOf(repository, id, signal) });
  const sizeBytes = places.reduce((sum, { place }) => sum + place.plainSizeBytes, 0);
  const { fd, isNew } = await openTargetFile(target, sizeBytes);
  try {
    const file: OpenedFile = { planned, isNew, failed: false };
    const scratch = isNew ? undefined : Buffer.allocUnsafe(places.reduce((max, { place }) => Math.max(max, place.plainSizeBytes), 1));
    let position = 0;
    for (const { id, place } of places) {
      if (scratch !== undefined && (await holdsBlob(fd, id, position, scratch, place.plainSizeBytes))) {
        progress.keptBytes += place.plainSizeBytes;
        onProgress();
        signal.throwIfAborted();
      } else note(packs, id, place, { file, position });
      position += place.plainSizeBytes;
    }
    return file;
  } finally {
    await close(fd);
  }
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

async function restoreBlob(blob: NeededBlob, options: ContentOptions): Promise<void> {
  const { repository, issues, progress, signal } = options;
  let data: Uint8Array;
  try {
    data = await repository.loadBlob('data', blob.id, { signal });
  } catch (error) {
    signal.throwIfAborted();
    for (const path of new Set(blob.uses.map(({ file }) => file.planned.path))) issues.addError(path, error);
    for (const { file } of blob.uses) file.failed = true;
    return;
  }
  progress.loadedBlobs += 1;
  for (const [file, uses] of byFile(blob.uses)) {
    try {
      await writeUses(file, uses, data, options);
    } catch (error) {
      file.failed = true;
      issues.addError(file.planned.path, error);
    }
  }
}

function byFile(uses: readonly Use[]): Map<OpenedFile, Use[]> {
  const files = new Map<OpenedFile, Use[]>();
  for (const use of uses) {
    const list = files.get(use.file);
    if (list === undefined) files.set(use.file, [use]);
    else list.push(use);
  }
  return files;
}

async function writeUses(
  file: OpenedFile,
  uses: readonly Use[],
  data: Uint8Array,
  { targetOf, sparse, progress, onProgress, signal }: ContentOptions,
): Promise<void> {
  const fd = await reopenTargetFile(targetOf(file.planned.path));
  try {
    for (const { position } of uses) {
      signal.throwIfAborted();
      if (sparse && file.isNew) await writeSparsely(fd, data, position);
      else await writeAt(fd, data, position);
      progress.writtenBytes += data.length;
      onProgress();
    }
  } finally {
    await close(fd);
  }
}
