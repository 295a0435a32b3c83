import { createHash } from 'node:crypto';
import { silentLogger } from '../../../core/logger.ts';
import type { Runtime } from '../../../core/runtime.ts';
import { seededRandom, type SimulatedClock, SimulatedTime } from '../../../sim/index.ts';
import { MemoryLocation, type MemoryObjects } from '../../adapters/memory/index.ts';
import type { ByteRange, CallOptions, ObjectInfo } from '../../location.ts';
import { unreachable } from '../../failures.ts';

export const signal: AbortSignal = new AbortController().signal;

/** A part that can be taken away, and counts what it is asked. */
export class ToyPart extends MemoryLocation {
  away = false;
  /** Does not answer; ends with the call's signal. */
  hangs = false;
  /** Keys that its lists leave out. */
  readonly unlisted = new Set<string>();
  /** `get KEY 80`, `put KEY`, … since it was last emptied. */
  calls: string[] = [];
  readonly objects: MemoryObjects;

  constructor(name: string, clock: SimulatedClock, objects: MemoryObjects = new Map()) {
    super(name, { clock }, objects);
    this.objects = objects;
  }

  override async put(key: string, data: readonly Uint8Array[], options: CallOptions & { ifAbsent?: boolean }): Promise<void> {
    await this.#asked(`put ${key}`, options.signal);
    await super.put(key, data, options);
  }

  override async get(key: string, options: CallOptions & { range?: ByteRange }): Promise<Uint8Array> {
    await this.#asked(`get ${key} ${options.range?.sizeBytes ?? 'all'}`, options.signal);
    return await super.get(key, options);
  }

  override async stat(key: string, options: CallOptions): Promise<ObjectInfo | undefined> {
    await this.#asked(`stat ${key}`, options.signal);
    return await super.stat(key, options);
  }

  override async *list(prefix: string, options: CallOptions): AsyncGenerator<ObjectInfo> {
    await this.#asked(`list ${prefix}`, options.signal);
    for await (const info of super.list(prefix, options)) if (!this.unlisted.has(info.key)) yield info;
  }

  override async remove(key: string, options: CallOptions): Promise<void> {
    await this.#asked(`remove ${key}`, options.signal);
    await super.remove(key, options);
  }

  /** Turns one bit of what is stored. */
  rot(key: string, at: number): void {
    const object = this.objects.get(key)!;
    const bytes = object.bytes.slice();
    bytes[at]! ^= 4;
    this.objects.set(key, { ...object, bytes });
  }

  /** Keys of what is stored that the combined location keeps for itself. */
  get notes(): string[] {
    return [...this.objects.keys()].filter((key) => key.startsWith('.holdfast/'));
  }

  async #asked(what: string, ended: AbortSignal): Promise<void> {
    if (!what.includes('.holdfast/')) this.calls.push(what);
    if (this.away) throw unreachable(this.name, 'away (by the test)');
    if (this.hangs) await new Promise((_, reject) => ended.addEventListener('abort', () => reject(ended.reason as Error), { once: true }));
  }
}

export interface Toys {
  readonly time: SimulatedTime;
  readonly clock: SimulatedClock;
  readonly runtime: Runtime;
  readonly parts: readonly ToyPart[];
}

export function toys(count: number): Toys {
  const time = new SimulatedTime();
  const clock = time.clock({ wallStartMs: 1_700_000_000_000 });
  const parts = Array.from({ length: count }, (_, n) => new ToyPart(`part-${n}`, clock));
  return { time, clock, runtime: { clock, random: seededRandom(1), logger: silentLogger }, parts };
}

/** Other clients of the same stores, as another process has them. */
export function clientsOf({ parts, clock }: Toys): ToyPart[] {
  return parts.map(({ name, objects }) => new ToyPart(name, clock, objects));
}

/** An object as restic names it. */
export function packOf(sizeBytes: number, seed = 1): { readonly key: string; readonly bytes: Uint8Array } {
  const random = seededRandom(seed);
  const bytes = Uint8Array.from({ length: sizeBytes }, () => random.integer(256));
  const id = createHash('sha256').update(bytes).digest('hex');
  return { key: `data/${id.slice(0, 2)}/${id}`, bytes };
}
