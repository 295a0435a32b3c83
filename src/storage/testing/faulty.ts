import type { Clock } from '../../core/clock.ts';
import type { Random } from '../../core/random.ts';
import { concatBytes } from '../bytes.ts';
import { busy, full, unreachable } from '../failures.ts';
import type { ByteRange, CallOptions, Location, LocationCapabilities, LocationStatus, ObjectInfo } from '../location.ts';

/** How likely each fault is at each call that can have it, 0 to 1. */
export interface FaultRates {
  /** The connection breaks before the store has heard anything: STORAGE_UNREACHABLE, nothing was done. */
  readonly cutBefore: number;
  /** It breaks before the answer is heard: STORAGE_UNREACHABLE, and all was done. */
  readonly cutAfter: number;
  /** 500 or 503: STORAGE_BUSY, nothing was done. */
  readonly busy: number;
  /** The call takes `slowMs` longer. */
  readonly slow: number;
  /** A put finds no room: STORAGE_FULL. */
  readonly full: number;
  /** A put says that all is well and keeps only a part: a store that breaks its word. */
  readonly halfWritten: number;
  /** One bit of what is read is another one. What is stored is as it was. */
  readonly flippedRead: number;
  /** A put stores one bit otherwise: rot. */
  readonly flippedWrite: number;
  /** Each entry of a list: it is left out. */
  readonly listOmits: number;
  /** Each entry of a list: it is told a second time. */
  readonly listRepeats: number;
  /** Each entry of a list: one that does not exist is told after it. */
  readonly listInvents: number;
}

const noFaults: FaultRates = {
  cutBefore: 0,
  cutAfter: 0,
  busy: 0,
  slow: 0,
  full: 0,
  halfWritten: 0,
  flippedRead: 0,
  flippedWrite: 0,
  listOmits: 0,
  listRepeats: 0,
  listInvents: 0,
};

export interface FaultyOptions {
  readonly rates?: Partial<FaultRates>;
  /** How long a slow call takes longer. Default: 1 s. */
  readonly slowMs?: number;
}

/** The process that used the location is dead: nothing it does from then on reaches anybody. */
export class KilledError extends Error {
  constructor() {
    super('killed by the test');
    this.name = 'KilledError';
  }
}

/**
 * A location that goes wrong as told, the same way each time for the same `random`. Besides chance: `removed` takes it away as a whole,
 * `killAt` ends its user in the midst of a certain call.
 */
export class FaultyLocation implements Location {
  readonly name: string;
  readonly #inner: Location;
  readonly #random: Random;
  readonly #clock: Clock;
  readonly #slowMs: number;
  /** May be changed at any time. */
  rates: FaultRates;
  /** Nothing of it can be reached while it is true. What it stores is kept. */
  removed = false;
  /** Calls that change something (put, remove), counted from 1 on as they begin. */
  changes = 0;
  /** Kills the user at the change of this number, before or after it is done: this call and all later ones throw a KilledError. */
  killAt: { readonly change: number; readonly done: boolean } | undefined;
  #killed = false;

  constructor(inner: Location, runtime: { readonly clock: Clock; readonly random: Random }, options: FaultyOptions = {}) {
    this.name = inner.name;
    this.#inner = inner;
    this.#random = runtime.random;
    this.#clock = runtime.clock;
    this.#slowMs = options.slowMs ?? 1000;
    this.rates = { ...noFaults, ...options.rates };
  }

  get capabilities(): LocationCapabilities {
    return this.#inner.capabilities;
  }

  put(key: string, data: readonly Uint8Array[], options: CallOptions & { readonly ifAbsent?: boolean }): Promise<void> {
    const stored = this.#stored(data);
    return this.#change(options.signal, async () => {
      if (this.#happens('full')) throw full(this.name, 'no space is left (by the test)');
      await this.#inner.put(key, stored, options);
    });
  }

  async get(key: string, options: CallOptions & { readonly range?: ByteRange }): Promise<Uint8Array> {
    const bytes = await this.#call(options.signal, () => this.#inner.get(key, options));
    return this.#happens('flippedRead') ? this.#flipped(bytes) : bytes;
  }

  stat(key: string, options: CallOptions): Promise<ObjectInfo | undefined> {
    return this.#call(options.signal, () => this.#inner.stat(key, options));
  }

  async *list(prefix: string, options: CallOptions): AsyncGenerator<ObjectInfo> {
    await this.#call(options.signal, async () => {});
    for await (const info of this.#inner.list(prefix, options)) {
      this.#assertAlive();
      if (this.#happens('cutAfter')) throw unreachable(this.name, 'the connection broke in the midst of a list (by the test)');
      if (this.#happens('listOmits')) continue;
      yield info;
      if (this.#happens('listRepeats')) yield info;
      if (this.#happens('listInvents')) yield { ...info, key: `${info.key}-invented` };
    }
  }

  remove(key: string, options: CallOptions): Promise<void> {
    return this.#change(options.signal, () => this.#inner.remove(key, options));
  }

  status(): LocationStatus {
    if (!this.removed) return this.#inner.status();
    return { name: this.name, state: 'away', message: 'removed by the test', behindObjects: 0, behindBytes: 0, parts: [] };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#inner[Symbol.asyncDispose]();
  }

  async #change(signal: AbortSignal, act: () => Promise<void>): Promise<void> {
    this.changes += 1;
    const last = this.changes === this.killAt?.change;
    if (last && this.killAt?.done === false) this.#killed = true;
    await this.#call(signal, async () => {
      await act();
      if (last) this.#killed = true;
    });
  }

  async #call<T>(signal: AbortSignal, act: () => Promise<T>): Promise<T> {
    signal.throwIfAborted();
    this.#assertAlive();
    if (this.#happens('slow')) await this.#clock.sleep(this.#slowMs, signal);
    this.#assertAlive();
    if (this.#happens('busy')) throw busy(this.name, '503 Slow Down (by the test)');
    if (this.#happens('cutBefore')) throw unreachable(this.name, 'the connection broke (by the test)');
    const result = await act();
    if (this.#killed) throw new KilledError();
    if (this.#happens('cutAfter')) throw unreachable(this.name, 'the connection broke before the answer (by the test)');
    return result;
  }

  #assertAlive(): void {
    if (this.#killed) throw new KilledError();
    if (this.removed) throw unreachable(this.name, 'it is gone (by the test)');
  }

  /** What a put really keeps. */
  #stored(data: readonly Uint8Array[]): readonly Uint8Array[] {
    const half = this.#happens('halfWritten');
    const rotten = this.#happens('flippedWrite');
    if (!half && !rotten) return data;
    const whole = concatBytes(data);
    const kept = half ? whole.subarray(0, Math.floor(whole.byteLength * this.#random.next())) : whole;
    return [rotten ? this.#flipped(kept) : kept];
  }

  #flipped(bytes: Uint8Array): Uint8Array {
    const copy = bytes.slice();
    const at = Math.floor(this.#random.next() * copy.byteLength);
    if (at < copy.byteLength) copy[at]! ^= 1 << Math.floor(this.#random.next() * 8);
    return copy;
  }

  #happens(fault: keyof FaultRates): boolean {
    const rate = this.rates[fault];
    return rate > 0 && this.#random.next() < rate;
  }
}
