// The index in memory: for ten million blobs it must not be ten million objects. Entries lie in typed arrays, 48 bytes each; a table of
// slots finds them by their id, which is as good as random: 4 bytes a slot, at most 7/8 of them taken, grown by half: below 7 bytes an
// entry. With 32 bytes for each pack that is below 60 bytes a blob.
import { idBytes } from '../documents/ids.ts';
import type { PackEntry } from '../pack/header.ts';
import { entryWords, type FlatIndex, flattenIndex, headOf, headWord, idWords, offsetWord, plainWord, sizeWord } from './flat-index.ts';
import type { BlobId, BlobPlace, BlobType, FileId, IndexedBlob } from '../repository.ts';

/** Entries of one array, so that growing neither copies nor doubles them. */
const chunkEntries = 16_384;
const firstSlots = 1024;
const slotsLoadMax = 7 / 8;
const slotsGrowth = 1.5;
/** Sealed bytes that a blob is larger by, when it is not compressed. */
const sealedBy = 32;
const wordMax = 2 ** 32;

/** Entries of the index by id; the same blob may have several. Not larger than 2^31 entries, nor packs. */
export class BlobTable {
  #chunks: Uint32Array[] = [];
  #size = 0;
  /** Ordinal + 1 of an entry; 0 is free. */
  #slots: Uint32Array = new Uint32Array(firstSlots);
  #packIds: Uint32Array[] = [];
  #packCount = 0;
  readonly #packOrdinals = new PackOrdinals();
  readonly #scratch = new Uint32Array(idWords);
  readonly #scratchBytes = Buffer.from(this.#scratch.buffer);

  /** Entries, duplicates included. */
  get size(): number {
    return this.#size;
  }

  get packCount(): number {
    return this.#packCount;
  }

