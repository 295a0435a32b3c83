import { readFileSync, statSync, type Stats } from 'node:fs';

/**
 * The text of a regular file of at most `bytesMax`, and its mode. A pipe or device is refused, since reading it could take for ever.
 * @throws Error with what is wrong, for people
 */
export function readTextFile(file: string, bytesMax: number): { readonly text: string; readonly mode: number } {
  const found: Stats = statSync(file);
  if (!found.isFile()) throw new Error(`${file} is no regular file`);
  if (found.size > bytesMax) throw new Error(`${file} has ${found.size} bytes, more than ${bytesMax}`);
  return { text: readFileSync(file, 'utf8'), mode: found.mode };
}
