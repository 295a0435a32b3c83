import type { FileHandle } from 'node:fs/promises';
import type { Calls } from '../../calls.ts';
import { assertKey, OBJECT_BYTES_MAX } from '../../key.ts';
import type { CallOptions, Draft } from '../../location.ts';
import { writeAll } from './files.ts';

/** A file beside the objects that becomes one of them. */
export class LocalDraft implements Draft {
  readonly #file: FileHandle;
  readonly #calls: Calls;
  readonly #name: (key: string, flushed: Promise<void>, options: CallOptions & { readonly ifAbsent?: boolean }) => Promise<void>;
  readonly #remove: () => Promise<void>;
  #sizeBytes = 0;
  /** Asked for once: after one that failed, the system forgets what it could not write, and another one succeeds (fsync(2), EIO). */
  #flushed: Promise<void> | undefined;
  #isNamed = false;

  /**
   * @param name gives the file its key once it is flushed
   * @param remove removes the file that has none
   */
  constructor(
    file: FileHandle,
    calls: Calls,
    name: (key: string, flushed: Promise<void>, options: CallOptions & { readonly ifAbsent?: boolean }) => Promise<void>,
    remove: () => Promise<void>,
  ) {
    this.#file = file;
    this.#calls = calls;
    this.#name = name;
    this.#remove = remove;
  }

  async append(bytes: Uint8Array, { signal }: CallOptions): Promise<void> {
    if (this.#sizeBytes + bytes.byteLength > OBJECT_BYTES_MAX) throw new RangeError(`an object has at most ${OBJECT_BYTES_MAX} bytes`);
    await this.#calls.run(signal, async () => {
      // In the place where a try before this one failed, if there was one.
      await writeAll(this.#file, [bytes], signal, this.#sizeBytes);
      this.#sizeBytes += bytes.byteLength;
    });
  }

  async put(key: string, options: CallOptions & { readonly ifAbsent?: boolean }): Promise<void> {
    assertKey(key);
    await this.#calls.run(options.signal, async () => {
      this.#flushed ??= this.#file.datasync();
      // Whether it failed is asked for when it gets its name.
      this.#flushed.catch(() => {});
      await this.#name(key, this.#flushed, options);
      this.#isNamed = true;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#calls.tidy(async () => {
      // What is under way ends first.
      await this.#file.close().catch(() => {});
      if (!this.#isNamed) await this.#remove();
    });
  }
}