  /** Bytes that its arrays take. */
  get memoryBytes(): number {
    const words = [...this.#chunks, ...this.#packIds].reduce((sum, chunk) => sum + chunk.byteLength, 0);
    return words + this.#slots.byteLength + this.#packOrdinals.memoryBytes;
  }

  /** Ordinal of a pack; -1 when no entry names it. */
  packOrdinalOf(packId: FileId): number {
    return this.#packOrdinals.find(packId, (ordinal) => this.packId(ordinal));
  }

  hasPack(packId: FileId): boolean {
    return this.packOrdinalOf(packId) >= 0;
  }

  /** Adds a blob of a pack, unless that very entry is there. */
  add(packId: FileId, entry: PackEntry): void {
    this.addAll(flattenIndex([{ packId, entries: [entry] }]));
  }

  /** Adds what an index file says, but for entries that are there. */
  addAll({ packIds, entries }: FlatIndex): void {
    const packs = new Uint32Array(packIds.byteLength / idBytes);
    const ids = Buffer.from(packIds.buffer);
    for (let pack = 0; pack < packs.length; pack += 1)
      packs[pack] = this.#packOrdinal(ids.toString('hex', pack * idBytes, (pack + 1) * idBytes));
    const words = new Uint32Array(entries.buffer);
    for (let from = 0; from < words.length; from += entryWords) {
      const head = words[from + headWord]!;
      this.#addWords(words, from, headOf(packs[head >>> 1]!, (head & 1) === 1));
    }
  }

  #addWords(words: Uint32Array, from: number, head: number): void {
    for (let word = 0; word < idWords; word += 1) this.#scratch[word] = words[from + word]!;
    if (this.#size + 1 > this.#slots.length * slotsLoadMax) this.#growSlots();
    let slot = this.#slotOf(this.#scratch[0]!);
    for (let taken = this.#slots[slot]!; taken !== 0; taken = this.#slots[slot]!) {
      if (this.#holds(taken - 1, head, words[from + offsetWord]!)) return;
      slot = this.#next(slot);
    }
    const ordinal = this.#append();
    const chunk = this.#chunks[Math.floor(ordinal / chunkEntries)]!;
    const to = (ordinal % chunkEntries) * entryWords;
    for (let word = 0; word < entryWords; word += 1) chunk[to + word] = words[from + word]!;
    chunk[to + headWord] = head;
    this.#slots[slot] = ordinal + 1;
  }

  /** Ordinals of the entries with this type and id. */
  *ordinalsOf(type: BlobType, id: BlobId): Generator<number> {
    for (let slot = this.#firstSlot(id); ; slot = this.#next(slot)) {
      const taken = this.#slots[slot]!;
      if (taken === 0) return;
      if (this.#matches(taken - 1, type)) {
        yield taken - 1;
        this.#readId(id);
      }
    }
  }

  /** Ordinal of the first entry; -1 when there is none. */
  ordinalOf(type: BlobType, id: BlobId): number {
    for (let slot = this.#firstSlot(id); ; slot = this.#next(slot)) {
      const taken = this.#slots[slot]!;
      if (taken === 0) return -1;
      if (this.#matches(taken - 1, type)) return taken - 1;
    }
  }

  has(type: BlobType, id: BlobId): boolean {
    return this.ordinalOf(type, id) >= 0;
  }

  /** The entry at an ordinal: 0 to `size` - 1, in the order in which they were added. */
  at(ordinal: number): IndexedBlob {
    const chunk = this.#chunks[Math.floor(ordinal / chunkEntries)]!;
    const from = (ordinal % chunkEntries) * entryWords;
    return { type: (chunk[from + headWord]! & 1) === 1 ? 'tree' : 'data', id: hexOf(chunk, from), place: this.#placeAt(chunk, from) };
  }

  place(ordinal: number): BlobPlace {
    return this.#placeAt(this.#chunks[Math.floor(ordinal / chunkEntries)]!, (ordinal % chunkEntries) * entryWords);
  }

  /** Ordinal of an entry's pack: 0 to `packCount` - 1. */
  packOf(ordinal: number): number {
    return this.#chunks[Math.floor(ordinal / chunkEntries)]![(ordinal % chunkEntries) * entryWords + headWord]! >>> 1;
  }

  packId(pack: number): FileId {
    return hexOf(this.#packIds[Math.floor(pack / chunkEntries)]!, (pack % chunkEntries) * idWords);
  }

  *entries(): Generator<IndexedBlob> {
    for (let ordinal = 0; ordinal < this.#size; ordinal += 1) yield this.at(ordinal);
  }

  /** Each pack with its entries in the order of their offsets. Takes 4 bytes more for each entry while it runs. */
  *packs(): Generator<{ readonly packId: FileId; readonly entries: readonly PackEntry[] }> {
    const entriesOf = this.#grouped();
    for (let pack = 0; pack < this.#packCount; pack += 1) yield { packId: this.packId(pack), entries: entriesOf(pack) };
  }

  /** A look-up of the entries of a pack as they are now; none when no entry names it. */
  byPack(): (packId: FileId) => readonly PackEntry[] {
    const entriesOf = this.#grouped();
    return (packId) => {
      const pack = this.packOrdinalOf(packId);
      return pack < 0 ? [] : entriesOf(pack);
    };
  }

  /** Ordinals of entries, sorted by their packs: by counting them. */
  #grouped(): (pack: number) => readonly PackEntry[] {
    const starts = new Uint32Array(this.#packCount + 1);
    for (let ordinal = 0; ordinal < this.#size; ordinal += 1) starts[this.packOf(ordinal) + 1]! += 1;
    for (let pack = 0; pack < this.#packCount; pack += 1) starts[pack + 1]! += starts[pack]!;
    const ordinals = new Uint32Array(this.#size);
    const ends = starts.slice();
    for (let ordinal = 0; ordinal < this.#size; ordinal += 1) ordinals[ends[this.packOf(ordinal)]!++] = ordinal;
    return (pack) =>
      Array.from(ordinals.subarray(starts[pack], starts[pack + 1]), (ordinal) => entryOf(this.at(ordinal))).toSorted(
        (a, b) => a.offset - b.offset,
      );
  }

  #placeAt(chunk: Uint32Array, from: number): BlobPlace {
    const plain = chunk[from + plainWord]!;
    const sizeBytes = chunk[from + sizeWord]!;
    return {
      packId: this.packId(chunk[from + headWord]! >>> 1),
      offset: chunk[from + offsetWord]!,
      sizeBytes,
      plainSizeBytes: plain === 0 ? sizeBytes - sealedBy : plain,
      compressed: plain !== 0,
    };
  }

  #append(): number {
    const ordinal = this.#size;
    if (ordinal % chunkEntries === 0) this.#chunks.push(new Uint32Array(chunkEntries * entryWords));
    this.#size += 1;
    return ordinal;
  }

  #packOrdinal(packId: FileId): number {
    return this.#packOrdinals.of(
      packId,
      this.#packCount,
      (ordinal) => this.packId(ordinal),
      () => {
        if (this.#packCount % chunkEntries === 0) this.#packIds.push(new Uint32Array(chunkEntries * idWords));
        this.#readId(packId);
        this.#packIds[Math.floor(this.#packCount / chunkEntries)]!.set(this.#scratch, (this.#packCount % chunkEntries) * idWords);
        this.#packCount += 1;
      },
    );
  }

  #readId(id: string): void {
    this.#scratchBytes.write(id, 'hex');
  }

  /** Whether the entry is that of the id in scratch, of this pack and type, at this offset. */
  #holds(ordinal: number, head: number, offset: number): boolean {
    const chunk = this.#chunks[Math.floor(ordinal / chunkEntries)]!;
    const from = (ordinal % chunkEntries) * entryWords;
    return chunk[from + headWord] === head && chunk[from + offsetWord] === offset && this.#sameId(chunk, from);
  }

  #matches(ordinal: number, type: BlobType): boolean {
    const chunk = this.#chunks[Math.floor(ordinal / chunkEntries)]!;
    const from = (ordinal % chunkEntries) * entryWords;
    return (chunk[from + headWord]! & 1) === (type === 'tree' ? 1 : 0) && this.#sameId(chunk, from);
  }

  #sameId(chunk: Uint32Array, from: number): boolean {
    for (let word = 0; word < idWords; word += 1) if (chunk[from + word] !== this.#scratch[word]) return false;
    return true;
  }

  #firstSlot(id: string): number {
    this.#readId(id);
    return this.#slotOf(this.#scratch[0]!);
  }

  /** Spreads 2^32 evenly over however many slots there are. */
  #slotOf(word: number): number {
    return Math.floor((word / wordMax) * this.#slots.length);
  }

  #next(slot: number): number {
    return slot + 1 === this.#slots.length ? 0 : slot + 1;
  }

  #growSlots(): void {
    this.#slots = new Uint32Array(Math.ceil(this.#slots.length * slotsGrowth));
    for (let ordinal = 0; ordinal < this.#size; ordinal += 1) {
      let slot = this.#slotOf(this.#chunks[Math.floor(ordinal / chunkEntries)]![(ordinal % chunkEntries) * entryWords]!);
      while (this.#slots[slot] !== 0) slot = this.#next(slot);
      this.#slots[slot] = ordinal + 1;
    }
  }
}

/** Finds the ordinal of a pack by its id, in the same way as blobs are found. */
class PackOrdinals {
  #slots = new Uint32Array(firstSlots);
  #lastId = '';
  #last = -1;

  get memoryBytes(): number {
    return this.#slots.byteLength;
  }

  /** -1 when it is not there. */
  find(id: FileId, idOf: (ordinal: number) => FileId): number {
    let slot = this.#slotOf(id);
    while (this.#slots[slot] !== 0 && idOf(this.#slots[slot]! - 1) !== id) slot = (slot + 1) % this.#slots.length;
    return this.#slots[slot]! - 1;
  }

  of(id: FileId, count: number, idOf: (ordinal: number) => FileId, append: () => void): number {
    // Entries come pack by pack.
    if (id === this.#lastId) return this.#last;
    if (count + 1 > this.#slots.length * slotsLoadMax) this.#grow(count, idOf);
    let slot = this.#slotOf(id);
    while (this.#slots[slot] !== 0 && idOf(this.#slots[slot]! - 1) !== id) slot = (slot + 1) % this.#slots.length;
    if (this.#slots[slot] === 0) {
      append();
      this.#slots[slot] = count + 1;
    }
    this.#lastId = id;
    this.#last = this.#slots[slot]! - 1;
    return this.#last;
  }

  #slotOf(id: FileId): number {
    return Math.floor((Number.parseInt(id.slice(0, 8), 16) / wordMax) * this.#slots.length);
  }

  #grow(count: number, idOf: (ordinal: number) => FileId): void {
    this.#slots = new Uint32Array(Math.ceil(this.#slots.length * slotsGrowth));
    for (let ordinal = 0; ordinal < count; ordinal += 1) {
      let slot = this.#slotOf(idOf(ordinal));
      while (this.#slots[slot] !== 0) slot = (slot + 1) % this.#slots.length;
      this.#slots[slot] = ordinal + 1;
    }
  }
}

/** An entry as the header of its pack has it. */
export function entryOf({ type, id, place }: IndexedBlob): PackEntry {
  const { offset, sizeBytes, plainSizeBytes, compressed } = place;
  return { type, id, offset, sizeBytes, plainSizeBytes, compressed };
}

function hexOf(words: Uint32Array, from: number): string {
  return Buffer.from(words.buffer, words.byteOffset + from * 4, idBytes).toString('hex');
}
