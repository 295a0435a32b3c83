import { HoldfastError, messageOf } from '../../core/errors.ts';
import type { CallOptions, Location } from '../../storage/index.ts';
import type { KdfCost } from '../crypto/kdf.ts';
import type { SealingKey } from '../crypto/seal.ts';
import { listFiles, loadFile, removeFile } from '../documents/files.ts';
import { objectKey, sha256 } from '../documents/ids.ts';
import type { FileId } from '../repository.ts';
import { decodeKeyFile, encodeKeyFile, type KeyLabel, openKeyFile } from './key-file.ts';

/** Key files that are tried with a password: each takes a third of a second or more. */
const keysTriedMax = 20;

/** A key of the repository, as it is listed. */
export interface RepositoryKey extends KeyLabel {
  readonly id: FileId;
  /** Whether the repository was opened with it. */
  readonly current: boolean;
}

/** The master key, and which key file it came from. */
export interface OpenedKey {
  readonly master: SealingKey;
  readonly id: FileId;
}

/** Tries the password on each key. @throws BACKUP_PASSWORD_WRONG, BACKUP_DAMAGED when no key can be read */
export async function findKey(
  location: Location,
  password: string,
  options: CallOptions & { readonly onDeriving?: (() => void) | undefined },
): Promise<OpenedKey> {
  const unreadable: string[] = [];
  let tried = 0;
  for await (const { id } of listFiles(location, 'key', options)) {
    tried += 1;
    if (tried > keysTriedMax) break;
    try {
      const what = `key ${id}`;
      const opening = openKeyFile(decodeKeyFile(await loadFile(location, 'key', id, options), what), password, what);
      options.onDeriving?.();
      const master = await opening;
      if (master !== undefined) return { master, id };
    } catch (error) {
      options.signal.throwIfAborted();
      // Another key may open it all the same.
      if (!(error instanceof HoldfastError) || error.code !== 'BACKUP_DAMAGED') throw error;
      unreadable.push(messageOf(error));
    }
  }
  if (tried === 0) throw unopenable(location, 'it has a config, but no key');
  if (unreadable.length === tried) throw unopenable(location, unreadable.join('; '));
  throw wrongPassword(location, Math.min(tried, keysTriedMax), unreadable);
}

export function noRepository(location: Location): HoldfastError {
  return new HoldfastError('BACKUP_NO_REPOSITORY', `${location.name} holds no repository`, {
    hint: 'Check the location; a new repository is made by `holdfast init`, or by restic init.',
  });
}

/** Of what nothing can be read without: no check gets so far as to say more. */
export function unopenable(location: Location, why: string): HoldfastError {
  return new HoldfastError('BACKUP_DAMAGED', `the repository in ${location.name} can not be opened: ${why}`, {
    hint: 'Only another copy of that object helps: `holdfast scrub` heals it where the location has one.',
  });
}

function wrongPassword(location: Location, tried: number, unreadable: readonly string[]): HoldfastError {
  const damage = unreadable.length === 0 ? '' : `; ${unreadable.length} of them can not be read: ${unreadable.join('; ')}`;
  return new HoldfastError('BACKUP_PASSWORD_WRONG', `the password opens none of the ${tried} keys in ${location.name}${damage}`, {
    hint: 'Check where it comes from: --password-file, HOLDFAST_PASSWORD_FILE, or `password` of the location; without any of its passwords nobody can read a repository.',
  });
}

/** Stores another key for the same master key. */
export async function storeKey(
  location: Location,
  master: SealingKey,
  password: string,
  label: KeyLabel,
  options: CallOptions & { readonly cost?: KdfCost | undefined },
): Promise<FileId> {
  if (password === '')
    throw new HoldfastError('BACKUP_PASSWORD_EMPTY', 'a key needs a password', { hint: 'Name a secret that is not empty.' });
  const bytes = await encodeKeyFile(master, password, label, options.cost);
  const id = sha256(bytes);
  await location.put(objectKey('key', id), [bytes], { signal: options.signal });
  return id;
}

export async function* listKeys(location: Location, current: FileId, options: CallOptions): AsyncGenerator<RepositoryKey> {
  for await (const { id } of listFiles(location, 'key', options)) {
    const { created, username, hostname } = decodeKeyFile(await loadFile(location, 'key', id, options), `key ${id}`);
    yield { id, created, username, hostname, current: id === current };
  }
}

/** @throws BACKUP_KEY_UNKNOWN, BACKUP_KEY_IN_USE */
export async function dropKey(location: Location, idOrPrefix: string, current: FileId, options: CallOptions): Promise<void> {
  const matching: FileId[] = [];
  for await (const { id } of listFiles(location, 'key', options)) if (id.startsWith(idOrPrefix)) matching.push(id);
  const [id] = matching;
  if (id === undefined || matching.length > 1 || idOrPrefix === '') {
    const found = matching.length === 0 ? 'no key begins' : `${matching.length} keys begin`;
    throw new HoldfastError('BACKUP_KEY_UNKNOWN', `${found} with ${JSON.stringify(idOrPrefix)}`, {
      hint: 'The list of keys has their ids.',
    });
  }
  if (id === current) {
    throw new HoldfastError('BACKUP_KEY_IN_USE', `key ${id} is the one that opened the repository`, {
      hint: 'Open it with the password of another key, and remove this one then; or change its password.',
    });
  }
  await removeFile({ location }, 'key', id, options);
}
