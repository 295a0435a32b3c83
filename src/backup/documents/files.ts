import type { CallOptions, Location } from '../../storage/index.ts';
import type { SealingKey } from '../crypto/seal.ts';
import type { FileId, FileKind, StoredFile } from '../repository.ts';
import { damaged } from './damaged.ts';
import { folderOf, idOfKey, objectKey, sha256 } from './ids.ts';
import { openObject, sealDocument } from './sealed.ts';

/** The files of a repository, with what is needed to read them. */
export interface RepositoryFiles {
  readonly location: Location;
  readonly key: SealingKey;
  readonly version: 1 | 2;
}

type DocumentKind = 'index' | 'lock' | 'snapshot';

/** Files of a kind, whatever else lies beside them left out. */
export async function* listFiles(location: Location, kind: FileKind, options: CallOptions): AsyncGenerator<StoredFile> {
  for await (const { key, sizeBytes, modifiedMs } of location.list(folderOf(kind), options)) {
    const id = idOfKey(kind, key);
    if (id !== undefined) yield { id, sizeBytes, ...(modifiedMs !== undefined && { modifiedMs }) };
  }
}

/** A file whose name was checked against its content. @throws BACKUP_DAMAGED */
export async function loadFile(location: Location, kind: FileKind, id: FileId, { signal }: CallOptions): Promise<Uint8Array> {
  const bytes = await location.get(objectKey(kind, id), { signal });
  if (sha256(bytes) !== id) throw damaged(`${kind} ${id}`, 'does not match its name');
  return bytes;
}

/** @throws BACKUP_DAMAGED */
export async function loadDocument(
  files: RepositoryFiles,
  kind: DocumentKind,
  id: FileId,
  options: CallOptions,
): Promise<Record<string, unknown>> {
  return openObject(files.key, await loadFile(files.location, kind, id, options), `${kind} ${id}`);
}

/** Resolves with its id once it is durable. */
export async function saveDocument(files: RepositoryFiles, kind: DocumentKind, json: string, options: CallOptions): Promise<FileId> {
  const document = prepareDocument(files, json);
  await storeDocument(files, kind, document, options);
  return document.id;
}

/** A document as it will be stored; its name is known before it is. */
export interface PreparedDocument {
  readonly id: FileId;
  readonly stored: Uint8Array;
}

export function prepareDocument({ key, version }: RepositoryFiles, json: string): PreparedDocument {
  const stored = sealDocument(key, json, { compressed: version >= 2 });
  return { id: sha256(stored), stored };
}

export async function storeDocument(
  { location }: RepositoryFiles,
  kind: DocumentKind,
  { id, stored }: PreparedDocument,
  { signal }: CallOptions,
): Promise<void> {
  await location.put(objectKey(kind, id), [stored], { signal });
}

export async function removeFile(
  { location }: Pick<RepositoryFiles, 'location'>,
  kind: FileKind,
  id: FileId,
  options: CallOptions,
): Promise<void> {
  await location.remove(objectKey(kind, id), options);
}
