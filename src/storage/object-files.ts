import { beyondEnd, unsuitable } from './failures.ts';
import { OBJECT_BYTES_MAX } from './key.ts';
import type { ByteRange, ObjectInfo } from './location.ts';

// What stores of files have in common, wherever the files lie.

/** An object, by the location's name and its key, as a file of some size. */
export interface ObjectFile {
  readonly name: string;
  readonly key: string;
  readonly fileBytes: number;
}

/**
 * Reads all of an object, or a part. @throws STORAGE_DAMAGED when it ends before that (also while it is read), STORAGE_UNSUITABLE for what no object has
 */
export async function readWithin(
  { name, key, fileBytes }: ObjectFile,
  range: ByteRange | undefined,
  read: (offset: number, sizeBytes: number) => Promise<Uint8Array>,
): Promise<Uint8Array> {
  const { offset, sizeBytes } = range ?? { offset: 0, sizeBytes: fileBytes };
  if (offset + sizeBytes > fileBytes) throw beyondEnd(name, key, offset + sizeBytes, fileBytes);
  if (sizeBytes > OBJECT_BYTES_MAX) throw unsuitable(name, `${key} has ${sizeBytes} bytes, more than an object has`);
  const bytes = await read(offset, sizeBytes);
  if (bytes.byteLength < sizeBytes) throw beyondEnd(name, key, offset + sizeBytes, offset + bytes.byteLength);
  return bytes;
}

/** Some entries of a directory: files as objects, directories as prefixes. */
export interface Entries {
  readonly files: readonly ObjectInfo[];
  readonly directories: readonly string[];
}

/** All files below a prefix, one directory after the other. */
export async function* listBelow(
  prefix: string,
  entriesOf: (directory: string) => AsyncIterable<Entries> | Iterable<Promise<Entries>>,
  signal: AbortSignal,
): AsyncGenerator<ObjectInfo> {
  const open = [prefix];
  for (let directory = open.pop(); directory !== undefined; directory = open.pop()) {
    for await (const { files, directories } of entriesOf(directory)) {
      open.push(...directories);
      for (const file of files) {
        signal.throwIfAborted();
        yield file;
      }
    }
  }
}
