import { HoldfastError } from '../../../core/errors.ts';
import { mapAtOnce } from '../../gate.ts';
import type { FileCompared } from '../../reading/compare-files.ts';
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
  /** Files whose size and time of change are as they should are taken to be so without being read. */
  readonly trustTimes: boolean;
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
  /** What it lacks could not be had, or not be written. */
  failed: boolean;
}

/** What was seen of a file that nobody has touched yet. */
export interface SeenFile extends Omit<PresentFile, 'state' | 'held' | 'failed'> {
  readonly isTrusted: boolean;
  /** Of a plain file of its own that is there; undefined where there is none. */
  readonly thereBytes: number | undefined;
  readonly found: FileCompared | undefined;
  /** Why it can not be restored: told when it would be. */
  readonly problem: Error | undefined;
}

const filesAtOnceMax = 8;

/**
 * Finds what the target holds already, and changes nothing.
 * @param looks at the files; undefined for what is not to be looked at, as the way to it leads elsewhere
 */
export async function seeFiles(
  files: readonly PlannedFile[],
  looks: readonly (FileLook | undefined)[],
  options: PresentOptions,
): Promise<SeenFile[]> {
  const { repository, targetOf, trustTimes, onSame, signal } = options;
  const seen = await mapAtOnce([...files.entries()], filesAtOnceMax, async ([number, planned]): Promise<SeenFile> => {
    signal.throwIfAborted();
    const look = looks[number]?.isOwn === true ? looks[number] : undefined;
    const isTrusted = trustTimes && look !== undefined && isAsPlanned(look, planned);
    const file = { planned, isTrusted, thereBytes: look?.sizeBytes, found: undefined, problem: undefined };
    try {
      const pieces = piecesOf(planned.content, await sizesOf(repository, planned.content, signal));
      const last = pieces.at(-1);
      return { ...file, pieces, sizeBytes: last === undefined ? 0 : last.position + last.sizeBytes };
    } catch (error) {
      signal.throwIfAborted();
      return { ...file, pieces: [], sizeBytes: 0, problem: error as Error };
    }
  });
  for (const { isTrusted, planned, problem } of seen) if (isTrusted && problem === undefined) onSame(planned.sizeBytes);
  const isCompared = ({ isTrusted, thereBytes, problem }: SeenFile): boolean =>
    !isTrusted && thereBytes !== undefined && problem === undefined;
  const wanted = seen.filter(isCompared).map(({ planned, pieces }) => ({ path: targetOf(planned.path), pieces }));
  const found = (await repository.compareFiles(wanted, { signal, onSame })).values();
  return seen.map((file) => (isCompared(file) ? { ...file, found: found.next().value } : file));
}

function isAsPlanned({ sizeBytes, modifiedNs }: FileLook, planned: PlannedFile): boolean {
  return sizeBytes === planned.sizeBytes && modifiedNs === timeToNs(planned.mtime);
}

export interface PrepareOptions extends Pick<PresentOptions, 'targetOf' | 'signal'> {
  /** Nothing is in the target: files are made when their first bytes come. */
  readonly isNew: boolean;
  readonly issues: RestoreIssues;
}

/** Gives files their sizes. What can not be one is replaced or told. */
export async function prepareFiles(seen: readonly SeenFile[], options: PrepareOptions): Promise<PresentFile[]> {
  const prepared = await mapAtOnce(seen, filesAtOnceMax, async (file) => {
    options.signal.throwIfAborted();
    try {
      return await prepare(file, options);
    } catch (error) {
      options.issues.addError(file.planned.path, error);
      return undefined;
    }
  });
  return prepared.filter((file) => file !== undefined);
}

async function prepare(
  { planned, pieces, sizeBytes, isTrusted, thereBytes, found, problem }: SeenFile,
  { targetOf, isNew }: PrepareOptions,
): Promise<PresentFile> {
  if (problem !== undefined) throw problem;
  const file = { planned, pieces, sizeBytes, held: found?.same, failed: false };
  if (isTrusted) return { ...file, state: 'trusted' };
  if (found?.failure !== undefined) throw Object.assign(new Error(found.failure.message), { code: found.failure.code });
  if (thereBytes === sizeBytes) return { ...file, state: 'compared' };
  if (isNew && sizeBytes > 0) return { ...file, state: 'new' };
  const made = await openTargetFile(targetOf(planned.path), sizeBytes);
  await close(made.fd);
  return made.isNew ? { ...file, held: undefined, state: 'new' } : { ...file, state: 'compared' };
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
