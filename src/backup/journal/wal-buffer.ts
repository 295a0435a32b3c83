import { abortable } from '../../core/abortable.ts';
import type { Clock } from '../../core/clock.ts';
import type { WalPosition, WalRange } from './coverage.ts';
import { WalBlocks } from './wal-blocks.ts';

/** For so long is waited for room. */
const roomMsMax = 1_000;

export interface WalCut {
  readonly range: WalRange;
  /** In pieces that stay as they are until it is done. */
  readonly wal: readonly Uint8Array[];
}

/** What came at once, up to `end`. */
interface Arrival {
  readonly end: bigint;
  readonly ms: number;
}

/** WAL between who reads it as it comes and who stores it: contiguous, of one timeline, bounded. */
export class WalBuffer {
  readonly #timeline: number;
  readonly #clock: Clock;
  readonly #bytesMax: number;
  readonly #blocks = new WalBlocks();
  /** Of what is not taken yet. */
  #arrivals: Arrival[] = [];
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
    return this.#taken?.sinceMs ?? this.#arrivals[0]?.ms;
  }

  /** Waits for room, but not for long. @returns whether there was any. @throws RangeError when it does not continue what came before; the signal's reason */
  async add({ lsn, bytes }: { lsn: bigint; bytes: Uint8Array }, signal: AbortSignal): Promise<boolean> {
    if (lsn !== this.#end) throw new RangeError(`WAL at ${lsn} does not continue what ends at ${this.#end}`);
    if (!this.#hasRoom(bytes) && !(await this.#room(bytes, signal))) return false;
    this.#blocks.append(bytes);
    this.#end += BigInt(bytes.byteLength);
    this.#arrivals.push({ end: this.#end, ms: this.#clock.monotonicMs() });
    if (this.#arrivals.length === 1) this.#notify();
    return true;
  }

  /** Nothing more comes. */
  end(): void {
    this.#ended = true;
    this.#notify();
  }

  /** What has come since the last call, as soon as there is any; undefined at the end. */
  async take({ sizeBytesMax, signal }: { sizeBytesMax: number; signal: AbortSignal }): Promise<WalCut | undefined> {
    while (this.#arrivals.length === 0) {
      if (this.#ended) return undefined;
      await this.#change(signal);
    }
    return this.#cut(sizeBytesMax);
  }

  /** What was taken last is stored. */
  done(): void {
    this.#taken = undefined;
    this.#blocks.release();
    this.#notify();
  }

  #hasRoom(bytes: Uint8Array): boolean {
    return this.sizeBytes === 0 || this.sizeBytes + bytes.byteLength <= this.#bytesMax;
  }

  async #room(bytes: Uint8Array, signal: AbortSignal): Promise<boolean> {
    const untilMs = this.#clock.monotonicMs() + roomMsMax;
    using timer = this.#clock.after(roomMsMax, () => this.#notify());
    void timer;
    while (!this.#hasRoom(bytes) && this.#clock.monotonicMs() < untilMs) await this.#change(signal);
    return this.#hasRoom(bytes);
  }

  #cut(sizeBytesMax: number): WalCut {
    const size = Math.min(sizeBytesMax, Number(this.#end - this.#start));
    const range = { timeline: this.#timeline, start: this.#start, end: this.#start + BigInt(size) };
    this.#taken = { sizeBytes: size, sinceMs: this.#arrivals[0]!.ms };
    this.#start = range.end;
    const left = this.#arrivals.findIndex(({ end }) => end > range.end);
    this.#arrivals = left < 0 ? [] : this.#arrivals.slice(left);
    return { range, wal: this.#blocks.take(size) };
  }

  #change(signal: AbortSignal): Promise<void> {
    return abortable(this.#changed.promise, signal);
  }

  #notify(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}
