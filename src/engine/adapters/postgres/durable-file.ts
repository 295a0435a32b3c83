import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { open, rename, unlink, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { HoldfastError, messageOf } from '../../../core/errors.ts';
import type { Account } from '../../../core/processes.ts';

interface WriteOptions {
  /** Default 0600. */
  readonly mode?: number;
  readonly account: Account | undefined;
}

/** Replaces a file atomically and durably: after a crash it holds the old or the new content, and once this resolves the new one. */
export async function writeDurably(path: string, content: string | Buffer, options: WriteOptions): Promise<void> {
  await replace(path, content, options, true);
  await flushDirectory(dirname(path));
}

/** Replaces a file atomically, for those who read it now. */
export async function writeWhole(path: string, content: string | Buffer, options: WriteOptions): Promise<void> {
  await replace(path, content, options, false);
}

/** Never writes through a link, since the directory may belong to the less trusted account. */
async function replace(path: string, content: string | Buffer, options: WriteOptions, durably: boolean): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    await using file = await open(
      temporary,
      constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
      options.mode ?? 0o600,
    );
    await file.writeFile(content);
    if (options.account !== undefined) await file.chown(options.account.uid, options.account.gid);
    if (durably) await file.sync();
    await rename(temporary, path);
  } catch (error) {
    await unlink(temporary).catch(() => {});
    throw asFileError(error, path);
  }
}

/** Makes renames and creations in a directory survive a crash. */
export async function flushDirectory(path: string): Promise<void> {
  await using directory: FileHandle = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  await directory.sync();
}

/** A full disk, or one that may not be written to, as the error that it is; anything else as it came. */
export function asFileError(error: unknown, path: string): unknown {
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new HoldfastError('ENGINE_NO_SPACE', `no space is left to write '${path}': ${messageOf(error)}`, {
      retryable: true,
      hint: 'Free space on that file system, or enlarge it; nothing that was there has been harmed.',
      cause: error,
    });
  }
  if (code !== 'EACCES' && code !== 'EPERM' && code !== 'EROFS' && code !== 'EBUSY') return error;
  return new HoldfastError('ENGINE_UNSUITABLE', `'${path}' can not be written: ${messageOf(error)}`, {
    hint: 'Let the user that Holdfast runs as write there (its parent too, where copies are made beside it), or name another directory as `data`.',
    cause: error,
  });
}
