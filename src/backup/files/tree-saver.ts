import type { BigIntStats } from 'node:fs';
import type { BlobId, Repository, SavedFile } from '../repository.ts';
import type { ReadInto } from '../chunk/chunks.ts';
import type { Cutter } from '../chunk/cutter.ts';
import { compareNames } from '../tree/name.ts';
import type { ExtendedAttribute, TreeNode } from '../tree/node.ts';
import { timeFromNs } from '../tree/time.ts';
import { decodeTree, encodeTree } from '../tree/tree.ts';
import type { ContentSaver, SavedContent } from './content.ts';
import { close, listDirectory, look, lookAt, openForReading, readAt, readLink } from './fs.ts';
import { createGate, settle, type Gate } from '../gate.ts';
import { takeOver, unknownPieces, type KnownPieces, type TakenOver } from './known-pieces.ts';
import { unknownFile, wholeFile, type PartsToRead } from './parts-to-read.ts';
import type { IssueList } from './issues.ts';
import type { LateWriter } from './late-writer.ts';
import type { Layout } from './layout.ts';
import type { Looks } from './looks.ts';
import { type FileStats, isUntouched, type NodeFacts, nodeOf } from './node-of.ts';
import { joinPath } from './path.ts';
import type { Selection } from './selection.ts';
import type { LateSystemCalls } from './system.ts';
import { countFile, trackItem, type Tally } from './tally.ts';

export interface TreeSaverOptions {
  readonly repository: Repository;
  readonly writer: LateWriter;
  readonly content: ContentSaver;
  readonly system: LateSystemCalls;
  readonly looks: Looks;
  readonly selection: Selection;
  readonly issues: IssueList;
  readonly tally: Tally;
  readonly withAccessTimes: boolean;
  /** Links that are saved as what they lead to. */
  readonly followed: ReadonlySet<string>;
  readonly cutterFor: (path: string, sizeBytes: number) => Cutter;
  /** What was changed since then (nanoseconds since 1970-01-01 UTC) may have been read half by the parent: it is read again. */
  readonly trustedBeforeNs: bigint;
  readonly knownPieces: KnownPieces | undefined;
  readonly filesAtOnceMax: number;
  readonly onItem: () => void;
  readonly signal: AbortSignal;
}

/** As many directories are gone through at once; more are done one after another. */
const directoriesAtOnceMax = 4;
/** Threads open smaller files by themselves; longer ones are read by several at once. */
const smallBytesMax = 8 * 1024 * 1024;
/** Of a file's damaged pages. */
const pagesNamedMax = 10;
const changedMessage = 'it changed while it was read';
/** Files that say they are empty are read all the same, as those of /proc are not, up to this. */
const emptyBytesMax = 64 * 1024 * 1024;

/** A directory's way down from the path that was given. */
interface Place {
  readonly path: string;
  readonly device: bigint;
  readonly rootDevice: bigint;
}

interface ReadFile extends SavedContent {
  /** When it was opened, before the first byte was read. */
  readonly stats: FileStats;
}

interface OpenFile {
  readonly fd: number;
  readonly path: string;
  readonly sizeBytes: number;
}

interface Found {
  readonly name: string;
  readonly path: string;
  readonly stats: BigIntStats;
  readonly before: TreeNode | undefined;
  /** Nothing of it was touched since then. */
  readonly isKnown: boolean;
}

/** Saves directories and what is in them as trees. */
export class TreeSaver {
  readonly #options: TreeSaverOptions;
  readonly #files: Gate;
  readonly #directories: Gate;
  /** Contents of files with several names, by device and inode: each is read once. */
  readonly #linked = new Map<string, Promise<ReadFile>>();

  constructor(options: TreeSaverOptions) {
    this.#options = options;
    this.#files = createGate(options.filesAtOnceMax);
    this.#directories = createGate(directoriesAtOnceMax);
  }

  /** The tree of a layout; undefined when none of its paths could be read. */
  async saveLayout(layout: Layout, before: BlobId | undefined): Promise<BlobId | undefined> {
    if (layout.children === undefined) {
      const stats = await look(layout.path);
      return this.#saveDirectory({ path: layout.path, device: stats.dev, rootDevice: stats.dev }, before);
    }
    const known = await this.#nodesBefore(before);
    const nodes: TreeNode[] = [];
    for (const name of [...layout.children.keys()].toSorted(compareNames)) {
      const node = await this.#saveLaidOut(name, layout.children.get(name) as Layout, known?.get(name));
      if (node !== undefined) nodes.push(node);
    }
    return nodes.length === 0 ? undefined : this.#saveTree(nodes);
  }

