import type { Stats } from 'ssh2';
import { deadline } from '../../../core/deadline.ts';
import type { Runtime } from '../../../core/runtime.ts';
import type { ConnectedLocation } from '../../adapter.ts';
import { Calls } from '../../calls.ts';
import { notFound, unreachable } from '../../failures.ts';
import { assertKey, assertPrefix, assertRange, isKey, OBJECT_BYTES_MAX, objectBytes } from '../../key.ts';
import type { ByteRange, CallOptions, LocationCapabilities, LocationStatus, ObjectInfo } from '../../location.ts';
import { type Entries, listBelow, readWithin } from '../../object-files.ts';
import { Slots } from '../../slots.ts';
import type { SftpConfig } from './config.ts';
import { SftpConnection, type SftpLimits } from './connection.ts';
import { explainSftp, isStatus } from './failure.ts';
import { ObjectWriter } from './object-writer.ts';
import * as remote from './remote-directory.ts';
import { openRoot, type RemoteRoot } from './remote-root.ts';
import { download } from './transfer.ts';

/** How long a call may take: so much, and its bytes at no less than this speed. */
const callMsMax = 60_000;
const bytesPerMsMin = 32;
/** Calls at once on the one connection; others wait for their turn. */
const callsAtOnce = 16;

/** A connection, and what was found at its other end. */
interface Session {
  readonly connection: SftpConnection;
  readonly root: RemoteRoot;
  readonly writer: ObjectWriter;
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
  #session: Promise<Session> | undefined;
  #canLink = false;

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
    await this.#call(signal, objectBytes(data), ({ writer }, limit) => writer.put(key, data, ifAbsent, limit));
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
        return await readWithin({ name: this.name, key, fileBytes: info.size }, range, (offset, sizeBytes) =>
          download(connection, handle, offset, sizeBytes, limit),
        );
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
    yield* listBelow(prefix, (directory) => [this.#directory(directory, signal)], signal);
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
      this.#canLink = root.canLink;
      stack.move();
      return { connection, root, writer: new ObjectWriter(this.name, connection, root, this.#runtime.logger) };
    } catch (error) {
      ended();
      throw error;
    }
  }

  /** What is in one directory. One that is not there is empty. */
  async #directory(prefix: string, signal: AbortSignal): Promise<Entries> {
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
}

function describe(key: string, { size, mtime }: Pick<Stats, 'size' | 'mtime'>): ObjectInfo {
  return { key, sizeBytes: size, modifiedMs: mtime * 1000 };
}
