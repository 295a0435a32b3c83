import { hostname, userInfo } from 'node:os';
import { linked } from '../../core/deadline.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { Runtime } from '../../core/runtime.ts';
import { createBufferPool, type ReadInto } from '../chunk/chunks.ts';
import { fileChunkSizes } from '../chunk/fast-cdc.ts';
import { partsOf } from '../patterns/pattern.ts';
import type { BlobId, Repository } from '../repository.ts';
import { modeFromStat } from '../tree/mode.ts';
import type { TreeNode } from '../tree/node.ts';
import { assertClock } from '../snapshot/clock.ts';
import { timeFromMs } from '../tree/time.ts';
import { encodeTree } from '../tree/tree.ts';
import { fileCutter, findParent, type BackupResult } from './backup.ts';
import { createContentSaver } from './content.ts';
import { snapshotDocument } from './snapshot-document.ts';
import { createTally, trackItem, type BackupSummary } from './tally.ts';

export interface BackupStreamOptions {
  /** The file's path in the snapshot, for example `/orders.sql`. */
  readonly name: string;
  readonly tags?: readonly string[];
  readonly host?: string;
  /** Whether nothing at all is a backup: a dump that failed looks so. */
  readonly allowEmpty?: boolean;
  readonly onProgress?: (summary: BackupSummary) => void;
  readonly signal: AbortSignal;
}

const chunksAtOnceMax = 10;

/**
 * Makes a snapshot of one file whose content is a stream, such as the output of a dump; as `restic backup --stdin`. A stream that fails
 * makes no snapshot.
 * @throws BACKUP_CLOCK_BACKWARDS, BACKUP_STREAM_EMPTY, BACKUP_STREAM_NAME, what the stream throws, and what the location throws
 */
export async function backupStream(
  repository: Repository,
  runtime: Pick<Runtime, 'clock'>,
  source: AsyncIterable<Uint8Array>,
  options: BackupStreamOptions,
): Promise<BackupResult> {
  const startMs = runtime.clock.wallMs();
  const names = partsOf(options.name);
  if (names.length === 0 || names.some((name) => name === '.' || name === '..')) {
    throw new HoldfastError('BACKUP_STREAM_NAME', `"${options.name}" names no file`, {
      hint: 'give the path that the stream is to have in the snapshot: /dump.sql',
    });
  }
  const path = `/${names.join('/')}`;
  const host = options.host ?? hostname();
  const tally = createTally();
  const parent = await findParent(repository, { host, paths: [path], signal: options.signal });
  assertClock(parent, startMs);
  await using writer = await repository.write({ signal: options.signal });
  using link = linked(options.signal, writer.signal);
  const content = createContentSaver(writer, createBufferPool(chunksAtOnceMax, fileChunkSizes.maxBytes), (kind, saved, sizeBytes) => {
    tally.save(kind, saved, sizeBytes);
    options.onProgress?.(tally.summary);
  });
  const iterator = source[Symbol.asyncIterator]();
  let saved;
  try {
    saved = await content.save(readerOf(iterator), fileCutter(repository)(), link.signal);
  } finally {
    await iterator.return?.();
  }
  if (saved.sizeBytes === 0 && options.allowEmpty !== true) {
    throw new HoldfastError('BACKUP_STREAM_EMPTY', `nothing came for ${path}`, {
      hint: 'see whether what writes the stream failed; no snapshot was made',
    });
  }
  trackItem(tally, 'file', undefined, false, saved.sizeBytes);
  const file = { ...plainNode(names.at(-1) ?? path, 0o100644, startMs), size: saved.sizeBytes, links: 1, content: saved.content };
  let node: TreeNode = file;
  let tree: BlobId = '';
  for (let depth = names.length - 1; depth >= 0; depth -= 1) {
    const document = encodeTree([node]);
    const savedTree = await writer.saveBlob('tree', document);
    tally.save('tree', savedTree, document.length);
    tree = savedTree.id;
    if (depth > 0) node = { ...plainNode(names[depth - 1] as string, 0o040755, startMs), subtree: tree };
  }
  const snapshot = await writer.saveSnapshot(
    snapshotDocument({
      timeMs: startMs,
      startMs,
      endMs: runtime.clock.wallMs(),
      tree,
      paths: [path],
      hostname: host,
      tags: options.tags ?? [],
      excludes: [],
      parent: parent?.id,
      summary: tally.summary,
    }),
  );
  return { snapshot, summary: tally.summary, issues: [], issueCount: 0, isComplete: true };
}

function plainNode(name: string, stat: number, timeMs: number): TreeNode {
  const { uid, gid } = userInfo();
  const time = timeFromMs(timeMs);
  return { name, ...modeFromStat(stat), mtime: time, atime: time, ctime: time, uid: Math.max(uid, 0), gid: Math.max(gid, 0) };
}

/** Hands out what an iterator gives, as it is asked for. */
function readerOf(iterator: AsyncIterator<Uint8Array>): ReadInto {
  let rest: Uint8Array = new Uint8Array();
  return async (into, offset, sizeBytes) => {
    while (rest.length === 0) {
      const next = await iterator.next();
      if (next.done === true) return 0;
      rest = next.value;
    }
    const part = rest.subarray(0, sizeBytes);
    into.set(part, offset);
    rest = rest.subarray(part.length);
    return part.length;
  };
}
