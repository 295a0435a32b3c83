import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { HoldfastError, messageOf } from '../../core/errors.ts';

/** Refuses a page in place of what it is made from. @throws CLI_USAGE */
export function requireOther(page: string, file: string): void {
  if (resolve(page) === resolve(file))
    throw new HoldfastError('CLI_USAGE', `--html would overwrite ${file}`, { hint: 'Name another file for the page.' });
}

/**
 * Writes a file that a command was asked for, with its directory where `inNewDirectory`.
 * @throws CLI_OUTPUT_UNWRITABLE
 */
export function writeOutput(path: string, text: string, { inNewDirectory = false } = {}): void {
  try {
    if (inNewDirectory) mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  } catch (error) {
    throw new HoldfastError('CLI_OUTPUT_UNWRITABLE', `${path} can not be written: ${messageOf(error)}`, {
      hint: 'Name a file in a directory that exists and may be written to.',
      cause: error,
    });
  }
}
