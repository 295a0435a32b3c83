import { randomBytes } from 'node:crypto';
import { unreachable, unsuitable } from '../../failures.ts';
import type { SftpConnection } from './connection.ts';
import { isStatus, isUnsupported } from './failure.ts';
import * as remote from './remote-directory.ts';

/** Beside the objects, by a name that no key can have. Only a directory that has it is known to be the one that was opened. */
const SCRATCH = '~holdfast';
/** What a put that was cut off left behind is removed at this age, by the server's clock: no put takes so long. */
const leftoverSeconds = 24 * 3600;
const leftoversMax = 10_000;

/** The directory of a location, found. */
export interface RemoteRoot {
  /** Absolute, without links. */
  readonly path: string;
  /** Where objects are written before they are seen. */
  readonly scratch: string;
  /** Whether a file can get a second name there. */
  readonly canLink: boolean;
  /** After something was not found: is the place itself? @throws STORAGE_UNREACHABLE */
  assertThere(connection: SftpConnection): Promise<void>;
}

/** @throws STORAGE_UNREACHABLE when it is not there */
export async function openRoot(location: string, configured: string, connection: SftpConnection): Promise<RemoteRoot> {
  const missing = (cause?: unknown): Error =>
    unreachable(location, `there is no directory ${configured}, or not the one that was there`, {
      cause,
      hint: `Mount its disk there. If it is new: mkdir -m 0700 ${configured}`,
    });
  const path = await connection
    .ask<string>((sftp, done) => sftp.realpath(configured, done))
    .catch((error: unknown) => {
      throw isStatus(error, 'noSuchFile', 'failure') ? missing(error) : error;
    });
  const info = await remote.look(connection, path);
  if (info === undefined) throw missing();
  if (!info.isDirectory()) throw unsuitable(location, `${configured} is no directory`);
  const scratch = `${path}/${SCRATCH}`;
  let [marked, canLink] = [true, false];
  try {
    await remote.makeDirectory(connection, scratch);
    canLink = await tryLink(connection, scratch);
  } catch (error) {
    // To restore from, it may well be read-only.
    if (!isStatus(error, 'permissionDenied', 'failure')) throw error;
    marked = (await remote.look(connection, scratch)) !== undefined;
  }
  return {
    path,
    scratch,
    canLink,
    assertThere: async (current) => {
      if ((await remote.look(current, marked ? scratch : path)) === undefined) throw missing();
    },
  };
}

/** Makes a file, tries to link it, and on the way removes what is a day older than it. */
async function tryLink(connection: SftpConnection, scratch: string): Promise<boolean> {
  const path = `${scratch}/put-${randomBytes(12).toString('hex')}`;
  const second = `${path}-link`;
  const handle = await remote.openFile(connection, path, 'wx');
  try {
    const { mtime } = await remote.sizeOfFile(connection, handle);
    await remote.closeFile(connection, handle);
    await removeLeftovers(connection, scratch, mtime - leftoverSeconds);
    await remote.linkFile(connection, path, second);
    await remote.removeFile(connection, second);
    return true;
  } catch (error) {
    if (isUnsupported(error) || isStatus(error, 'failure')) return false;
    throw error;
  } finally {
    await remote.removeFile(connection, path);
  }
}

async function removeLeftovers(connection: SftpConnection, scratch: string, untilSeconds: number): Promise<void> {
  let seen = 0;
  for await (const entries of remote.entriesOf(connection, scratch)) {
    for (const { filename, attrs } of entries) {
      if (!/^put-[0-9a-f]{24}(?:-link)?$/.test(filename) || attrs.mtime > untilSeconds) continue;
      if (++seen > leftoversMax) return;
      await remote.removeFile(connection, `${scratch}/${filename}`).catch(() => {});
    }
  }
}
