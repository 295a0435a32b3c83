import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { open, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { DurableCell } from '../core/durable-cell.ts';
import { HoldfastError, messageOf } from '../core/errors.ts';

/** Turns what JSON gave back into the value, or throws: whatever is wrong with the form counts as damage. */
export type ParseCell<T> = (value: unknown) => T;

/** More is not a small value. */
const cellBytesMax = 1024 * 1024;

/**
 * A cell in the file `path`, whose directory exists and belongs to one agent. Format: a line `holdfast-cell 1 sha256:HEX`, the digest
 * being that of the rest; then one line of JSON.
 *
 * Written to `path.tmp`, flushed, renamed, and the directory flushed: after a crash the file holds the old value or the new one.
 */
export function openDurableCell<T>(path: string, parse: ParseCell<T>): DurableCell<T> {
  let last: Promise<void> = Promise.resolve();
  return {
    read: () => readCell(path, parse),
    // One after the other: two at once would share the temporary file.
    write: (value) => {
      const text = encode(value);
      const written = last.then(() => writeCell(path, text));
      last = written.catch(() => {});
      return written;
    },
  };
}

async function readCell<T>(path: string, parse: ParseCell<T>): Promise<T | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw damaged(path, messageOf(error), error);
  }
  const [, digest, body] = /^holdfast-cell 1 sha256:([0-9a-f]{64})\n([^\n]*\n)$/.exec(text) ?? [];
  if (digest === undefined || body === undefined) throw damaged(path, 'it is not a whole cell');
  if (digestOf(body) !== digest) throw damaged(path, 'its checksum does not match');
  try {
    return parse(JSON.parse(body));
  } catch (error) {
    throw damaged(path, `its value is not of the right form: ${messageOf(error)}`, error);
  }
}

async function writeCell(path: string, text: string): Promise<void> {
  const temporary = `${path}.tmp`;
  try {
    await writeFlushed(temporary, text);
    await rename(temporary, path);
    await flushDirectory(dirname(path));
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {});
    throw new HoldfastError('CELL_NOT_WRITTEN', `'${path}' could not be written: ${messageOf(error)}`, {
      retryable: true,
      hint: 'Check that the disk is neither full nor failing, and that the directory is writable.',
      cause: error,
    });
  }
}

async function writeFlushed(path: string, text: string): Promise<void> {
  const { O_WRONLY, O_CREAT, O_TRUNC, O_NOFOLLOW } = constants;
  await using file = await open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0o600);
  await file.writeFile(text);
  await file.sync();
}

async function flushDirectory(path: string): Promise<void> {
  await using directory = await open(path, 'r');
  await directory.sync();
}

function encode(value: unknown): string {
  const body = `${JSON.stringify(value)}\n`;
  if (value === undefined || Buffer.byteLength(body) > cellBytesMax)
    throw new RangeError(`a cell holds a JSON value of at most ${cellBytesMax} bytes`);
  return `holdfast-cell 1 sha256:${digestOf(body)}\n${body}`;
}

function digestOf(body: string): string {
  return createHash('sha256').update(body).digest('hex');
}

function damaged(path: string, why: string, cause?: unknown): HoldfastError {
  return new HoldfastError('CELL_DAMAGED', `'${path}' can not be trusted: ${why}`, {
    hint: 'Do not delete it: it holds a promise of this member. Check the disk, then rebuild this member (`holdfast reinit`), which makes a new one.',
    cause,
  });
}
