import type { Attributes, FileEntryWithStats, Stats } from 'ssh2';
import type { SftpConnection } from './connection.ts';
import { isStatus } from './failure.ts';

// The requests of the protocol as promises, by absolute path on the server.

export async function openFile(connection: SftpConnection, path: string, flags: 'r' | 'wx'): Promise<Buffer> {
  return await connection.ask<Buffer>((sftp, done) => sftp.open(path, flags, { mode: 0o600 } as Attributes, done));
}

export async function closeFile(connection: SftpConnection, handle: Buffer): Promise<void> {
  await connection.ask((sftp, done) => sftp.close(handle, (error) => done(error, undefined)));
}

export async function sizeOfFile(connection: SftpConnection, handle: Buffer): Promise<Stats> {
  return await connection.ask<Stats>((sftp, done) => sftp.fstat(handle, done));
}

/** Of the entry itself, no link followed; undefined when there is none. */
export async function look(connection: SftpConnection, path: string): Promise<Stats | undefined> {
  try {
    return await connection.ask<Stats>((sftp, done) => sftp.lstat(path, done));
  } catch (error) {
    if (isStatus(error, 'noSuchFile')) return undefined;
    // A file where a directory would be is "Failure" to OpenSSH, like all that it has no word for.
    if (isStatus(error, 'failure') && (await isBelowFile(connection, path))) return undefined;
    throw error;
  }
}

/** Whether something on the way to a path is no directory, so that nothing can be there. */
export async function isBelowFile(connection: SftpConnection, path: string): Promise<boolean> {
  const above = path.slice(0, path.lastIndexOf('/'));
  if (above === '') return false;
  try {
    const info = await connection.ask<Stats>((sftp, done) => sftp.stat(above, done));
    return !info.isDirectory();
  } catch (error) {
    return isStatus(error, 'failure') && (await isBelowFile(connection, above));
  }
}

export async function removeFile(connection: SftpConnection, path: string): Promise<void> {
  await connection.ask((sftp, done) => sftp.unlink(path, (error) => done(error, undefined)));
}

/** Makes a directory for its owner alone; nothing happens when there is one. */
export async function makeDirectory(connection: SftpConnection, path: string): Promise<void> {
  try {
    await connection.ask((sftp, done) => sftp.mkdir(path, { mode: 0o700 } as Attributes, (error) => done(error, undefined)));
  } catch (error) {
    if (!isStatus(error, 'failure') || (await look(connection, path))?.isDirectory() !== true) throw error;
  }
}

/** Gives a file another name, atomically in place of what has it (posix-rename@openssh.com). */
export async function replaceFile(connection: SftpConnection, from: string, to: string): Promise<void> {
  await connection.ask((sftp, done) => sftp.ext_openssh_rename(from, to, (error) => done(error, undefined)));
}

/** Gives a file another name, unless something has it: so the protocol wants it, and OpenSSH does it by link(2). */
export async function renameFile(connection: SftpConnection, from: string, to: string): Promise<void> {
  await connection.ask((sftp, done) => sftp.rename(from, to, (error) => done(error, undefined)));
}

/** Gives a file a second name, unless something has it (hardlink@openssh.com). */
export async function linkFile(connection: SftpConnection, from: string, to: string): Promise<void> {
  await connection.ask((sftp, done) => sftp.ext_openssh_hardlink(from, to, (error) => done(error, undefined)));
}

/** Makes what was written survive a crash of the server (fsync@openssh.com). */
export async function flushFile(connection: SftpConnection, handle: Buffer): Promise<void> {
  await connection.ask((sftp, done) => sftp.ext_openssh_fsync(handle, (error) => done(error, undefined)));
}

/** Bytes that are left for a user who is not root (statvfs@openssh.com); 0 when no file can be made. */
export async function roomIn(connection: SftpConnection, path: string): Promise<number> {
  const info = await connection.ask<Record<'f_frsize' | 'f_bavail' | 'f_favail' | 'f_files', number | bigint>>((sftp, done) =>
    sftp.ext_openssh_statvfs(path, done as (error: Error | undefined, info: unknown) => void),
  );
  // Some file systems have no limit of files, and say 0 of 0.
  if (Number(info.f_favail) === 0 && Number(info.f_files) > 0) return 0;
  return Number(info.f_bavail) * Number(info.f_frsize);
}

/** What is in a directory, some at a time. @throws as the first answer: noSuchFile, failure for what is none */
export async function* entriesOf(connection: SftpConnection, path: string): AsyncGenerator<readonly FileEntryWithStats[]> {
  const handle = await connection.ask<Buffer>((sftp, done) => sftp.opendir(path, done));
  try {
    for (;;) yield await connection.ask<FileEntryWithStats[]>((sftp, done) => sftp.readdir(handle, done));
  } catch (error) {
    if (!isStatus(error, 'endOfFile')) throw error;
  } finally {
    // Nobody waits for it; where the connection broke the server has closed it.
    void closeFile(connection, handle).catch(() => {});
  }
}
