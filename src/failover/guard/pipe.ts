import { closeSync, constants, openSync, readSync, writeSync } from 'node:fs';
import { recordBytes } from './guard-script.ts';

/** What one read takes; the FIFO itself holds 64 KiB (pipe(7)). */
const readBytes = 4_096;

/**
 * The agent's end of the two FIFOs of a guard, never waiting. The guard holds both open for reading and writing as long as it lives, so the
 * kernel itself tells whether one does: opening `control` for writing fails with ENXIO when nobody reads it (fifo(7)).
 */
export class GuardPipe implements Disposable {
  readonly #control: number;
  readonly #reply: number;
  readonly #buffer = Buffer.alloc(readBytes);
  #rest = '';

  private constructor(control: number, reply: number) {
    this.#control = control;
    this.#reply = reply;
  }

  /** Undefined when no guard holds the other end. */
  static open(control: string, reply: string): GuardPipe | undefined {
    const { O_WRONLY, O_RDONLY, O_NONBLOCK, O_NOFOLLOW } = constants;
    let writing: number | undefined;
    try {
      writing = openSync(control, O_WRONLY | O_NONBLOCK | O_NOFOLLOW);
      return new GuardPipe(writing, openSync(reply, O_RDONLY | O_NONBLOCK | O_NOFOLLOW));
    } catch (error) {
      if (writing !== undefined) closeSync(writing);
      if (['ENXIO', 'ENOENT'].includes(codeOf(error))) return undefined;
      throw error;
    }
  }

  /** At once and whole (a record is shorter than PIPE_BUF). False when the guard is gone, or has not read for minutes. */
  writeRecord(text: string): boolean {
    try {
      writeSync(this.#control, `${text.padEnd(recordBytes - 1)}\n`);
      return true;
    } catch (error) {
      if (['EPIPE', 'EAGAIN'].includes(codeOf(error))) return false;
      throw error;
    }
  }

  /** The whole lines that are there. */
  readLines(): string[] {
    for (let count = this.#read(); count > 0; count = this.#read()) this.#rest += this.#buffer.toString('latin1', 0, count);
    const lines = this.#rest.split('\n');
    this.#rest = lines.pop()!;
    return lines;
  }

  [Symbol.dispose](): void {
    closeSync(this.#control);
    closeSync(this.#reply);
  }

  #read(): number {
    try {
      return readSync(this.#reply, this.#buffer);
    } catch (error) {
      if (codeOf(error) === 'EAGAIN') return 0;
      throw error;
    }
  }
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? '';
}
