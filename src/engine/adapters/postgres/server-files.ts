import { rename, stat, unlink, open, truncate, copyFile } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { HoldfastError } from '../../../core/errors.ts';

/** The log is begun anew at this size; one older part is kept. */
const logBytesMax = 32 * 1024 * 1024;
/** How much of the log's end is looked at for why a start failed. */
const logTailBytes = 64 * 1024;

/** What the main process says of itself in postmaster.pid (pidfile.h). */
export interface PidFile {
  readonly pid: number;
  readonly status: 'starting' | 'stopping' | 'ready' | 'standby' | undefined;
}

export function readPidFile(data: string): PidFile | undefined {
  let lines: string[];
  try {
    lines = readFileSync(join(data, 'postmaster.pid'), 'utf8').split('\n');
  } catch {
    return undefined;
  }
  const pid = Math.abs(Number(lines[0]));
  const status = lines[7]?.trim();
  if (!Number.isSafeInteger(pid) || pid <= 1) return undefined;
  return { pid, status: status === 'starting' || status === 'stopping' || status === 'ready' || status === 'standby' ? status : undefined };
}

/**
 * Removes what a killed server left, once it is proven that none runs: PostgreSQL itself would take any process of the same account
 * that got the old pid for the old server, and refuse to start.
 */
export async function removeStaleFiles(data: string, run: string, port: number): Promise<void> {
  const socket = join(run, `.s.PGSQL.${port}`);
  for (const path of [join(data, 'postmaster.pid'), socket, `${socket}.lock`]) {
    await unlink(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
    });
  }
}

/** Keeps the log bounded while no server writes to it. */
export async function rotateLog(path: string): Promise<void> {
  if ((await sizeOf(path)) > logBytesMax) await rename(path, `${path}.1`);
}

/** The same while one does: it appends, so it goes on at the new end. What it writes between the two steps is lost. */
export async function rotateLogInUse(path: string): Promise<void> {
  if ((await sizeOf(path)) <= logBytesMax) return;
  await copyFile(path, `${path}.1`);
  await truncate(path);
}

export async function sizeOf(path: string): Promise<number> {
  return (await stat(path).catch(() => undefined))?.size ?? 0;
}

/** What the server logged since `offset`, at most the last part of it. */
export async function readLogSince(path: string, offset: number): Promise<string> {
  const size = await sizeOf(path);
  const from = Math.max(offset, size - logTailBytes);
  if (size <= from) return '';
  await using file = await open(path, 'r');
  const { buffer, bytesRead } = await file.read(Buffer.alloc(size - from), 0, size - from, from);
  return buffer.toString('utf8', 0, bytesRead);
}

/** Why a server ended right after its start, from its log (lc_messages is C). */
export function startFailure(log: string, address: string, how: string): HoldfastError {
  const lines = log.split('\n').filter((line) => /\b(FATAL|PANIC|LOG: {2}could not|HINT|DETAIL)\b/.test(line));
  const said = lines
    .map((line) => line.replace(/^\S+ \S+ \S+ \[\d+\] (\S*@\S* )?/, ''))
    .slice(-6)
    .join('; ')
    .slice(0, 1000);
  if (/could not bind|could not create listen socket|Address already in use/.test(log)) {
    return new HoldfastError('ENGINE_PORT_IN_USE', `PostgreSQL can not listen on ${address}: ${said}`, {
      retryable: true,
      hint: `Find what holds the port (ss -ltnp), end it, or set another \`listen\`.`,
    });
  }
  if (/No space left on device/.test(log)) {
    return new HoldfastError('ENGINE_NO_SPACE', `PostgreSQL did not start, the disk is full: ${said}`, {
      retryable: true,
      hint: 'Free space on the file system of the data directory.',
    });
  }
  return new HoldfastError('ENGINE_NOT_STARTED', `PostgreSQL did not start (${how}): ${said || 'it logged no reason'}`, {
    retryable: true,
    hint: 'Its log is postgres.log in the state directory of the service.',
  });
}
