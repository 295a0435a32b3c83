import { loadTree } from '../browse/walk.ts';
import { mapAtOnce } from '../gate.ts';
import { createBlobSet } from '../prune/used.ts';
import type { BlobId, FileId, Repository, RepositoryWriter, Snapshot } from '../repository.ts';

export interface CopyOptions {
  /** Default: all. */
  readonly snapshots?: Iterable<Snapshot>;
  readonly onProgress?: (progress: CopyProgress) => void;
  readonly signal: AbortSignal;
}

export interface CopyProgress {
  readonly copiedBlobs: number;
  /** Before compression. */
  readonly copiedBytes: number;
}

export interface CopyResult extends CopyProgress {
  readonly copied: readonly { readonly from: FileId; readonly to: FileId }[];
  /** Snapshots that the target had already. */
  readonly skipped: readonly FileId[];
}

const blobsAtOnceMax = 8;

/**
 * Copies snapshots into another repository, encrypted with its keys; as `restic copy`. Blobs that it has are not read. A copy names what it is a
 * copy of (`original`), so that copying again copies nothing. Where files are to be deduplicated against later backups into the target, both
 * repositories must have the same polynomial.
 * @throws BACKUP_BLOB_MISSING, BACKUP_DAMAGED of the source; what either location throws
 */
export async function copySnapshots(source: Repository, target: Repository, options: CopyOptions): Promise<CopyResult> {
  const { signal } = options;
  await using lock = await source.lock({ signal });
  await using writer = await target.write({ signal: AbortSignal.any([signal, lock.signal]) });
  const there = await originalsOf(target, signal);
  const copied: { from: FileId; to: FileId }[] = [];
  const skipped: FileId[] = [];
  const progress = { copiedBlobs: 0, copiedBytes: 0 };
  const copier = new Copier(source, target, writer, (bytes) => {
    progress.copiedBlobs += 1;
    progress.copiedBytes += bytes;
    options.onProgress?.({ ...progress });
  });
  for (const snapshot of await inOrder(source, options)) {
    const original = snapshot.original ?? snapshot.id;
    if (there.has(keyOf(snapshot, original))) {
      skipped.push(snapshot.id);
      continue;
    }
    await copier.copyTree(snapshot.tree, writer.signal);
    const { parent: _, ...document } = snapshot.document;
    const saved = await writer.saveSnapshot({ ...document, original });
    copied.push({ from: snapshot.id, to: saved.id });
  }
  return { ...progress, copied, skipped };
}

class Copier {
  readonly #source: Repository;
  readonly #target: Repository;
  readonly #writer: RepositoryWriter;
  readonly #onBlob: (sizeBytes: number) => void;
  /** Trees of which everything is in the target. */
  readonly #done = createBlobSet();

  constructor(source: Repository, target: Repository, writer: RepositoryWriter, onBlob: (sizeBytes: number) => void) {
    this.#source = source;
    this.#target = target;
    this.#writer = writer;
    this.#onBlob = onBlob;
  }

  /** What a tree needs comes before it: a tree that is in the target need not be looked into only if this run has put it there. */
  async copyTree(id: BlobId, signal: AbortSignal): Promise<void> {
    if (this.#done.has('tree', id)) return;
    signal.throwIfAborted();
    const nodes = await loadTree(this.#source, id, signal);
    for (const node of nodes) if (node.subtree !== undefined) await this.copyTree(node.subtree, signal);
    const wanted = [...new Set(nodes.flatMap((node) => node.content ?? []))].filter((blob) => !this.#target.has('data', blob));
    await mapAtOnce(inPackOrder(this.#source, wanted), blobsAtOnceMax, (blob) => this.#copy('data', blob, signal));
    if (!this.#target.has('tree', id)) await this.#copy('tree', id, signal);
    this.#done.add('tree', id);
  }

  async #copy(type: 'data' | 'tree', id: BlobId, signal: AbortSignal): Promise<void> {
    const data = await this.#source.loadBlob(type, id, { signal });
    await this.#writer.saveBlob(type, data);
    this.#onBlob(data.length);
  }
}

function inPackOrder(repository: Repository, ids: readonly BlobId[]): BlobId[] {
  const placed = ids.map((id) => ({ id, place: repository.find('data', id) }));
  const order = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
  return placed
    .toSorted((a, b) => order(a.place?.packId ?? '', b.place?.packId ?? '') || (a.place?.offset ?? 0) - (b.place?.offset ?? 0))
    .map(({ id }) => id);
}

async function inOrder(source: Repository, { snapshots, signal }: CopyOptions): Promise<Snapshot[]> {
  const all = snapshots === undefined ? await Array.fromAsync(source.snapshots({ signal })) : [...snapshots];
  return all.toSorted((a, b) => a.timeMs - b.timeMs);
}

/** What the target's snapshots are, or are copies of. */
async function originalsOf(target: Repository, signal: AbortSignal): Promise<Set<string>> {
  const originals = new Set<string>();
  for await (const snapshot of target.snapshots({ signal })) originals.add(keyOf(snapshot, snapshot.original ?? snapshot.id));
  return originals;
}

/** An original that was changed since, say by other tags, is another snapshot. */
function keyOf(snapshot: Snapshot, original: FileId): string {
  return JSON.stringify([original, snapshot.tree, snapshot.tags.toSorted(), snapshot.paths, snapshot.hostname, snapshot.timeMs]);
}
