import { HoldfastError } from '../../../core/errors.ts';
import { mapAtOnce } from '../../gate.ts';
import type { FileLook } from '../../reading/look-at-files.ts';
import type { PieceOfFile } from '../../reading/compare-pieces.ts';
import type { BlobId, BlobPlace, Repository } from '../../repository.ts';
import { timeToNs } from '../../tree/time.ts';
import { close } from '../fs.ts';
import type { RestoreIssues } from './issues.ts';
import type { PlannedFile } from './survey.ts';
import { openTargetFile, piecesOf } from './target-files.ts';

export interface PresentOptions {
  readonly repository: Repository;
  /** Where a path of the snapshot lies in the target. */
  readonly targetOf: (path: string) => string;
  /** Nothing is in the target: files are made when their first bytes come. */
  readonly isNew: boolean;
  /** Files whose size and time of change are as they should are taken to be so without being read. */
  readonly trustTimes: boolean;
  readonly issues: RestoreIssues;
  readonly onSame: (sizeBytes: number) => void;
  readonly signal: AbortSignal;
}

/** A planned file, and what the target has of it. */
export interface PresentFile {
  readonly planned: PlannedFile;
  readonly pieces: readonly PieceOfFile[];
  /** Of its blobs together. */
  readonly sizeBytes: number;
  /** `new`: not there yet, or made just now at its size; `trusted`: as it should be, by its size and time; `compared`: see `held`. */
  readonly state: 'new' | 'trusted' | 'compared';
  /** A byte for each piece: 1 when it was read in its place just now, and is as it should be. */
  readonly held: Uint8Array | undefined;
}

const filesAtOnceMax = 8;

/** Finds what the target holds already. A file that is there is given its size; what can not be one is replaced or told. */
export async function findPresent(files: readonly PlannedFile[], options: PresentOptions): Promise<PresentFile[]> {
  const { repository, targetOf, isNew, signal } = options;
  const looks = isNew
    ? []
    : await repository.lookAtFiles(
        files.map(({ path }) => targetOf(path)),
        { signal },
      );
  const numbered = [...files.entries()];
  const prepared = await mapAtOnce(numbered, filesAtOnceMax, async ([number, planned]) => {
    signal.throwIfAborted();
    try {
      return await prepare(planned, looks[number], options);
    } catch (error) {
      options.issues.addError(planned.path, error);
      return undefined;
    }
  });
  return await compare(
    prepared.filter((file) => file !== undefined),
    options,
  );
}

async function prepare(
  planned: PlannedFile,
  look: FileLook | undefined,
  { repository, targetOf, isNew, trustTimes, signal, onSame }: PresentOptions,
): Promise<PresentFile> {
  const pieces = piecesOf(planned.content, await sizesOf(repository, planned.content, signal));
  const last = pieces.at(-1);
  const sizeBytes = last === undefined ? 0 : last.position + last.sizeBytes;
  const file = { planned, pieces, sizeBytes, held: undefined };
  if (trustTimes && look?.isOwn === true && look.sizeBytes === planned.sizeBytes && look.modifiedNs === timeToNs(planned.mtime)) {
    onSame(planned.sizeBytes);
    return { ...file, state: 'trusted' };
  }
  if (look?.isOwn === true && look.sizeBytes === sizeBytes) return { ...file, state: 'compared' };
  if (isNew && sizeBytes > 0) return { ...file, state: 'new' };
  const made = await openTargetFile(targetOf(planned.path), sizeBytes);
  await close(made.fd);
  return { ...file, state: made.isNew ? 'new' : 'compared' };
}

async function compare(files: readonly PresentFile[], options: PresentOptions): Promise<PresentFile[]> {
  const { repository, targetOf, issues, onSame, signal } = options;
  const there = files.filter(({ state }) => state === 'compared');
  const wanted = there.map(({ planned, pieces }) => ({ path: targetOf(planned.path), pieces }));
  const found = (await repository.compareFiles(wanted, { signal, onSame })).values();
  return files.flatMap((file) => {
    if (file.state !== 'compared') return file;
    const { same, failure } = found.next().value!;
    if (failure === undefined) return { ...file, held: same };
    issues.addFailure(file.planned.path, failure);
    return [];
  });
}

/** @throws BACKUP_BLOB_MISSING */
async function sizesOf(repository: Repository, content: readonly BlobId[], signal: AbortSignal): Promise<(id: BlobId) => number> {
  const sizes = new Map<BlobId, number>();
  for (const id of content) if (!sizes.has(id)) sizes.set(id, (await placeOf(repository, id, signal)).plainSizeBytes);
  return (id) => sizes.get(id)!;
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
