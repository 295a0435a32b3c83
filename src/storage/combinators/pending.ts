import { createHash } from 'node:crypto';
import { HoldfastError } from '../../core/errors.ts';
import { KEY_LENGTH_MAX } from '../key.ts';
import type { Part } from './part.ts';
import { STAMP_NONE, type Stamps } from './stamps.ts';

/** Stands for a part in the note of a write whose shards wait beside those that they are to replace. */
const stagedMark = '_';
/** Last part of a note's name: the stamp and the size. */
const stampAndSize = /^[0-9a-f]{32}-[0-9a-z]+$/;
/** What a note's name has behind the key: the part, and the stamp with the size. */
const segmentsOfNote = 2;

/** One note: this part missed a change of this key. */
interface Note {
  readonly key: string;
  /** A part's name, or `_`. */
  readonly of: string;
  readonly stamp: string;
  readonly sizeBytes: number;
  /** The object that says so, below the prefix of notes. */
  readonly name: string;
  /** Numbers of the parts that keep it, as far as is known. */
  readonly holders: Set<number>;
}

export interface Change {
  readonly stamp: string;
  /** Bytes that the parts which missed it will be sent; 0 for a removal. */
  readonly sizeBytes: number;
}

/**
 * Which parts missed which changes. The notes are small objects in the parts that did not miss them, below a prefix that the combined location
 * keeps for itself: they outlive this process and this machine, are seen by every other one that uses the same parts, and as long as a part
 * has what another one missed, it has the note as well. They name keys, never content; what is right is found by looking at the parts that
 * were there. Where nothing is missed there are none, and nothing is written.
 *
 * Names: `behind/k/KEY/PART/STAMP-SIZE`, empty; of a key that is too long `behind/h/SHA256-OF-KEY/PART/STAMP-SIZE`, with the key as content.
 * `full/PART` says that there were too many to note.
 */
export class Pending {
  readonly #prefix: string;
  readonly #parts: readonly Part[];
  readonly #stamps: Stamps;
  readonly #notesMax: number;
  /** Key, then name. */
  readonly #notes = new Map<string, Map<string, Note>>();
  readonly #counts: number[];
  readonly #bytes: number[];
  /** By number: who says that this part missed more than was noted. */
  readonly #full = new Map<number, Set<number>>();
  /** Grows with each note of this process: what was written during a list is not missing in it. */
  #sequence = 0;
  readonly #writtenAt = new Map<string, number>();

  /** @param prefix ends in a slash @param notesMax for each part */
  constructor(prefix: string, parts: readonly Part[], stamps: Stamps, notesMax: number) {
    this.#prefix = prefix;
    this.#parts = parts;
    this.#stamps = stamps;
    this.#notesMax = notesMax;
    this.#counts = parts.map(() => 0);
    this.#bytes = parts.map(() => 0);
  }

