import type { Dir } from 'node:fs';
import { link, lstat, mkdir, opendir, realpath, rename, unlink, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { messageOf } from '../../../core/errors.ts';
import type { Runtime } from '../../../core/runtime.ts';
import { Calls } from '../../calls.ts';
import { alreadyExists, damaged, notFound, unreachable, unsuitable } from '../../failures.ts';
import { assertKey, assertPrefix, assertRange, isKey, objectBytes } from '../../key.ts';
import type { ByteRange, CallOptions, Draft, Location, LocationCapabilities, LocationStatus, ObjectInfo } from '../../location.ts';
import { type Entries, listBelow, readWithin } from '../../object-files.ts';
import type { LocalConfig } from './config.ts';
import { errnoOf, explainErrno, isMissing } from './failure.ts';
import { flushDirectory, openForReading, openToFlush, readPart, writeAll } from './files.ts';
import { LocalDraft } from './local-draft.ts';
import { Scratch } from './scratch.ts';

/** Entries of a directory that are looked at together. */
const looksAtOnce = 64;

/** So much is written and flushed by one call of the system; more, as the disk takes it, and flushed at the end. */
const flushedBytesMax = 1024 * 1024;
/** Elsewhere a disk may keep in its cache what was written so: Node's own fsync is stronger (F_FULLFSYNC of macOS). */
const flushingWrites = process.platform === 'linux';

/** What is known of the directory once it was there. */
interface Opened {
  /** Absolute, without links. */
  readonly root: string;
  readonly scratch: Scratch;
  /** Whether it can be written to; then it has its mark, the scratch directory. */
  readonly marked: boolean;
}

/**
 * Objects as files of a directory. Each is written beside, flushed, and renamed (or, where it must not exist, linked) into place, and the
 * directory flushed: what is seen is whole, and what was put survives a crash.
 *
 * The directory must exist; nothing outside of it is touched, and no link out of it followed. When it goes away (its disk is unmounted),
 * so does the location: nothing is written where it used to be.
 */
export class LocalLocation implements Location {
  readonly name: string;
  readonly #path: string;
  readonly #runtime: Runtime;
  readonly #calls: Calls;
  #opened: Opened | undefined;
  #canLink = false;

  constructor(name: string, config: LocalConfig, runtime: Runtime) {
    this.name = name;
    this.#path = config;
    this.#runtime = runtime;
    this.#calls = new Calls(name, runtime.clock, (error) => explainErrno(name, error));
  }

  get capabilities(): LocationCapabilities {
    return { conditionalCreate: this.#canLink, keepsOldVersions: false };
  }

  /** Looks at the directory for the first time; each call does so until it is found. @throws STORAGE_UNREACHABLE, STORAGE_DENIED, STORAGE_UNSUITABLE */
  async connect(signal: AbortSignal): Promise<void> {
    await this.#calls.run(signal, () => this.#open());
  }

  async put(
    key: string,
    data: readonly Uint8Array[],
    { signal, ifAbsent = false }: CallOptions & { readonly ifAbsent?: boolean },
  ): Promise<void> {
    assertKey(key);
    const sizeBytes = objectBytes(data);
    await this.#calls.run(signal, async () => {
      const { scratch } = await this.#open(true);
      const flushes = flushingWrites && sizeBytes > 0 && sizeBytes <= flushedBytesMax;
      // Where this can be made, the place is there: only then directories may be.
      const { file, path: written } = await scratch.create('put', { flushes });
      await using _file = file;
      const writing = writeAll(file, data, signal).then(() => (flushes ? undefined : file.datasync()));
      // Whether it failed is asked for below: the disk is at work meanwhile.
      writing.catch(() => {});
      try {
        await this.#name(written, key, writing, { signal, ifAbsent });
      } catch (error) {
        await writing.catch(() => {});
        await unlink(written).catch(() => {});
        throw error;
      }
    });
  }

  async draft({ signal }: CallOptions): Promise<Draft> {
    return await this.#calls.run(signal, async () => {
      const { scratch } = await this.#open(true);
      const { file, path } = await scratch.create('draft');
      const draft = new LocalDraft(
        file,
        this.#calls,
        async (key, flushed, options) => {
          // Only where it is there is the place, and directories may be made.
          await lstat(path);
          await this.#name(path, key, flushed, options);
        },
        () => unlink(path),
      );
      // A call that is given up goes on by itself: what it makes then is nobody's.
      if (signal.aborted) await draft[Symbol.asyncDispose]();
      return draft;
    });
  }

  async get(key: string, { signal, range }: CallOptions & { readonly range?: ByteRange }): Promise<Uint8Array> {
    assertKey(key);
    if (range !== undefined) assertRange(range);
    return await this.#calls.run(signal, async () => {
      const path = await this.#pathOf(key);
      if (path === undefined) throw notFound(this.name, key);
      try {
        await using file = await openForReading(path);
        const info = await file.stat();
        if (!info.isFile()) throw notFound(this.name, key);
        return await readWithin({ name: this.name, key, fileBytes: info.size }, range, (offset, sizeBytes) =>
          readPart(file, offset, sizeBytes, signal),
        );
      } catch (error) {
        if (isMissing(error)) {
          await this.#assertThere();
          throw notFound(this.name, key);
        }
        if (errnoOf(error) === 'EIO') throw damaged(this.name, key, `can not be read: ${messageOf(error)}`, error);
        throw error;
      }
    });
  }

  async stat(key: string, { signal }: CallOptions): Promise<ObjectInfo | undefined> {
    assertKey(key);
    return await this.#calls.run(signal, async () => {
      const path = await this.#pathOf(key);
      return path === undefined ? undefined : await this.#look(key, path);
    });
  }

  async *list(prefix: string, { signal }: CallOptions): AsyncGenerator<ObjectInfo> {
    assertPrefix(prefix);
    const { root } = await this.#calls.run(signal, async () => {
      // An empty directory where the disk is not mounted is no empty location.
      await this.#assertThere();
      return await this.#open();
    });
    yield* listBelow(prefix, (directory) => this.#entries(root, directory, signal), signal);
  }

  async remove(key: string, { signal }: CallOptions): Promise<void> {
    assertKey(key);
    await this.#calls.run(signal, async () => {
      const path = await this.#pathOf(key);
      if (path === undefined) return;
      await unlink(path).catch(async (error: unknown) => {
        // What is a directory is no object, and stays.
        if (isMissing(error)) await this.#assertThere();
        else if (errnoOf(error) !== 'EISDIR') throw error;
      });
    });
  }

  status(): LocationStatus {
    return this.#calls.status();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#calls.settle();
  }

  /** @param writing whether it must be possible to write to it */
  async #open(writing = false): Promise<Opened> {
    if (this.#opened !== undefined && (this.#opened.marked || !writing)) return this.#opened;
    const root = await realpath(this.#path).catch((error: unknown) => {
      throw isMissing(error) ? this.#missing(error) : error;
    });
    const scratch = new Scratch(root, this.#runtime.clock);
    let marked = true;
    try {
      await scratch.make();
      this.#canLink = await scratch.canLink();
    } catch (error) {
      // To restore from, it may well be read-only.
      if (writing || !['EROFS', 'EACCES', 'EPERM'].includes(errnoOf(error) ?? '')) throw error;
      marked = false;
    }
    return (this.#opened = { root, scratch, marked });
  }

  /** Gives what was written its key, to stay, once it is on the disk. */
  async #name(
    written: string,
    key: string,
    flushed: Promise<void>,
    { signal, ifAbsent = false }: CallOptions & { readonly ifAbsent?: boolean },
  ): Promise<void> {
    const { root } = await this.#open(true);
    const target = join(root, key);
    await using directory = await this.#directory(root, dirname(key));
    await flushed;
    signal.throwIfAborted();
    await (ifAbsent ? this.#create(written, target, key) : rename(written, target));
    await directory.sync();
  }

  /** Gives what was written its name, unless another has it. @throws STORAGE_EXISTS */
  async #create(written: string, target: string, key: string): Promise<void> {
    const taken = async (): Promise<Error> =>
      (await lstat(target)).isFile() ? alreadyExists(this.name, key) : unsuitable(this.name, `${key} is no file there`);
    if (!this.#canLink) {
      if ((await this.#look(key, target)) !== undefined) throw await taken();
      return await rename(written, target);
    }
    await link(written, target).catch(async (error: unknown) => {
      throw errnoOf(error) === 'EEXIST' ? await taken() : error;
    });
    await unlink(written);
  }

  /** That of a key, open to be flushed. */
  async #directory(root: string, directory: string): Promise<FileHandle> {
    await this.#makeDirectories(root, directory);
    return await openToFlush(join(root, directory));
  }

  /** Makes what is missing of the directories of a key, one by one, each flushed into the one above; never the root itself. */
  async #makeDirectories(root: string, directory: string): Promise<void> {
    if (directory === '.') return;
    const path = join(root, directory);
    if ((await this.#real(path)) !== undefined) return;
    await this.#makeDirectories(root, dirname(directory));
    await mkdir(path, { mode: 0o700 }).catch((error: unknown) => {
      if (errnoOf(error) !== 'EEXIST') throw error;
    });
    await flushDirectory(dirname(path));
    if (!(await lstat(path)).isDirectory()) throw unsuitable(this.name, `${directory} is no directory there, but an object`);
  }

  /** Where an object is or would be; undefined where not even its directory is. @throws STORAGE_UNREACHABLE when all is gone */
  async #pathOf(key: string): Promise<string | undefined> {
    const { root } = await this.#open();
    const path = join(root, key);
    if ((await this.#real(dirname(path))) !== undefined) return path;
    await this.#assertThere();
    return undefined;
  }

  /** The path itself, when it is there and no link is on the way to it. @throws STORAGE_UNSUITABLE for one that leads elsewhere */
  async #real(path: string): Promise<string | undefined> {
    const real = await realpath(path).catch((error: unknown) => {
      if (!isMissing(error)) throw error;
      return undefined;
    });
    if (real === undefined || real === path) return real;
    throw unsuitable(this.name, `${path} is reached by a symbolic link`, {
      hint: 'Mount what it leads to in its place (mount --bind), or make it a location of its own.',
    });
  }

  /** Of a file; undefined of what is none, or not there. */
  async #look(key: string, path: string): Promise<ObjectInfo | undefined> {
    const info = await lstat(path).catch((error: unknown) => {
      if (!isMissing(error)) throw error;
      return undefined;
    });
    if (info === undefined) await this.#assertThere();
    if (info?.isSymbolicLink() === true) throw unsuitable(this.name, `${path} is a symbolic link, and not followed`);
    return info?.isFile() === true ? { key, sizeBytes: info.size, modifiedMs: Math.floor(info.mtimeMs) } : undefined;
  }

  /** After something was not found: is the place itself? @throws STORAGE_UNREACHABLE */
  async #assertThere(): Promise<void> {
    const { root, scratch, marked } = await this.#open();
    await lstat(marked ? scratch.path : root).catch((error: unknown) => {
      throw isMissing(error) ? this.#missing(error) : error;
    });
  }

  /** What is in one directory, some at a time; nothing when it is not there (any more). */
  async *#entries(root: string, prefix: string, signal: AbortSignal): AsyncGenerator<Entries> {
    const path = join(root, prefix).replace(/\/$/, '');
    // A call that is given up goes on by itself: what it opens then is nobody's.
    const listed: { directory?: Dir | undefined; isOver: boolean } = { isOver: false };
    try {
      await this.#calls.run(signal, async () => {
        if ((await this.#real(path)) === undefined) return;
        listed.directory = await openDirectory(path);
        if (listed.isOver) await listed.directory?.close();
      });
      const { directory } = listed;
      if (directory === undefined) return await this.#calls.run(signal, () => this.#assertThere());
      for (let more = true; more;) {
        const found = await this.#calls.run(signal, () => this.#nextEntries(directory, root, prefix));
        more = found.more;
        yield found;
      }
    } finally {
      listed.isOver = true;
      await listed.directory?.close().catch(() => {});
    }
  }

  async #nextEntries(directory: Dir, root: string, prefix: string): Promise<Entries & { more: boolean }> {
    const directories: string[] = [];
    const keys: string[] = [];
    let more = true;
    while (more && keys.length < looksAtOnce) {
      const entry = await directory.read();
      more = entry !== null;
      const key = `${prefix}${entry?.name ?? ''}`;
      if (entry === null || !isKey(key)) continue;
      if (entry.isDirectory()) directories.push(`${key}/`);
      else keys.push(key);
    }
    const looks = await Promise.all(keys.map((key) => this.#look(key, join(root, key))));
    return { files: looks.filter((info) => info !== undefined), directories, more };
  }

  #missing(cause: unknown): Error {
    return unreachable(this.name, `there is no directory ${this.#path}, or not the one that was there`, {
      cause,
      hint: `Mount its disk. If it is new: install -d -m 0700 ${this.#path}`,
    });
  }
}

async function openDirectory(path: string): Promise<Dir | undefined> {
  return await opendir(path, { bufferSize: looksAtOnce }).catch((error: unknown) => {
    if (!isMissing(error)) throw error;
    return undefined;
  });
}
