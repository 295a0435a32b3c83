import { randomBytes } from 'node:crypto';
import type { Logger } from '../../../core/logger.ts';
import { alreadyExists, full, unsuitable } from '../../failures.ts';
import { objectBytes } from '../../key.ts';
import type { SftpConnection } from './connection.ts';
import { isStatus, isUnsupported } from './failure.ts';
import * as remote from './remote-directory.ts';
import type { RemoteRoot } from './remote-root.ts';
import { upload } from './transfer.ts';

/** Directories that are remembered to be there. */
const madeMax = 4096;

/** Writes objects over one connection: each beside, flushed, then given its name. */
export class ObjectWriter {
  readonly #location: string;
  readonly #connection: SftpConnection;
  readonly #root: RemoteRoot;
  readonly #logger: Logger;
  readonly #made = new Set<string>();
  #warned = false;

  constructor(location: string, connection: SftpConnection, root: RemoteRoot, logger: Logger) {
    this.#location = location;
    this.#connection = connection;
    this.#root = root;
    this.#logger = logger;
  }

  /** @throws STORAGE_EXISTS with `ifAbsent`; STORAGE_FULL; what the server answers; the signal's reason */
  async put(key: string, data: readonly Uint8Array[], ifAbsent: boolean, signal: AbortSignal): Promise<void> {
    const written = `${this.#root.scratch}/put-${randomBytes(12).toString('hex')}`;
    let renamed = false;
    try {
      await this.#write(written, data, signal);
      signal.throwIfAborted();
      await this.#settle(written, key, ifAbsent);
      renamed = !ifAbsent;
    } catch (error) {
      if (isStatus(error, 'failure') && (await this.#isFull(objectBytes(data)))) throw full(this.#location, error);
      throw error;
    } finally {
      if (!renamed) await remote.removeFile(this.#connection, written).catch(() => {});
    }
  }

  /** Writes a temporary file, flushed where the server can. */
  async #write(path: string, data: readonly Uint8Array[], signal: AbortSignal): Promise<void> {
    const handle = await remote.openFile(this.#connection, path, 'wx');
    try {
      await upload(this.#connection, handle, data, signal);
      await remote.flushFile(this.#connection, handle).catch((error: unknown) => {
        if (!isUnsupported(error)) throw error;
        this.#warn('it can not flush files: what was put last may be lost when it crashes');
      });
    } finally {
      await remote.closeFile(this.#connection, handle);
    }
  }

  /** Gives what was written its name. The directory for it is most likely there. */
  async #settle(written: string, key: string, ifAbsent: boolean): Promise<void> {
    const target = `${this.#root.path}/${key}`;
    const directory = directoryOf(key);
    const settle = (): Promise<void> => (ifAbsent ? this.#create(written, target, key) : this.#replace(written, target, key));
    await this.#makeDirectories(directory);
    await settle().catch(async (error: unknown) => {
      if (!isStatus(error, 'noSuchFile')) throw error;
      // Somebody has removed the directory since.
      await this.#root.assertThere(this.#connection);
      this.#made.clear();
      await this.#makeDirectories(directory);
      await settle();
    });
  }

  async #replace(written: string, target: string, key: string): Promise<void> {
    try {
      await remote.replaceFile(this.#connection, written, target);
    } catch (error) {
      if (isUnsupported(error)) return await this.#renameAnew(written, target, key);
      if (isStatus(error, 'failure') && (await remote.look(this.#connection, target))?.isFile() === false)
        throw unsuitable(this.#location, `${key} is no file there`, { cause: error });
      throw error;
    }
  }

  /** Where a server has no other rename than the one that replaces nothing. */
  async #renameAnew(written: string, target: string, key: string): Promise<void> {
    await remote.renameFile(this.#connection, written, target).catch(async (error: unknown) => {
      if (!isStatus(error, 'failure') || (await remote.look(this.#connection, target)) === undefined) throw error;
      throw unsuitable(this.#location, `${key} can not be replaced there`, {
        cause: error,
        hint: 'It needs a server with posix-rename@openssh.com.',
      });
    });
  }

  /** @throws STORAGE_EXISTS */
  async #create(written: string, target: string, key: string): Promise<void> {
    if (!this.#root.canLink) {
      const taken = await this.#taken(target, key);
      if (taken !== undefined) throw taken;
      return await remote.renameFile(this.#connection, written, target);
    }
    await remote.linkFile(this.#connection, written, target).catch(async (error: unknown) => {
      throw (isStatus(error, 'failure') ? await this.#taken(target, key) : undefined) ?? error;
    });
  }

  /** Why a name can not be given; undefined when it is free. */
  async #taken(target: string, key: string): Promise<Error | undefined> {
    const info = await remote.look(this.#connection, target);
    if (info === undefined) return undefined;
    return info.isFile() ? alreadyExists(this.#location, key) : unsuitable(this.#location, `${key} is no file there`);
  }

  async #makeDirectories(directory: string): Promise<void> {
    if (directory === '' || this.#made.has(directory)) return;
    await this.#makeDirectories(directoryOf(directory));
    const path = `${this.#root.path}/${directory}`;
    await remote.makeDirectory(this.#connection, path).catch(async (error: unknown) => {
      if ((await remote.look(this.#connection, path)) === undefined) throw error;
      throw unsuitable(this.#location, `${directory} is no directory there, but an object`);
    });
    if (this.#made.size >= madeMax) this.#made.clear();
    this.#made.add(directory);
  }

  /** Whether it is for want of room that something failed: the protocol has no word for it. */
  async #isFull(sizeBytes: number): Promise<boolean> {
    const room = await remote.roomIn(this.#connection, this.#root.path).catch(() => Infinity);
    return room < Math.max(sizeBytes, 1);
  }

  #warn(message: string): void {
    if (!this.#warned) this.#logger.warn('storage.sftp.weak', { location: this.#location, message });
    this.#warned = true;
  }
}

/** Empty where there is none above. */
function directoryOf(key: string): string {
  return key.slice(0, Math.max(0, key.lastIndexOf('/')));
}
