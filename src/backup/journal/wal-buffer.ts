import { abortable } from '../../core/abortable.ts';
import type { Clock } from '../../core/clock.ts';
import type { WalPosition, WalRange } from './coverage.ts';

/** For so long is waited for room. */
const roomMsMax = 1_000;

export interface WalCut {
  readonly range: WalRange;
  readonly wal: Uint8Array;
}

interface Piece {
  readonly bytes: Uint8Array;
  readonly arrivedMs: number;
}

/** WAL between who reads it and who stores it: contiguous, of one timeline, bounded. */
export class WalBuffer {
  readonly #timeline: number;
  readonly #clock: Clock;
  readonly #bytesMax: number;
  #pieces: Piece[] = [];
  #start: bigint;
  #end: bigint;
  /** Taken, but not stored yet. */
  #taken: { readonly sizeBytes: number; readonly sinceMs: number } | undefined;
  #ended = false;
  #changed = Promise.withResolvers<void>();

  /** @param bytesMax may wait to be stored */
  constructor(from: WalPosition, clock: Clock, bytesMax: number) {
    this.#timeline = from.timeline;
    this.#bytesMax = bytesMax;
    this.#start = from.lsn;
    this.#end = from.lsn;
    this.#clock = clock;
  }

  /** Not stored yet. */
  get sizeBytes(): number {
    return Number(this.#end - this.#start) + (this.#taken?.sizeBytes ?? 0);
  }

  /** When the oldest of that came, on the monotonic clock. */
  get sinceMs(): number | undefined {
    return this.#taken?.sinceMs ?? this.#pieces[0]?.arrivedMs;
  }

  /** Waits for room, but not for long. @returns whether there was any. @throws RangeError when it does not continue what came before; the signal's reason */
  async add({ lsn, bytes }: { lsn: bigint; bytes: Uint8Array }, signal: AbortSignal): Promise<boolean> {
    if (lsn !== this.#end) throw new RangeError(`WAL at ${lsn} does not continue what ends at ${this.#end}`);
    if (!this.#hasRoom(bytes) && !(await this.#room(bytes, signal))) return false;
    this.#pieces.push({ bytes, arrivedMs: this.#clock.monotonicMs() });
    this.#end += BigInt(bytes.byteLength);
    this.#notify();
    return true;
  }

  /** Nothing more comes: what is there is taken without waiting for more. */
  end(): void {
    this.#ended = true;
    this.#notify();
  }

  /** What has come since the last call, once the oldest of it has waited for the interval, or it is as much as a part may be; undefined at the end. */
  async take({
    intervalMs,
    sizeBytesMax,
    signal,
  }: {
    intervalMs: number;
    sizeBytesMax: number;
    signal: AbortSignal;
  }): Promise<WalCut | undefined> {
    while (this.#pieces.length === 0) {
      if (this.#ended) return undefined;
      await this.#change(signal);
    }
    const dueMs = this.#pieces[0]!.arrivedMs + intervalMs;
    while (!this.#ended && this.#end - this.#start < BigInt(sizeBytesMax)) {
      const leftMs = dueMs - this.#clock.monotonicMs();
      if (leftMs <= 0) break;
      using timer = this.#clock.after(leftMs, () => this.#notify());
      void timer;
      await this.#change(signal);
    }
    return this.#cut(sizeBytesMax);
  }

  /** What was taken last is stored. */
  done(): void {
    this.#taken = undefined;
    this.#notify();
  }

  #hasRoom(bytes: Uint8Array): boolean {
    return this.sizeBytes === 0 || this.sizeBytes + bytes.byteLength <= this.#bytesMax;
  }

  async #room(bytes: Uint8Array, signal: AbortSignal): Promise<boolean> {
    let isLate = false;
    using timer = this.#clock.after(roomMsMax, () => {
      isLate = true;
      this.#notify();
    });
    void timer;
    while (!this.#hasRoom(bytes) && !isLate) await this.#change(signal);
    return this.#hasRoom(bytes);
  }

  #cut(sizeBytesMax: number): WalCut {
    const taken: Piece[] = [];
    let size = 0;
    while (this.#pieces.length > 0 && size < sizeBytesMax) {
      const piece = this.#pieces.shift()!;
      const room = sizeBytesMax - size;
      if (piece.bytes.byteLength > room) this.#pieces.unshift({ ...piece, bytes: piece.bytes.subarray(room) });
      taken.push({ ...piece, bytes: piece.bytes.subarray(0, room) });
      size += Math.min(room, piece.bytes.byteLength);
    }
    const range = { timeline: this.#timeline, start: this.#start, end: this.#start + BigInt(size) };
    this.#start = range.end;
    this.#taken = { sizeBytes: size, sinceMs: taken[0]!.arrivedMs };
    return { range, wal: Buffer.concat(taken.map(({ bytes }) => bytes)) };
  }

  #change(signal: AbortSignal): Promise<void> {
    return abortable(this.#changed.promise, signal);
  }

  #notify(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}
