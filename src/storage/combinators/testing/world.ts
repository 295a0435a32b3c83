import { hasCode, HoldfastError } from '../../../core/errors.ts';
import { silentLogger } from '../../../core/logger.ts';
import { seededRandom, type SeededRandom, type SimulatedClock, SimulatedTime } from '../../../sim/index.ts';
import type { CombinedLocation } from '../combined.ts';
import { createMirror } from '../mirror/mirror.ts';
import { createParity } from '../parity/parity.ts';
import { decodeShard } from '../parity/shard.ts';
import { scrub } from '../scrub.ts';
import { contentOf, digestOf, digestOfValue } from './contents.ts';
import { type Change, History } from './history.ts';
import { KilledError, type Life, SimulatedPart, type Store, type Weather } from './simulated-part.ts';

export interface Setup {
  readonly kind: 'mirror' | 'parity';
  readonly data: number;
  readonly parity: number;
}

export interface RunOptions {
  readonly events: number;
  /** Breaks each location as it is opened, to see whether the run notices. */
  readonly sabotage?: (location: CombinedLocation) => void;
}

/** What was done in a run, to see that it did what it is for. */
export interface Tally {
  acknowledged: number;
  refused: number;
  reads: number;
  certainReads: number;
  crashes: number;
  absences: number;
  flips: number;
  notesSeen: number;
}

const refreshMs = 1_000;
/** By then whoever can reach the parts has read what others noted. */
const knowsAfterMs = 20_000;
const inFlightMax = 6;
const processesCount = 2;
const graceMs = 60_000;
const never = new AbortController().signal;

interface Process {
  readonly id: number;
  readonly life: Life;
  readonly location: CombinedLocation;
  readonly openedMs: number;
}

/** One simulated history: two processes that use the same parts, which go away, rot and come back, while the processes die between any two calls. */
export class World {
  readonly tally: Tally = { acknowledged: 0, refused: 0, reads: 0, certainReads: 0, crashes: 0, absences: 0, flips: 0, notesSeen: 0 };
  readonly #setup: Setup;
  readonly #options: RunOptions;
  readonly #time = new SimulatedTime();
  readonly #clocks: SimulatedClock[];
  readonly #random: SeededRandom;
  readonly #stores: Store[];
  readonly #weather: Weather = { cuts: 0 };
  readonly #history = new History();
  readonly #processes: Process[] = [];
  readonly #running = new Set<Promise<void>>();
  readonly #values: string[];
  /** When an object first rotted. */
  readonly #flippedMs = new Map<string, number>();
  #opened = 0;
  #written = 0;
  #toggledMs = 0;

