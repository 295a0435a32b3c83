import { randomBytes } from 'node:crypto';
import type { Stats } from 'ssh2';
import { deadline } from '../../../core/deadline.ts';
import type { Runtime } from '../../../core/runtime.ts';
import type { ConnectedLocation } from '../../adapter.ts';
import { Calls } from '../../calls.ts';
import { alreadyExists, beyondEnd, full, notFound, unreachable, unsuitable } from '../../failures.ts';
import { assertKey, assertPrefix, assertRange, isKey, OBJECT_BYTES_MAX, objectBytes } from '../../key.ts';
import type { ByteRange, CallOptions, LocationCapabilities, LocationStatus, ObjectInfo } from '../../location.ts';
import { Slots } from '../../slots.ts';
import type { SftpConfig } from './config.ts';
import { SftpConnection, type SftpLimits } from './connection.ts';
import { explainSftp, isStatus, isUnsupported } from './failure.ts';
import * as remote from './remote-directory.ts';
import { openRoot, type RemoteRoot } from './remote-root.ts';
import { download, upload } from './transfer.ts';

/** How long a call may take: so much, and its bytes at no less than this speed. */
const callMsMax = 60_000;
const bytesPerMsMin = 32;
/** Calls at once on the one connection; others wait for their turn. */
const callsAtOnce = 16;
/** Directories that are known to be there. */
const madeMax = 4096;

/** A connection, and what was found at its other end. */
interface Session {
  readonly connection: SftpConnection;
  readonly root: RemoteRoot;
}

/**
 * Objects as files of a directory of an SSH server. Each is written beside, flushed, and renamed (or, where it must not exist, linked) into
 * place. One connection; when it has broken, the next call opens another.
 */
export class SftpLocation implements ConnectedLocation {
  readonly name: string;
  readonly #config: SftpConfig;
  readonly #limits: SftpLimits;
  readonly #runtime: Runtime;
  readonly #calls: Calls;
  readonly #slots = new Slots(callsAtOnce);
  readonly #made = new Set<string>();
  #session: Promise<Session> | undefined;
  #canLink = false;
  #warned = false;

  constructor(name: string, config: SftpConfig, runtime: Runtime, limits: SftpLimits) {
    this.name = name;
    this.#config = config;
    this.#limits = limits;
    this.#runtime = runtime;
    this.#calls = new Calls(name, runtime.clock, (error) => explainSftp(name, error));
  }

