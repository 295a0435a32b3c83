import type { Socket } from 'node:net';
import { untilCalled } from './until-called.ts';

/**
 * A socket's bytes, kept until it is known where they go. What came is never lost: `release` hands it over, and the socket is then as
 * if nobody had read. At most `limitBytes` (and one chunk) are kept; the rest waits in the kernel.
 */
export class Inlet {
  readonly socket: Socket;
  readonly #limitBytes: number;
  #bytes: Buffer = Buffer.alloc(0);
  #ended = false;
  #wake: (() => void) | undefined;

  constructor(socket: Socket, limitBytes: number) {
    this.socket = socket;
    this.#limitBytes = limitBytes;
    socket.on('data', this.#onData).on('end', this.#onEnd).on('close', this.#onEnd);
  }

  get bytes(): Buffer {
    return this.#bytes;
  }

  /** Nothing more will come. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Drops the first `count` bytes. */
  skip(count: number): void {
    this.#bytes = this.#bytes.subarray(count);
    if (this.#bytes.length < this.#limitBytes) this.socket.resume();
  }

  /**
   * Resolves as soon as there is more than there was at the call, or the end has come. One waiter at a time.
   * @throws the signal's reason
   */
  async more(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#ended) return;
    await untilCalled(signal, (wake) => {
      this.#wake = wake;
      return () => (this.#wake = undefined);
    });
  }

  /** Ends the reading and returns what was not skipped. */
  release(): Buffer {
    this.socket.off('data', this.#onData).off('end', this.#onEnd).off('close', this.#onEnd);
    this.socket.pause();
    return this.#bytes;
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#bytes = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk]);
    if (this.#bytes.length >= this.#limitBytes) this.socket.pause();
    this.#wakeUp();
  };

  readonly #onEnd = (): void => {
    this.#ended = true;
    this.#wakeUp();
  };

  #wakeUp(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}