  async #saveLaidOut(name: string, layout: Layout, before: TreeNode | undefined): Promise<TreeNode | undefined> {
    const { issues } = this.#options;
    let stats: BigIntStats;
    try {
      stats = await look(layout.path);
    } catch (error) {
      issues.addError(layout.path, error);
      return undefined;
    }
    const found = this.#find(name, layout.path, stats, before);
    const [attributes] = await this.#attributesOf([found]);
    if (attributes === undefined) return undefined;
    if (layout.children === undefined) {
      const entry = await this.#begin(found, attributes, stats.dev);
      return entry?.done;
    }
    const subtree = await this.saveLayout(layout, before?.subtree);
    if (subtree === undefined) return undefined;
    return this.#finishDirectory(found, attributes, subtree);
  }

  async #saveDirectory(place: Place, before: BlobId | undefined): Promise<BlobId> {
    const { selection, signal } = this.#options;
    signal.throwIfAborted();
    const names = (await listDirectory(place.path)).toSorted(compareNames);
    const marks = await selection.marksOf(place.path, names);
    const taken = (marks.length > 0 ? marks : names).filter((name) => selection.takesName(joinPath(place.path, name)));
    const known = await this.#nodesBefore(before);
    const found = await this.#lookAtAll(place, taken, known);
    const attributes = await this.#attributesOf(found);
    const entries: Promise<TreeNode | undefined>[] = [];
    try {
      for (const [index, one] of found.entries()) {
        signal.throwIfAborted();
        const own = attributes[index];
        const entry = own && (await this.#begin(one, own, place.rootDevice));
        if (entry === undefined) continue;
        // Looked at when all are under way; until then its failure is nobody's.
        entry.done.catch(() => undefined);
        entries.push(entry.done);
      }
    } catch (error) {
      await Promise.allSettled(entries);
      throw error;
    }
    const nodes = (await settle(entries)).filter((node) => node !== undefined);
    // Nothing of it is made anew when all is as it was told.
    const isSame = before !== undefined && known?.size === nodes.length && nodes.every((node) => known.get(node.name) === node);
    return isSame ? before : this.#saveTree(nodes);
  }

  async #lookAtAll(place: Place, names: readonly string[], known: ReadonlyMap<string, TreeNode> | undefined): Promise<Found[]> {
    const { selection, issues, followed, looks } = this.#options;
    const paths = names.map((name) => joinPath(place.path, name));
    const found: Found[] = [];
    for (const [at, outcome] of (await looks.at(paths, (path) => followed.has(path))).entries()) {
      const [name, path] = [names[at]!, paths[at]!];
      if ('error' in outcome) issues.addError(path, outcome.error);
      else if (selection.takes(outcome.stats, place.rootDevice, place.device))
        found.push(this.#find(name, path, outcome.stats, known?.get(name)));
    }
    return found;
  }

  #find(name: string, path: string, stats: BigIntStats, before: TreeNode | undefined): Found {
    const isKnown = before !== undefined && stats.ctimeNs < this.#options.trustedBeforeNs && isUntouched(stats, before);
    return { name, path, stats, before, isKnown };
  }

  /** Attributes change the time of change: those of an untouched file are known. Undefined for what went since it was looked at, which is told. */
  async #attributesOf(found: readonly Found[]): Promise<(readonly ExtendedAttribute[] | undefined)[]> {
    const { system, issues } = this.#options;
    const touched = found.filter(({ isKnown }) => !isKnown);
    const outcomes = touched.length === 0 ? [] : ((await (await system.get())?.readAttributes(touched.map(({ path }) => path))) ?? []);
    const read = new Map(touched.map((one, index) => [one, outcomes[index]]));
    return found.map((one) => {
      const outcome = read.get(one);
      if (outcome === undefined) return one.isKnown ? (one.before?.extendedAttributes ?? []) : [];
      if (outcome.errno === gone) {
        issues.add({ path: one.path, kind: 'vanished', message: 'it went while it was looked at' });
        return undefined;
      }
      if (outcome.errno !== 0 && !harmless.has(outcome.errno)) {
        issues.add({ path: one.path, kind: 'unreadable', message: `its extended attributes can not be read (errno ${outcome.errno})` });
      }
      return outcome.value ?? [];
    });
  }

  /** Resolves when the entry is under way, which waits for a place; nothing for what is not backed up. */
  async #begin(
    found: Found,
    attributes: readonly ExtendedAttribute[],
    rootDevice: bigint,
  ): Promise<{ done: Promise<TreeNode | undefined> } | undefined> {
    const { stats } = found;
    if (stats.isSocket()) return undefined;
    if (stats.isDirectory()) {
      const save = (): Promise<TreeNode | undefined> =>
        this.#guard(found.path, () => this.#saveSubdirectory(found, attributes, rootDevice));
      if (this.#directories.isFree) return this.#directories.enter(save);
      const node = await save();
      return { done: Promise.resolve(node) };
    }
    if (!stats.isFile()) return { done: this.#guard(found.path, () => this.#finishOther(found, attributes)) };
    if (found.isKnown && this.#hasContent(found.before as TreeNode)) return { done: Promise.resolve(this.#finishUnmodified(found)) };
    return this.#files.enter(() => this.#guard(found.path, () => this.#saveFile(found, attributes)));
  }

  /** An error of the system costs one file, not the snapshot. */
  async #guard(path: string, work: () => Promise<TreeNode | undefined>): Promise<TreeNode | undefined> {
    try {
      return await work();
    } catch (error) {
      this.#options.signal.throwIfAborted();
      this.#options.issues.addError(path, error);
      return undefined;
    }
  }

  async #saveSubdirectory(found: Found, attributes: readonly ExtendedAttribute[], rootDevice: bigint): Promise<TreeNode> {
    const subtree = await this.#saveDirectory({ path: found.path, device: found.stats.dev, rootDevice }, found.before?.subtree);
    return this.#finishDirectory(found, attributes, subtree);
  }

  async #finishDirectory(found: Found, attributes: readonly ExtendedAttribute[], subtree: BlobId): Promise<TreeNode> {
    const isSame = found.isKnown && found.before?.subtree === subtree && !this.#options.withAccessTimes;
    const node = isSame ? found.before : { ...(await this.#nodeOf(found, attributes)), subtree };
    trackItem(this.#options.tally, 'dir', found.before, found.before?.subtree === subtree, 0);
    this.#options.onItem();
    return node;
  }

  async #finishOther(found: Found, attributes: readonly ExtendedAttribute[]): Promise<TreeNode> {
    const linkTarget = found.stats.isSymbolicLink() ? await readLink(found.path) : undefined;
    return this.#nodeOf(found, attributes, linkTarget);
  }

  /** Whatever changes about a file moves its time of change, so that all is as it was told; a device's number may differ since. */
  #finishUnmodified({ stats, before }: Found): TreeNode {
    const { tally, withAccessTimes, onItem } = this.#options;
    trackItem(tally, 'file', before, true, Number(stats.size));
    onItem();
    const node = before as TreeNode;
    const isElsewhere = node.deviceId !== undefined && node.deviceId !== stats.dev;
    if (!isElsewhere && !withAccessTimes) return node;
    return {
      ...node,
      ...(isElsewhere ? { deviceId: stats.dev } : {}),
      ...(withAccessTimes ? { atime: timeFromNs(stats.atimeNs) } : {}),
    };
  }

  async #saveFile(found: Found, attributes: readonly ExtendedAttribute[]): Promise<TreeNode> {
    const { stats } = found;
    const key = `${stats.dev}:${stats.ino}`;
    let saving = this.#linked.get(key);
    if (saving === undefined || (await saving).stats.ctimeNs !== stats.ctimeNs) {
      saving = this.#readFile(found);
      if (stats.nlink > 1n) this.#linked.set(key, saving);
      saving.catch(() => this.#linked.delete(key));
    }
    const { content, sizeBytes, stats: opened } = await saving;
    const node = { ...(await this.#nodeOf({ ...found, stats: opened }, attributes)), content, size: sizeBytes };
    trackItem(this.#options.tally, 'file', found.before, false, sizeBytes);
    this.#options.onItem();
    return node;
  }

  async #readFile({ path, before, stats: found }: Found): Promise<ReadFile> {
    const { issues, knownPieces, repository } = this.#options;
    const small = knownPieces === undefined && found.size <= smallBytesMax ? await this.#readSmall(path, Number(found.size)) : undefined;
    if (small !== undefined) return small;
    const fd = await openForReading(path);
    try {
      const stats = await lookAt(fd);
      if (!stats.isFile()) throw Object.assign(new Error('it is no longer a file'), { code: 'ESTALE' });
      const sizeBytes = Number(stats.size);
      const pieces = knownPieces === undefined ? undefined : takeOver(knownPieces, repository, { path, sizeBytes, before });
      const file = { fd, path, sizeBytes };
      const saved = (pieces === undefined ? undefined : await this.#savePieces(file, pieces)) ?? (await this.#saveWhole(file));
      const after = await lookAt(fd);
      if (after.mtimeNs !== stats.mtimeNs || after.size !== stats.size || saved.sizeBytes !== sizeBytes) {
        issues.add({ path, kind: 'changed', message: changedMessage });
      }
      return { ...saved, stats };
    } finally {
      await close(fd);
    }
  }

  /** Undefined where no thread can open and read it. */
  async #readSmall(path: string, sizeBytes: number): Promise<ReadFile | undefined> {
    const { cutterFor, issues } = this.#options;
    const writer = await this.#options.writer.get();
    if (writer.saveWholeFile === undefined || sizeBytes === 0) return undefined;
    const { cutting } = cutterFor(path, sizeBytes);
    if (cutting === undefined) return undefined;
    const saved = await writer.saveWholeFile(path, sizeBytes, cutting);
    if (saved.isChanged) issues.add({ path, kind: 'changed', message: changedMessage });
    return { ...this.#count(path, saved), stats: saved.stats };
  }

  async #saveWhole(file: OpenFile): Promise<SavedContent> {
    const { sizeBytes } = file;
    // What is written behind the end meanwhile belongs to the next backup.
    return await this.#saveParts(file, sizeBytes === 0 ? unknownFile(emptyBytesMax) : wholeFile(sizeBytes));
  }

  /** Reads what is not taken over. Undefined when the file became shorter meanwhile: then its pieces are no longer where they were. */
  async #savePieces(file: OpenFile, pieces: TakenOver): Promise<SavedContent | undefined> {
    const unknown = unknownPieces(pieces, (this.#options.knownPieces as KnownPieces).pieceBytes, file.sizeBytes);
    const saved = await this.#saveParts(file, unknown);
    return saved.sizeBytes === unknown.sizeBytes ? { content: unknown.fill(saved.content), sizeBytes: file.sizeBytes } : undefined;
  }

  async #saveParts(file: OpenFile, toRead: PartsToRead): Promise<SavedContent> {
    const { content, cutterFor, signal } = this.#options;
    const writer = await this.#options.writer.get();
    const cutter = cutterFor(file.path, file.sizeBytes);
    if (toRead.parts !== undefined && writer.saveFile !== undefined && cutter.cutting !== undefined)
      return this.#count(file.path, await writer.saveFile(file.fd, toRead.parts, cutter.cutting));
    let position = 0;
    const read: ReadInto = async (into, offset, wanted) => {
      const part = toRead.at(position);
      const got = await this.#read(file.fd, into, offset, Math.min(wanted, part.sizeBytes), part.offset);
      position += got;
      return got;
    };
    return await content.save(read, cutter, signal);
  }

  #count(path: string, saved: SavedFile): SavedContent {
    countFile(this.#options.tally, saved);
    const { wrongPages: wrong } = saved;
    if (wrong.length > 0) {
      const more = wrong.length > pagesNamedMax ? ` and ${wrong.length - pagesNamedMax} more` : '';
      const message = `pages do not match their checksums: ${wrong.slice(0, pagesNamedMax).join(', ')}${more}`;
      this.#options.issues.add({ path, kind: 'damaged', message });
    }
    return saved;
  }

  async #read(fd: number, into: Buffer, offset: number, sizeBytes: number, position: number): Promise<number> {
    const got = sizeBytes === 0 ? 0 : await readAt(fd, into, offset, sizeBytes, position);
    this.#options.tally.count('readBytes', got);
    return got;
  }

  async #nodeOf(
    { name, stats }: Pick<NodeFacts, 'name' | 'stats'>,
    attributes: readonly ExtendedAttribute[],
    linkTarget?: string,
  ): Promise<TreeNode> {
    const { withAccessTimes } = this.#options;
    const system = await this.#options.system.get();
    const [user, group] = await Promise.all([system?.userName(Number(stats.uid)), system?.groupName(Number(stats.gid))]);
    return nodeOf({ name, stats, user, group, attributes, withAccessTimes, ...(linkTarget === undefined ? {} : { linkTarget }) });
  }

  #hasContent(before: TreeNode): boolean {
    return (before.content ?? []).every((id) => this.#options.repository.has('data', id));
  }

  async #nodesBefore(id: BlobId | undefined): Promise<ReadonlyMap<string, TreeNode> | undefined> {
    const { repository, signal } = this.#options;
    if (id === undefined || !repository.has('tree', id)) return undefined;
    const nodes = decodeTree(await repository.loadBlob('tree', id, { signal }), `tree ${id}`);
    return new Map(nodes.map((node) => [node.name, node]));
  }

  async #saveTree(nodes: readonly TreeNode[]): Promise<BlobId> {
    const { writer, tally } = this.#options;
    const document = encodeTree(nodes);
    const saved = await writer.saveBlob('tree', document);
    tally.save('tree', saved, document.length);
    return saved.id;
  }
}

/** ENOTSUP: the file system has none. EACCES and EPERM of the list itself: as restic, for directories above the path. */
const harmless: ReadonlySet<number> = new Set([95]);

/** ENOENT. */
const gone = 2;