  get capabilities(): LocationCapabilities {
    return { conditionalCreate: this.#canLink, keepsOldVersions: false };
  }

  async connect(signal: AbortSignal): Promise<void> {
    await this.#call(signal, 0, async () => {});
  }

  async put(
    key: string,
    data: readonly Uint8Array[],
    { signal, ifAbsent = false }: CallOptions & { readonly ifAbsent?: boolean },
  ): Promise<void> {
    assertKey(key);
    const sizeBytes = objectBytes(data);
    await this.#call(signal, sizeBytes, async ({ connection, root }, limit) => {
      const written = `${root.scratch}/put-${randomBytes(12).toString('hex')}`;
      let renamed = false;
      try {
        await this.#write(connection, written, data, limit);
        limit.throwIfAborted();
        await this.#settle(connection, root, written, key, ifAbsent);
        renamed = !ifAbsent;
      } catch (error) {
        if (isStatus(error, 'failure') && (await isFull(connection, root.path, sizeBytes))) throw full(this.name, error);
        throw error;
      } finally {
        if (!renamed) await remote.removeFile(connection, written).catch(() => {});
      }
    });
  }

  async get(key: string, { signal, range }: CallOptions & { readonly range?: ByteRange }): Promise<Uint8Array> {
    assertKey(key);
    if (range !== undefined) assertRange(range);
    return await this.#call(signal, range?.sizeBytes ?? OBJECT_BYTES_MAX, async ({ connection, root }, limit) => {
      const path = `${root.path}/${key}`;
      const handle = await remote.openFile(connection, path, 'r').catch(async (error: unknown) => {
        if (isStatus(error, 'noSuchFile') || (await remote.isBelowFile(connection, path))) await this.#missing(connection, root, key);
        throw error;
      });
      try {
        const info = await remote.sizeOfFile(connection, handle);
        if (!info.isFile()) throw notFound(this.name, key);
        const { offset, sizeBytes } = range ?? { offset: 0, sizeBytes: info.size };
        if (offset + sizeBytes > info.size) throw beyondEnd(this.name, key, offset + sizeBytes, info.size);
        if (sizeBytes > OBJECT_BYTES_MAX) throw unsuitable(this.name, `${key} has ${sizeBytes} bytes, more than an object has`);
        const bytes = await download(connection, handle, offset, sizeBytes, limit);
        if (bytes.byteLength < sizeBytes) throw beyondEnd(this.name, key, offset + sizeBytes, offset + bytes.byteLength);
        return bytes;
      } finally {
        void remote.closeFile(connection, handle).catch(() => {});
      }
    });
  }

  async stat(key: string, { signal }: CallOptions): Promise<ObjectInfo | undefined> {
    assertKey(key);
    return await this.#call(signal, 0, async ({ connection, root }) => {
      const info = await remote.look(connection, `${root.path}/${key}`);
      if (info === undefined) await root.assertThere(connection);
      return info?.isFile() === true ? describe(key, info) : undefined;
    });
  }

  async *list(prefix: string, { signal }: CallOptions): AsyncGenerator<ObjectInfo> {
    assertPrefix(prefix);
    // An empty directory where the disk is not mounted is no empty location.
    await this.#call(signal, 0, ({ connection, root }) => root.assertThere(connection));
    const open = [prefix];
    for (let directory = open.pop(); directory !== undefined; directory = open.pop()) {
      const { files, directories } = await this.#directory(directory, signal);
      open.push(...directories);
      for (const file of files) {
        signal.throwIfAborted();
        yield file;
      }
    }
  }

  async remove(key: string, { signal }: CallOptions): Promise<void> {
    assertKey(key);
    await this.#call(signal, 0, async ({ connection, root }) => {
      const path = `${root.path}/${key}`;
      await remote.removeFile(connection, path).catch(async (error: unknown) => {
        if ((await remote.look(connection, path))?.isFile() === true) throw error;
        await root.assertThere(connection);
      });
    });
  }

  status(): LocationStatus {
    return this.#calls.status();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#calls.settle();
    const session = await this.#session?.catch(() => undefined);
    await session?.connection[Symbol.asyncDispose]();
  }

  /** One call on the connection, in its turn, with a limit of time; after that the connection is taken for dead. */
  async #call<T>(signal: AbortSignal, sizeBytes: number, call: (session: Session, limit: AbortSignal) => Promise<T>): Promise<T> {
    return await this.#calls.run(signal, async () => {
      using _slot = await this.#slots.take(signal);
      const session = await this.#open();
      const limitMs = callMsMax + sizeBytes / bytesPerMsMin;
      const late = unreachable(this.name, `no answer within ${Math.round(limitMs / 1000)} s`);
      using limit = deadline(this.#runtime.clock, limitMs, () => late, signal);
      using _timer = this.#runtime.clock.after(limitMs, () => session.connection.break(late));
      return await call(session, limit.signal);
    });
  }

  async #open(): Promise<Session> {
    this.#session ??= this.#begin();
    return await this.#session;
  }

  async #begin(): Promise<Session> {
    const ended = (): void => void (this.#session = undefined);
    try {
      await using stack = new AsyncDisposableStack();
      const { clock } = this.#runtime;
      const connection = stack.use(await SftpConnection.open(this.name, this.#config, clock, this.#limits));
      const late = unreachable(this.name, `no answer within ${this.#limits.readyMsMax} ms`);
      using _timer = clock.after(this.#limits.readyMsMax, () => connection.break(late));
      const root = await openRoot(this.name, this.#config.path, connection);
      connection.broken.throwIfAborted();
      connection.broken.addEventListener('abort', ended, { once: true });
      this.#made.clear();
      this.#canLink = root.canLink;
      stack.move();
      return { connection, root };
    } catch (error) {
      ended();
      throw error;
    }
  }

  /** Writes a temporary file, flushed where the server can. */
  async #write(connection: SftpConnection, path: string, data: readonly Uint8Array[], signal: AbortSignal): Promise<void> {
    const handle = await remote.openFile(connection, path, 'wx');
    try {
      await upload(connection, handle, data, signal);
      await remote.flushFile(connection, handle).catch((error: unknown) => {
        if (!isUnsupported(error)) throw error;
        this.#warn('it can not flush files: what was put last may be lost when it crashes');
      });
    } finally {
      await remote.closeFile(connection, handle);
    }
  }

  /** Gives what was written its name. The directory for it is most likely there. */
  async #settle(connection: SftpConnection, root: RemoteRoot, written: string, key: string, ifAbsent: boolean): Promise<void> {
    const target = `${root.path}/${key}`;
    const directory = key.includes('/') ? key.slice(0, key.lastIndexOf('/')) : '';
    await this.#makeDirectories(connection, root, directory);
    const settle = (): Promise<void> =>
      ifAbsent ? this.#create(connection, written, target, key) : this.#replace(connection, written, target, key);
    await settle().catch(async (error: unknown) => {
      if (!isStatus(error, 'noSuchFile')) throw error;
      // Somebody has removed the directory since.
      await root.assertThere(connection);
      this.#made.clear();
      await this.#makeDirectories(connection, root, directory);
      await settle();
    });
  }

  async #replace(connection: SftpConnection, written: string, target: string, key: string): Promise<void> {
    try {
      await remote.replaceFile(connection, written, target).catch(async (error: unknown) => {
        if (!isUnsupported(error)) throw error;
        await remote.renameFile(connection, written, target);
      });
    } catch (error) {
      if (isStatus(error, 'failure') && (await remote.look(connection, target)) !== undefined)
        throw unsuitable(this.name, `${key} can not be replaced there`, {
          cause: error,
          hint: 'It needs a server with posix-rename@openssh.com, and no directory of that name.',
        });
      throw error;
    }
  }

  /** @throws STORAGE_EXISTS */
  async #create(connection: SftpConnection, written: string, target: string, key: string): Promise<void> {
    const taken = async (): Promise<Error | undefined> => {
      const info = await remote.look(connection, target);
      if (info === undefined) return undefined;
      return info.isFile() ? alreadyExists(this.name, key) : unsuitable(this.name, `${key} is no file there`);
    };
    if (!this.#canLink) {
      const error = await taken();
      if (error !== undefined) throw error;
      return await remote.renameFile(connection, written, target);
    }
    await remote.linkFile(connection, written, target).catch(async (error: unknown) => {
      throw (isStatus(error, 'failure') ? await taken() : undefined) ?? error;
    });
  }

  async #makeDirectories(connection: SftpConnection, root: RemoteRoot, directory: string): Promise<void> {
    if (directory === '' || this.#made.has(directory)) return;
    const above = directory.includes('/') ? directory.slice(0, directory.lastIndexOf('/')) : '';
    await this.#makeDirectories(connection, root, above);
    await remote.makeDirectory(connection, `${root.path}/${directory}`).catch(async (error: unknown) => {
      const info = await remote.look(connection, `${root.path}/${directory}`);
      throw info === undefined ? error : unsuitable(this.name, `${directory} is no directory there, but an object`);
    });
    if (this.#made.size >= madeMax) this.#made.clear();
    this.#made.add(directory);
  }

  /** What is in one directory. One that is not there is empty. */
  async #directory(prefix: string, signal: AbortSignal): Promise<{ files: ObjectInfo[]; directories: string[] }> {
    return await this.#call(signal, 0, async ({ connection, root }) => {
      const files: ObjectInfo[] = [];
      const directories: string[] = [];
      const path = `${root.path}/${prefix}`.replace(/\/$/, '');
      try {
        for await (const entries of remote.entriesOf(connection, path)) {
          for (const { filename, attrs } of entries) {
            const key = `${prefix}${filename}`;
            if (!isKey(key)) continue;
            if (attrs.isDirectory()) directories.push(`${key}/`);
            else if (attrs.isFile()) files.push(describe(key, attrs));
          }
        }
      } catch (error) {
        if (!isStatus(error, 'noSuchFile') && (await remote.look(connection, path))?.isDirectory() === true) throw error;
        await root.assertThere(connection);
      }
      return { files, directories };
    });
  }

  /** @throws STORAGE_NOT_FOUND, or STORAGE_UNREACHABLE when all is gone */
  async #missing(connection: SftpConnection, root: RemoteRoot, key: string): Promise<never> {
    await root.assertThere(connection);
    throw notFound(this.name, key);
  }

  #warn(message: string): void {
    if (!this.#warned) this.#runtime.logger.warn('storage.sftp.weak', { location: this.name, message });
    this.#warned = true;
  }
}

/** Whether it is for want of room that something failed: the protocol has no word for it. */
async function isFull(connection: SftpConnection, path: string, sizeBytes: number): Promise<boolean> {
  return (await remote.roomIn(connection, path).catch(() => Infinity)) < Math.max(sizeBytes, 1);
}

function describe(key: string, { size, mtime }: Pick<Stats, 'size' | 'mtime'>): ObjectInfo {
  return { key, sizeBytes: size, modifiedMs: mtime * 1000 };
}