  constructor(seed: string, setup: Setup, options: RunOptions) {
    this.#setup = setup;
    this.#options = options;
    this.#random = seededRandom(seed);
    const count = setup.data + setup.parity;
    this.#stores = Array.from({ length: count }, (_, n) => ({ name: `part-${n}`, objects: new Map(), away: false }));
    // Clocks of different machines are seconds apart.
    this.#clocks = Array.from({ length: processesCount }, () =>
      this.#time.clock({ wallStartMs: 1_700_000_000_000 + this.#random.integer(10_000) }),
    );
    this.#values = Array.from({ length: 5 }, (_, n) => `${seed}-${n}`);
    for (let n = 0; n < processesCount; n += 1) this.#processes.push(this.#open(n));
  }

  /** @throws what was violated */
  async run(): Promise<Tally> {
    let ended = false;
    let failure: Error | undefined;
    void this.#script().then(
      () => (ended = true),
      (error: unknown) => {
        failure = asError(error);
        ended = true;
      },
    );
    await this.#time.runUntil(() => ended, { limitMs: 36_000_000, stepsMax: 5_000_000 });
    await Promise.all(this.#processes.map(({ location }) => location[Symbol.asyncDispose]()));
    if (failure !== undefined) throw failure;
    return this.tally;
  }

  get #nowMs(): number {
    return this.#time.nowMs;
  }

  #open(slot: number): Process {
    const clock = this.#clocks[slot]!;
    const id = (this.#opened += 1);
    const life: Life = { dead: false, callsLeft: Infinity };
    const random = this.#random.fork(`process-${id}`);
    const parts = this.#stores.map((store) => new SimulatedPart(store, life, this.#weather, clock, random));
    const runtime = { clock, random, logger: silentLogger };
    const options = { refreshMs, graceMs, writer: id.toString(16).padStart(16, '0') };
    const location =
      this.#setup.kind === 'mirror'
        ? createMirror('all', parts, runtime, options)
        : createParity('all', parts, this.#setup, runtime, options);
    this.#options.sabotage?.(location);
    return { id, life, location, openedMs: this.#nowMs };
  }

  async #script(): Promise<void> {
    const clock = this.#clocks[0]!;
    for (let event = 0; event < this.#options.events; event += 1) {
      await clock.sleep(this.#random.chance(0.08) ? knowsAfterMs + 5_000 : this.#random.integer(40));
      this.#replaceDead();
      while (this.#running.size >= inFlightMax) await Promise.race(this.#running);
      this.#happen();
      if (this.#failure !== undefined) throw this.#failure;
    }
    await this.#end(clock);
  }

  #failure: Error | undefined;

  #happen(): void {
    const dice = this.#random.integer(100);
    if (dice < 30) return this.#start((process) => this.#put(process, this.#random.chance(0.2)));
    if (dice < 44) return this.#start((process) => this.#remove(process));
    if (dice < 76) return this.#start((process) => this.#get(process));
    if (dice < 88) return this.#toggle();
    if (dice < 92) return this.#flip();
    if (dice < 96) return this.#weatherChanges();
    const { life } = this.#random.pick(this.#processes);
    life.callsLeft = 1 + this.#random.integer(40);
  }

  #start(work: (process: Process) => Promise<void>): void {
    const process = this.#random.pick(this.#processes);
    const running = work(process)
      .catch((error: unknown) => {
        this.#failure ??= asError(error);
      })
      .finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  #replaceDead(): void {
    for (const [slot, process] of this.#processes.entries()) {
      if (!process.life.dead) continue;
      this.tally.crashes += 1;
      void process.location[Symbol.asyncDispose]();
      this.#processes[slot] = this.#open(slot);
    }
  }

  /** Objects named by their content, and of parity some that are replaced. */
  #key(): { key: string; value: string } {
    if (this.#setup.kind === 'parity' && this.#random.chance(0.4))
      return { key: `state/${this.#random.integer(2)}`, value: `${this.#values[0]}-state-${(this.#written += 1)}` };
    const value = this.#random.pick(this.#values);
    return { key: `data/${digestOfValue(value)}`, value };
  }

  async #put(process: Process, ifAbsent: boolean): Promise<void> {
    const { key, value } = this.#key();
    const change = this.#history.begin(key, value, process.id, this.#nowMs);
    await this.#change(process, change, () => process.location.put(key, [contentOf(value)], { signal: never, ifAbsent }));
    if (!change.acknowledged || !ifAbsent) return;
    const others = this.#history.of(key).filter((one) => one !== change);
    const present = others.filter((one) => one.value !== undefined && one.acknowledged && one.endedMs! < change.begunMs);
    const removals = others.filter((one) => one.value === undefined);
    for (const one of present)
      if (!removals.some((removal) => removal.begunMs < change.endedMs! && (removal.endedMs ?? Infinity) > one.begunMs))
        throw new Error(`${key} was created while it was there`);
  }

  async #remove(process: Process): Promise<void> {
    const { key } = this.#key();
    const change = this.#history.begin(key, undefined, process.id, this.#nowMs);
    await this.#change(process, change, () => process.location.remove(key, { signal: never }));
  }

  async #change(process: Process, change: Change, act: () => Promise<void>): Promise<void> {
    try {
      await act();
      change.acknowledged = !process.life.dead;
    } catch (error) {
      this.#assertExpected(process, error, ['STORAGE_UNREACHABLE', 'STORAGE_EXISTS', 'STORAGE_DAMAGED']);
    }
    change.endedMs = this.#nowMs;
    if (change.acknowledged) this.tally.acknowledged += 1;
    else this.tally.refused += 1;
  }

  async #get(process: Process): Promise<void> {
    const { key } = this.#key();
    const begunMs = this.#nowMs;
    const toggledMs = this.#toggledMs;
    const certain = this.#mustBeReadable(key);
    const found = await this.#read(process, key);
    const endedMs = this.#nowMs;
    if (process.life.dead) return;
    this.tally.reads += 1;
    const settledMs = Math.max(process.openedMs, toggledMs) + knowsAfterMs;
    const knows = (change: Change): boolean =>
      change.by === process.id ||
      (begunMs >= settledMs && begunMs >= change.endedMs! + knowsAfterMs && this.#stores.every(({ away }) => !away));
    if (found instanceof Error) {
      const still =
        certain !== undefined && toggledMs === this.#toggledMs && this.#mustBeReadable(key) === certain && this.#weather.cuts === 0;
      if (still) throw new Error(`${key} could not be read though enough parts have it: ${found.message}`);
      return;
    }
    if (certain !== undefined) this.tally.certainReads += 1;
    const allowed = this.#history.allowed({ key, begunMs, endedMs, knows });
    if (!allowed.has(found)) throw new Error(`${key}: read ${found}, allowed ${[...allowed].join(' ')} at ${begunMs}`);
  }

  /** The value, undefined where there is none, or why it can not be told. */
  async #read(process: Process, key: string): Promise<string | undefined | Error> {
    try {
      return this.#valueOf(key, await process.location.get(key, { signal: never }));
    } catch (error) {
      if (hasCode(error, 'STORAGE_NOT_FOUND')) return undefined;
      this.#assertExpected(process, error, ['STORAGE_UNREACHABLE', 'STORAGE_DAMAGED']);
      return error as Error;
    }
  }

  #valueOf(key: string, bytes: Uint8Array): string {
    const digest = digestOf(bytes);
    const change = this.#history.of(key).find((one) => one.value !== undefined && digestOfValue(one.value) === digest);
    return change?.value ?? 'something that nobody wrote';
  }

  #assertExpected({ life }: Process, error: unknown, codes: readonly string[]): void {
    if (life.dead && (error instanceof KilledError || error instanceof HoldfastError)) return;
    if (!(error instanceof HoldfastError) || !codes.includes(error.code)) throw error;
  }

  #toggle(): void {
    const store = this.#random.pick(this.#stores);
    const away = this.#stores.filter((one) => one.away).length;
    if (!store.away && away >= this.#setup.parity && this.#random.chance(0.7)) return;
    store.away = !store.away;
    this.#toggledMs = this.#nowMs;
    if (store.away) this.tally.absences += 1;
  }

  #weatherChanges(): void {
    this.#weather.cuts = this.#weather.cuts === 0 ? 0.03 : 0;
  }

  /** Turns bits in as many parts as may be lost, of an object that all have whole. */
  #flip(): void {
    const { key } = this.#key();
    const change = this.#history.certain(key, this.#nowMs);
    if (change?.value === undefined || this.#holders(key, change.value).length < this.#stores.length) return;
    const lost = this.#setup.kind === 'mirror' ? this.#stores.length - 1 : this.#setup.parity;
    const stores = this.#stores.toSorted(() => this.#random.next() - 0.5).slice(0, 1 + this.#random.integer(lost));
    for (const { objects } of stores) {
      const object = objects.get(key)!;
      const bytes = object.bytes.slice();
      if (bytes.length === 0) continue;
      bytes[this.#random.integer(bytes.length)]! ^= 1 << this.#random.integer(8);
      objects.set(key, { ...object, bytes });
      this.tally.flips += 1;
      if (!this.#flippedMs.has(key)) this.#flippedMs.set(key, this.#nowMs);
    }
  }

  /** The change that must be readable now: it is certain, and enough parts that answer have it whole and are not said to be behind. */
  #mustBeReadable(key: string): Change | undefined {
    const change = this.#history.certain(key, this.#nowMs);
    if (change?.value === undefined || this.#weather.cuts > 0) return undefined;
    const needed = this.#setup.kind === 'mirror' ? 1 : this.#setup.data;
    return this.#holders(key, change.value).filter(({ away }) => !away).length >= needed ? change : undefined;
  }

  /** Stores that have it as it should be and of which no note says that they are behind. */
  #holders(key: string, value: string): Store[] {
    const digest = digestOfValue(value);
    const noted = (name: string): boolean =>
      this.#stores.some(({ objects }) => [...objects.keys()].some((one) => one.startsWith(`.holdfast/all/behind/k/${key}/${name}/`)));
    return this.#stores.filter(({ objects, name }) => {
      const bytes = objects.get(key)?.bytes;
      if (bytes === undefined || noted(name)) return false;
      if (this.#setup.kind === 'mirror') return digestOf(bytes) === digest;
      const shard = decodeShard(bytes);
      return typeof shard !== 'string' && shard.header.digest === digest;
    });
  }

  /** All parts are back: after catch-up and a scrub each is whole, holds what was acknowledged and nothing that was removed. */
  async #end(clock: SimulatedClock): Promise<void> {
    await Promise.all(this.#running);
    if (this.#failure !== undefined) throw this.#failure;
    this.#weather.cuts = 0;
    for (const store of this.#stores) store.away = false;
    for (const { life } of this.#processes) life.callsLeft = Infinity;
    this.#replaceDead();
    this.tally.notesSeen = this.#notes().length;
    await clock.sleep(graceMs + knowsAfterMs);
    const [first, second] = this.#processes.map(({ location }) => location);
    const runtime = { clock, random: this.#random, logger: silentLogger };
    await first!.catchUp({ signal: never });
    await scrub(first!, runtime, { signal: never, removeRemnants: true });
    for (const key of this.#halfRemoved()) {
      const change = this.#history.begin(key, undefined, this.#processes[0]!.id, this.#nowMs);
      await this.#change(this.#processes[0]!, change, () => first!.remove(key, { signal: never }));
    }
    const report = await scrub(second!, runtime, { signal: never });
    if (report.findings.length > 0) throw new Error(`after a scrub there is still ${JSON.stringify(report.findings)}`);
    if (this.#notes().length > 0) throw new Error(`notes were left: ${this.#notes().join(' ')}`);
    const listed = new Map((await Array.fromAsync(second!.list('', { signal: never }))).map((info) => [info.key, info.sizeBytes]));
    for (const key of this.#history.keys()) await this.#assertWhole(key, second!, listed.get(key));
  }

  /** What rotted, as far as may be, and was then removed from some parts only, by a removal that failed: that is more than the code stands. */
  #halfRemoved(): string[] {
    return [...this.#flippedMs].flatMap(([key, flippedMs]) => {
      const failed = this.#history
        .of(key)
        .some(({ value, acknowledged, begunMs }) => value === undefined && !acknowledged && begunMs >= flippedMs);
      return failed ? [key] : [];
    });
  }

  #notes(): string[] {
    return this.#stores.flatMap(({ name, objects }) =>
      [...objects.keys()].filter((key) => key.startsWith('.holdfast/')).map((key) => `${name}:${key}`),
    );
  }

  async #assertWhole(key: string, location: CombinedLocation, listedBytes: number | undefined): Promise<void> {
    const allowed = this.#history.allowed({ key, begunMs: this.#nowMs, endedMs: this.#nowMs, knows: () => true });
    const value = await location.get(key, { signal: never }).then(
      (bytes) => this.#valueOf(key, bytes),
      (error: unknown) => {
        if (hasCode(error, 'STORAGE_NOT_FOUND')) return undefined;
        throw error;
      },
    );
    if (!allowed.has(value)) throw new Error(`at the end ${key} is ${value}, allowed ${[...allowed].join(' ')}`);
    const held = this.#stores.filter(({ objects }) => objects.has(key)).length;
    const whole = value === undefined ? 0 : this.#holders(key, value).length;
    const expected = value === undefined ? 0 : this.#stores.length;
    if (held !== expected || whole !== expected)
      throw new Error(`at the end ${held} parts have ${key}, ${whole} of them whole, and ${expected} should`);
    if (listedBytes !== (value === undefined ? undefined : contentOf(value).length))
      throw new Error(`at the end ${key} is listed with ${listedBytes} bytes`);
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