  /** Numbers of the parts that missed the last change of the key. */
  behind(key: string): ReadonlySet<number> {
    const notes = [...(this.#notes.get(key)?.values() ?? [])].filter(({ of }) => of !== stagedMark);
    const last = notes.reduce((latest, { stamp }) => (stamp > latest ? stamp : latest), '');
    return new Set(notes.filter(({ stamp }) => stamp === last).map(({ of }) => this.#numberOf(of)));
  }

  /** Whether some change of the key was acknowledged that a part missed: the others had it for certain. */
  isAcknowledged(key: string): boolean {
    return [...(this.#notes.get(key)?.values() ?? [])].some(({ of, stamp }) => of !== stagedMark && stamp !== STAMP_NONE);
  }

  isStaged(key: string): boolean {
    return this.staged(key).length > 0;
  }

  /** Stamps of the writes whose shards may wait. */
  staged(key: string): string[] {
    return [...(this.#notes.get(key)?.values() ?? [])].filter(({ of }) => of === stagedMark).map(({ stamp }) => stamp);
  }

  /** Whether shards of this write may wait, whatever its key. */
  isStagedBy(stamp: string): boolean {
    return this.keys().some((key) => this.staged(key).includes(stamp));
  }

  has(key: string): boolean {
    return this.#notes.has(key);
  }

  keys(): string[] {
    return [...this.#notes.keys()];
  }

  get doubtful(): ReadonlySet<number> {
    return new Set(this.#full.keys());
  }

  /** How far a part is behind. */
  missed(part: Part): { readonly objects: number; readonly bytes: number } {
    return { objects: this.#counts[part.number]!, bytes: this.#bytes[part.number]! };
  }

  isFull(part: Part): boolean {
    return this.#counts[part.number]! >= this.#notesMax;
  }

  /**
   * Notes durably, in at least `least` of `holders`, that these parts missed a change. Where a part has too many notes already, only that is noted.
   * @throws what a holder said
   */
  async add(
    key: string,
    missing: readonly Part[],
    change: Change,
    holders: readonly Part[],
    least: number,
    signal: AbortSignal,
  ): Promise<void> {
    const full = missing.filter((part) => this.isFull(part) && !this.behind(key).has(part.number));
    const names = missing.filter((part) => !full.includes(part)).map(({ name }) => name);
    await this.#write(key, names, change, holders, least, signal);
    for (const part of full) await this.addFull(part, holders, least, signal);
  }

  /** As `add`, for a write that is about to stage its shards; which it may do in the parts that it gives back: what waits is noted beside it. */
  async addStaged(key: string, change: Change, holders: readonly Part[], least: number, signal: AbortSignal): Promise<Part[]> {
    return await this.#writeOne(key, stagedMark, change, holders, least, signal);
  }

  /** Heals what was found wrong; says nothing of when it changed, so it does not outrank a note that does. */
  addFound(key: string, targets: readonly Part[], holders: readonly Part[], signal: AbortSignal): Promise<void> {
    const known = [...(this.#notes.get(key)?.values() ?? [])].filter(({ of }) => of !== stagedMark).map(({ stamp }) => stamp);
    const stamp = known.toSorted().at(-1) ?? STAMP_NONE;
    return this.#write(
      key,
      targets.map(({ name }) => name),
      { stamp, sizeBytes: 0 },
      holders,
      1,
      signal,
    );
  }

  async #write(
    key: string,
    of: readonly string[],
    change: Change,
    holders: readonly Part[],
    least: number,
    signal: AbortSignal,
  ): Promise<void> {
    await Promise.all(of.map((one) => this.#writeOne(key, one, change, holders, least, signal)));
  }

  async #writeOne(key: string, of: string, change: Change, holders: readonly Part[], least: number, signal: AbortSignal): Promise<Part[]> {
    const { path, content } = this.#place(key);
    const name = `${path}/${of}/${change.stamp}-${change.sizeBytes.toString(36)}`;
    return await putIn(holders, `${this.#prefix}behind/${name}`, content, least, signal, (part) => {
      this.#writtenAt.set(name, (this.#sequence += 1));
      this.#remember(key, name, part.number);
    });
  }

  /** Notes that this part missed more than can be told one by one. @throws what a holder said */
  async addFull(part: Part, holders: readonly Part[], least: number, signal: AbortSignal): Promise<void> {
    await putIn(holders, `${this.#prefix}full/${part.name}`, [], least, signal, (holder) => this.#rememberFull(part.number, holder.number));
  }

  /** Removes what is noted of these parts for the key; what others have noted since stays. */
  async clear(key: string, parts: readonly Part[], signal: AbortSignal): Promise<void> {
    const names = parts.map(({ name }) => name);
    await this.#drop(key, ({ of }) => names.includes(of), this.#parts, signal);
  }

  /** In these parts, which have lost what waited. */
  async clearStaged(key: string, stamps: readonly string[], holders: readonly Part[], signal: AbortSignal): Promise<void> {
    await this.#drop(key, ({ of, stamp }) => of === stagedMark && stamps.includes(stamp), holders, signal);
  }

  async #drop(key: string, chosen: (note: Note) => boolean, among: readonly Part[], signal: AbortSignal): Promise<void> {
    const notes = [...(this.#notes.get(key)?.values() ?? [])].filter(chosen);
    for (const note of notes) {
      for (const number of note.holders) {
        const holder = this.#parts[number]!;
        if (!among.includes(holder)) continue;
        // On a part that is away it stays, and is met again when that part is back.
        if (holder.present) await holder.run((location) => location.remove(`${this.#prefix}behind/${note.name}`, { signal }), signal);
        this.#forget(note, number);
      }
    }
  }

  async clearFull(part: Part, signal: AbortSignal): Promise<void> {
    for (const number of this.#full.get(part.number) ?? []) {
      const holder = this.#parts[number]!;
      if (holder.present) await holder.run((location) => location.remove(`${this.#prefix}full/${part.name}`, { signal }), signal);
    }
    this.#full.delete(part.number);
  }

  /** Learns what `part` has noted, of one key or of all. @throws what the part says */
  async load(part: Part, signal: AbortSignal, key?: string): Promise<void> {
    const begun = this.#sequence;
    const top = `${this.#prefix}behind/`;
    const found = new Set<string>();
    for await (const { key: object } of part.location.list(key === undefined ? top : `${top}${this.#place(key).path}/`, { signal })) {
      const name = object.slice(top.length);
      found.add(name);
      const of = await this.#keyOf(name, part, signal);
      if (of !== undefined) this.#remember(of, name, part.number);
    }
    for (const notes of key === undefined ? this.#notes.values() : [this.#notes.get(key) ?? new Map<string, Note>()])
      for (const note of notes.values())
        if (note.holders.has(part.number) && !found.has(note.name) && (this.#writtenAt.get(note.name) ?? 0) <= begun)
          this.#forget(note, part.number);
    if (key === undefined) await this.#loadFull(part, signal);
  }

  async #loadFull(part: Part, signal: AbortSignal): Promise<void> {
    const top = `${this.#prefix}full/`;
    for (const holders of this.#full.values()) holders.delete(part.number);
    for await (const { key } of part.location.list(top, { signal })) this.#rememberFull(this.#numberOf(key.slice(top.length)), part.number);
    for (const [number, holders] of this.#full) if (holders.size === 0) this.#full.delete(number);
  }

  #rememberFull(part: number, holder: number): void {
    if (part === -1) return;
    this.#full.set(part, (this.#full.get(part) ?? new Set()).add(holder));
  }

  #remember(key: string, name: string, holder: number): void {
    const [of = '', last = ''] = name.split('/').slice(-segmentsOfNote);
    const [stamp = '', size = ''] = last.split('-');
    const number = this.#numberOf(of);
    if (of !== stagedMark && number === -1) return;
    this.#stamps.saw(stamp);
    const notes = this.#notes.get(key) ?? new Map<string, Note>();
    this.#notes.set(key, notes);
    let note = notes.get(name);
    if (note === undefined) {
      note = { key, of, stamp, name, sizeBytes: Number.parseInt(size, 36) || 0, holders: new Set() };
      notes.set(name, note);
      this.#count(number, 1, note.sizeBytes);
    }
    note.holders.add(holder);
  }

  #forget(note: Note, holder: number): void {
    note.holders.delete(holder);
    const notes = this.#notes.get(note.key);
    if (note.holders.size > 0 || notes?.delete(note.name) !== true) return;
    this.#writtenAt.delete(note.name);
    this.#count(this.#numberOf(note.of), -1, -note.sizeBytes);
    if (notes.size === 0) this.#notes.delete(note.key);
  }

  #count(number: number, objects: number, bytes: number): void {
    if (number === -1) return;
    this.#counts[number]! += objects;
    this.#bytes[number]! += bytes;
  }

  #numberOf(name: string): number {
    return this.#parts.findIndex((part) => part.name === name);
  }

  /** Where notes of a key stand below the prefix. */
  #place(key: string): { path: string; content: Uint8Array[] } {
    const longest = `${this.#prefix}behind/${key}/`.length + 100;
    if (longest <= KEY_LENGTH_MAX) return { path: `k/${key}`, content: [] };
    return { path: `h/${createHash('sha256').update(key).digest('hex')}`, content: [Buffer.from(key)] };
  }

  /** The key of a note that was listed; undefined where it is no note of ours, or was removed meanwhile. */
  async #keyOf(name: string, part: Part, signal: AbortSignal): Promise<string | undefined> {
    const segments = name.split('/');
    if (segments.length < 2 + segmentsOfNote || !stampAndSize.test(segments.at(-1) ?? '')) return undefined;
    if (segments[0] === 'k') return segments.slice(1, -segmentsOfNote).join('/');
    for (const [key, notes] of this.#notes) if (notes.has(name)) return key;
    try {
      return Buffer.from(await part.location.get(`${this.#prefix}behind/${name}`, { signal })).toString('latin1');
    } catch (error) {
      if (error instanceof HoldfastError && error.code === 'STORAGE_NOT_FOUND') return undefined;
      throw error;
    }
  }
}

/** Puts in all that can be reached, and is content with some. @throws what one of them said when they are too few */
async function putIn(
  holders: readonly Part[],
  key: string,
  content: readonly Uint8Array[],
  least: number,
  signal: AbortSignal,
  done: (part: Part) => void,
): Promise<Part[]> {
  const results = await Promise.allSettled(
    holders.map(async (part) => {
      await part.run((location) => location.put(key, content, { signal }), signal);
      done(part);
      return part;
    }),
  );
  const failed = results.find((result) => result.status === 'rejected');
  const succeeded = results.filter((result) => result.status === 'fulfilled').map(({ value }) => value);
  signal.throwIfAborted();
  if (succeeded.length < least && failed !== undefined) throw failed.reason;
  return succeeded;
}
