import { createHash, type Hash } from 'node:crypto';
import { constants } from 'node:fs';
import { mkdir, open, symlink, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Account } from '../../../core/processes.ts';
import { give } from './durable-tree.ts';
import type { ReceivedFile } from './backup-manifest.ts';
import type { TarEntry, TarSink } from './tar-reader.ts';

/** Gathered before they are written. */
const writtenBytesMin = 512 * 1024;

/** Writes an archive's content below a directory, everything for the account alone, and notes size and hash of each file. */
export class Unpacker implements TarSink, AsyncDisposable {
  readonly #directory: string;
  readonly #prefix: string;
  readonly #account: Account | undefined;
  readonly #received: Map<string, ReceivedFile>;
  readonly #relocate: (target: string) => string;
  readonly #made = new Set<string>();
  #file: { handle: FileHandle; path: string; hash: Hash; sizeBytes: number; pending: Buffer[]; pendingBytes: number } | undefined;

  /** @param options.prefix under which the manifest knows the archive's files, with a slash at its end, or '' */
  constructor(
    directory: string,
    options: { prefix: string; account: Account | undefined; received: Map<string, ReceivedFile>; relocate: (target: string) => string },
  ) {
    this.#directory = directory;
    this.#prefix = options.prefix;
    this.#account = options.account;
    this.#received = options.received;
    this.#relocate = options.relocate;
  }

  async begin(entry: TarEntry): Promise<void> {
    const path = join(this.#directory, entry.name);
    if (entry.kind === 'directory') return await this.#makeDirectory(path);
    await this.#makeDirectory(dirname(path));
    if (entry.kind === 'link') {
      if (!/^pg_tblspc\/\d+$/.test(entry.name)) throw new RangeError(`the backup has a link where none belongs: '${entry.name}'`);
      return await symlink(this.#relocate(entry.linkTarget), path);
    }
    const handle = await open(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o600);
    if (this.#account !== undefined) await handle.chown(this.#account.uid, this.#account.gid);
    this.#file = { handle, path: `${this.#prefix}${entry.name}`, hash: createHash('sha256'), sizeBytes: 0, pending: [], pendingBytes: 0 };
  }

  async data(chunk: Buffer): Promise<void> {
    const file = this.#file!;
    file.hash.update(chunk);
    file.sizeBytes += chunk.length;
    file.pending.push(chunk);
    file.pendingBytes += chunk.length;
    if (file.pendingBytes >= writtenBytesMin) await this.#write();
  }

  /** Many small pieces at once: each write has its price. */
  async #write(): Promise<void> {
    const file = this.#file!;
    const { bytesWritten } = await file.handle.writev(file.pending);
    if (bytesWritten < file.pendingBytes) {
      // What was left out is tried again by itself, so that the reason is told.
      const rest = Buffer.concat(file.pending).subarray(bytesWritten);
      for (let at = 0; at < rest.length;) at += (await file.handle.write(rest, at)).bytesWritten;
    }
    file.pending = [];
    file.pendingBytes = 0;
  }

  async end(): Promise<void> {
    if (this.#file!.pendingBytes > 0) await this.#write();
    const { handle, path, hash, sizeBytes } = this.#file!;
    this.#file = undefined;
    await handle.close();
    this.#received.set(path, { sizeBytes, sha256: hash.digest('hex') });
  }

  async #makeDirectory(path: string): Promise<void> {
    if (path === this.#directory || this.#made.has(path)) return;
    await this.#makeDirectory(dirname(path));
    await mkdir(path, { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
    await give(path, this.#account);
    this.#made.add(path);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file?.handle.close();
    this.#file = undefined;
  }
}
