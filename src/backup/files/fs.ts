import * as fs from 'node:fs';
import { promisify } from 'node:util';
import { nameFromBytes } from '../tree/name.ts';
import { codeOf, fsPath } from './path.ts';

// Plain descriptors: an object for each handle costs as much as reading a small file does.

const openFile = promisify(fs.open);
const lstat = promisify(fs.lstat) as (path: string | Buffer, options: { bigint: true }) => Promise<fs.BigIntStats>;
const fstat = promisify(fs.fstat) as (fd: number, options: { bigint: true }) => Promise<fs.BigIntStats>;
const stat = promisify(fs.stat) as (path: string | Buffer, options: { bigint: true }) => Promise<fs.BigIntStats>;
const readdir = promisify(fs.readdir) as (path: string | Buffer, options: { encoding: 'buffer' }) => Promise<Buffer[]>;
const readlink = promisify(fs.readlink) as (path: string | Buffer, options: { encoding: 'buffer' }) => Promise<Buffer>;

export const close: (fd: number) => Promise<void> = promisify(fs.close);

export function look(path: string): Promise<fs.BigIntStats> {
  return lstat(fsPath(path), { bigint: true });
}

/** At what a link leads to. */
export function lookThrough(path: string): Promise<fs.BigIntStats> {
  return stat(fsPath(path), { bigint: true });
}

/** The same for who may stand still meanwhile. */
export function lookNow(path: string, isFollowed: boolean): fs.BigIntStats {
  const options = { bigint: true, throwIfNoEntry: true } as const;
  return isFollowed ? fs.statSync(fsPath(path), options) : fs.lstatSync(fsPath(path), options);
}

export function lookAt(fd: number): Promise<fs.BigIntStats> {
  return fstat(fd, { bigint: true });
}

/** To be its owner's and nobody else's: where this process may give it away. */
export async function give(path: string, owner: { readonly uid: bigint; readonly gid: bigint }, mode: 0o600 | 0o700): Promise<void> {
  if (process.geteuid?.() === 0) await fs.promises.chown(path, Number(owner.uid), Number(owner.gid));
  await fs.promises.chmod(path, mode);
}

/** Undefined where there is none. @throws RangeError when it is longer */
export async function readText(path: string, bytesMax: number): Promise<string | undefined> {
  const size = await look(path).then((found) => found.size, absent);
  if (size === undefined) return undefined;
  if (size > bytesMax) throw new RangeError(`${path} has more than ${bytesMax} bytes`);
  return await fs.promises.readFile(path, 'utf8');
}

function absent(error: unknown): undefined {
  if (codeOf(error) !== 'ENOENT' && codeOf(error) !== 'ENOTDIR') throw error;
}

export async function writeText(path: string, text: string): Promise<void> {
  await fs.promises.writeFile(path, text);
}

/** In no order. */
export async function listDirectory(path: string): Promise<string[]> {
  return (await readdir(fsPath(path), { encoding: 'buffer' })).map(nameFromBytes);
}

export async function readLink(path: string): Promise<string> {
  return nameFromBytes(await readlink(fsPath(path), { encoding: 'buffer' }));
}

const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK, O_NOATIME } = fs.constants;
const readingFlags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK;

/**
 * For reading, without leaving a trace in the time of access where the file is ours. Never through a symbolic link, and without waiting for
 * a writer should it be a FIFO by now: look at what was opened.
 */
export async function openForReading(path: string): Promise<number> {
  try {
    return await openFile(fsPath(path), readingFlags | (O_NOATIME ?? 0));
  } catch (error) {
    if (codeOf(error) !== 'EPERM') throw error;
    return openFile(fsPath(path), readingFlags);
  }
}

/** The same for a thread that has nothing else to do. */
export function openForReadingNow(path: string): number {
  try {
    return fs.openSync(fsPath(path), readingFlags | (O_NOATIME ?? 0));
  } catch (error) {
    if (codeOf(error) !== 'EPERM') throw error;
    return fs.openSync(fsPath(path), readingFlags);
  }
}

export function openWith(path: string, flags: number, mode: number): Promise<number> {
  return openFile(fsPath(path), flags, mode);
}

/** At least one byte, less than asked for only when the system gave less; 0 at the end. */
export function readAt(fd: number, into: Buffer, offset: number, sizeBytes: number, position: number): Promise<number> {
  return new Promise((resolve, reject) =>
    fs.read(fd, into, offset, sizeBytes, position, (error, count) => (error === null ? resolve(count) : reject(error))),
  );
}
