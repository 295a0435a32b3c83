import { hash } from 'node:crypto';
import type { FileId, FileKind } from '../repository.ts';

const idForm = /^[0-9a-f]{64}$/;
const folders: Readonly<Record<FileKind, string>> = { data: 'data', index: 'index', key: 'keys', lock: 'locks', snapshot: 'snapshots' };
const fileKinds: readonly FileKind[] = ['data', 'index', 'key', 'lock', 'snapshot'];

/** Where a repository's configuration lies. */
export const configKey = 'config';

/** Bytes of an id. */
export const idBytes = 32;

export function isId(text: unknown): text is string {
  return typeof text === 'string' && idForm.test(text);
}

/** In one call: an object for each of many hashes would lie in memory until the collector comes across it. */
export function sha256(bytes: Uint8Array): string {
  return hash('sha256', bytes, 'hex');
}

/** The prefix below which files of a kind lie. */
export function folderOf(kind: FileKind): string {
  return `${folders[kind]}/`;
}

/** The kind of files in a folder of that name; undefined where it is none of a repository's. */
export function kindOfFolder(name: string): FileKind | undefined {
  return fileKinds.find((kind) => folders[kind] === name);
}

/** The location's key of a file. Packs are spread over 256 folders by their first byte. */
export function objectKey(kind: FileKind, id: FileId): string {
  return kind === 'data' ? `data/${id.slice(0, 2)}/${id}` : `${folders[kind]}/${id}`;
}

/** The id within an object's key; undefined for what is no file of that kind: leftovers of others are nobody's business. */
export function idOfKey(kind: FileKind, key: string): FileId | undefined {
  const id = key.slice(key.lastIndexOf('/') + 1);
  return isId(id) && key === objectKey(kind, id) ? id : undefined;
}
