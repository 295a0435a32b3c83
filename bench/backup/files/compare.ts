import { createReadStream } from 'node:fs';
import { lstat, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Read whole up to this. */
const wholeBytesMax = 256 * 1024;

/** @throws an Error that names the first difference of names, modes, times or bytes */
export async function assertSameTrees(expected: string, found: string): Promise<void> {
  const [names, others] = await Promise.all([entriesOf(expected), entriesOf(found)]);
  if (names.join('\n') !== others.join('\n')) throw new Error(`${found} has ${others.length} entries, ${expected} has ${names.length}`);
  for (const name of names) {
    const [left, right] = [join(expected, name), join(found, name)];
    const [a, b] = await Promise.all([lstat(left, { bigint: true }), lstat(right, { bigint: true })]);
    if (a.mode !== b.mode || a.uid !== b.uid || a.mtimeNs !== b.mtimeNs)
      throw new Error(`${right} has another mode, owner or time than ${left}`);
    if (!a.isFile()) continue;
    if (a.size !== b.size || !(await haveSameBytes(left, right, Number(a.size)))) throw new Error(`${right} differs from ${left}`);
  }
}

async function haveSameBytes(left: string, right: string, sizeBytes: number): Promise<boolean> {
  if (sizeBytes <= wholeBytesMax) {
    const [a, b] = await Promise.all([readFile(left), readFile(right)]);
    return a.equals(b);
  }
  const highWaterMark = 4 * 1024 * 1024;
  const others = createReadStream(right, { highWaterMark })[Symbol.asyncIterator]();
  for await (const part of createReadStream(left, { highWaterMark })) {
    const other = (await others.next()) as IteratorResult<Buffer>;
    if (other.done === true || !(part as Buffer).equals(other.value)) return false;
  }
  return (await others.next()).done === true;
}

/** Bytes of the files below a directory. */
export async function treeBytes(directory: string): Promise<number> {
  let sum = 0;
  for (const name of await entriesOf(directory)) {
    const info = await lstat(join(directory, name));
    if (info.isFile()) sum += info.size;
  }
  return sum;
}

async function entriesOf(directory: string): Promise<string[]> {
  return (await readdir(directory, { recursive: true })).toSorted();
}
