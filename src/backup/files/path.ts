import { isText, nameToBytes } from '../tree/name.ts';

/** A path for node:fs, whose strings are UTF-8: others go as bytes. */
export function fsPath(path: string): string | Buffer {
  return isText(path) ? path : Buffer.from(nameToBytes(path));
}

export function joinPath(directory: string, name: string): string {
  return directory.endsWith('/') ? directory + name : `${directory}/${name}`;
}

/** The code of an error of the system, for example ENOENT; empty for any other. */
export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}
