import { hasCode, HoldfastError, messageOf } from '../../core/errors.ts';
import type { Runtime } from '../../core/runtime.ts';
import type { CallOptions, Location } from '../../storage/index.ts';
import type { KdfCost } from '../crypto/kdf.ts';
import { randomSealingKey, type SealingKey } from '../crypto/seal.ts';
import { type Configuration, decodeConfiguration, encodeConfiguration, newConfiguration } from '../documents/configuration.ts';
import type { RepositoryFiles } from '../documents/files.ts';
import { configKey } from '../documents/ids.ts';
import { openObject, sealDocument } from '../documents/sealed.ts';
import { findKey, storeKey, unopenable } from '../keys/keys.ts';
import { type Owner, thisProcess } from '../machine/owner.ts';
import type { assemble as assembleRepository } from './assemble.ts';
import type { OpenedRepository } from './opened-repository.ts';
import { readConfig } from './read-config.ts';
import { timeFromMs } from '../tree/time.ts';
import type { PoolOptions, WorkerPool } from '../workers/pool.ts';

const mebibyte = 1024 * 1024;
/** Packs are closed as soon as they have so many bytes. restic's own limits are 4 and 128 MiB. */
const packBytesDefault = 16 * mebibyte;
const packBytesMin = mebibyte;
const packBytesMax = 128 * mebibyte;

export interface RepositorySecret {
  readonly password: string;
}

export interface InitOptions extends RepositorySecret {
  /** Of the format; 2, unless a restic before 0.14 is to read it. */
  readonly version?: 1 | 2;
  /** What a guess at the password is to cost. */
  readonly kdfCost?: KdfCost;
  /** Who made the key, when not this process. */
  readonly owner?: Owner;
}

export interface OpenOptions extends RepositorySecret {
  /** Bytes of a pack at which it is stored: larger ones are fewer objects, smaller ones less to read again. 1 to 128 MiB. */
  readonly packBytes?: number;
  /** Threads for hashing, compression and encryption; as many as there are cores. 0: all in place. */
  readonly threads?: number;
  /** Whether there will be much for threads to do at once: they start while the key is derived. */
  readonly startsThreads?: boolean;
  /** Whether the calling thread does its share of the work, in place of one more thread: where it has nobody else to serve. */
  readonly callerWorks?: boolean;
  /** Go on without index files that can not be read: for check and repair alone. */
  readonly skipsDamagedIndexes?: boolean;
  /** Whose locks they are, when not this process's. */
  readonly owner?: Owner;
  /** Told when a key is being derived from the password, which keeps another core busy for some tenths of a second. */
  readonly onDeriving?: () => void;
}

/**
 * Makes a new, empty repository. The key comes first and `config` last, so that a repository that was cut off is none.
 * @throws BACKUP_EXISTS, BACKUP_PASSWORD_EMPTY
 */
export async function initRepository(
  location: Location,
  options: InitOptions,
  runtime: Runtime,
  { signal }: CallOptions,
): Promise<Configuration> {
  const { password, version = 2, kdfCost, owner = thisProcess() } = options;
  if ((await location.stat(configKey, { signal })) !== undefined) throw exists(location);
  const master = randomSealingKey();
  const configuration = newConfiguration(version);
  const { hostname, username } = owner;
  const label = { created: timeFromMs(runtime.clock.wallMs()), hostname, username };
  await storeKey(location, master, password, label, { signal, cost: kdfCost });
  const sealed = sealDocument(master, encodeConfiguration(configuration), { compressed: false });
  try {
    await location.put(configKey, [sealed], { signal, ifAbsent: true });
  } catch (error) {
    throw hasCode(error, 'STORAGE_EXISTS') ? exists(location) : error;
  }
  return configuration;
}

/**
 * Opens a repository: finds the key that the password fits, reads `config`, loads the index. Writes nothing.
 * @throws BACKUP_NO_REPOSITORY, BACKUP_REPOSITORIES_DIFFER, BACKUP_PASSWORD_WRONG, BACKUP_VERSION_UNKNOWN, BACKUP_DAMAGED
 */
export async function openRepository(
  location: Location,
  options: OpenOptions,
  runtime: Runtime,
  { signal }: CallOptions,
): Promise<OpenedRepository> {
  const {
    password,
    packBytes = packBytesDefault,
    threads,
    owner = thisProcess(),
    skipsDamagedIndexes = false,
    startsThreads = false,
    callerWorks = false,
  } = options;
  if (!(packBytes >= packBytesMin && packBytes <= packBytesMax)) throw new RangeError(`packs have 1 to 128 MiB, not ${packBytes} bytes`);
  const sealed = await readConfig(location, { signal });
  await using stack = new AsyncDisposableStack();
  let preparing: Promise<Prepared> | undefined;
  const prepared = (): Promise<Prepared> => (preparing ??= prepare(stack, { size: threads, callerWorks }, startsThreads));
  const onDeriving = (): void => {
    // Whoever needs it hears of its failure.
    prepared().catch(() => undefined);
    options.onDeriving?.();
  };
  const { master: key, id: keyId } = await findKey(location, password, { signal, onDeriving });
  const configuration = decodeConfiguration(openConfig(key, sealed, location));
  const files: RepositoryFiles = { location, key, version: configuration.version };
  const { pool, assemble } = await prepared();
  const parts = { files, pool, runtime, owner, configuration, keyId, packBytes };
  const repository = await assemble(parts, { skipsDamagedIndexes, signal });
  stack.move();
  return repository;
}

interface Prepared {
  readonly pool: WorkerPool;
  readonly assemble: typeof assembleRepository;
}

async function prepare(stack: AsyncDisposableStack, options: PoolOptions, startsThreads: boolean): Promise<Prepared> {
  const { assemble, createPool } = await import('./assemble.ts');
  // Where the key is not found meanwhile, nobody disposes of what comes later: then it is not started.
  const pool = stack.use(createPool(options));
  if (startsThreads) pool.start();
  return { pool, assemble };
}

function openConfig(key: SealingKey, sealed: Uint8Array, location: Location): Record<string, unknown> {
  try {
    return openObject(key, sealed, 'config');
  } catch (error) {
    throw hasCode(error, 'BACKUP_DAMAGED') ? unopenable(location, messageOf(error)) : error;
  }
}

function exists(location: Location): HoldfastError {
  return new HoldfastError('BACKUP_EXISTS', `${location.name} holds a repository already`, {
    hint: 'Use it, or name another path or prefix for a new one; nothing was changed.',
  });
}
