import { createHash } from 'node:crypto';
import { hasCode, messageOf } from '../../core/errors.ts';
import type { CallOptions, Location } from '../../storage/index.ts';
import { owned } from '../documents/bytes.ts';
import { objectKey } from '../documents/ids.ts';
import type { PackEntry } from '../pack/header.ts';
import { type PackFault, slicesOf } from '../pack/inspect.ts';
import type { FileId } from '../repository.ts';
import { inParallel } from '../workers/in-parallel.ts';
import type { Jobs } from '../workers/jobs.ts';
import type { WorkerPool } from '../workers/pool.ts';
import { Room } from '../workers/room.ts';
import type { Damages } from './report.ts';
import type { Verdicts } from './verdicts.ts';

/** Of a pack, one call reads so many bytes at most, unless one blob has more. */
const sliceBytesMax = 2 * 1024 * 1024;
/** Slices in memory beyond those that threads look through. */
const slicesAhead = 3;
/** Packs that are read at once: where a store is far away, calls of several are under way. */
const packsAtOnceMax = 4;

export interface DataRead {
  readonly packsRead: number;
  readonly bytesRead: number;
}

interface ReadParts {
  readonly location: Location;
  readonly pool: WorkerPool;
  readonly verdicts: Verdicts;
  readonly damages: Damages;
  /** Sizes of packs by ordinal, as they are; -1: not there. */
  readonly sizes: Float64Array;
  readonly chosen: (packId: FileId, sizeBytes: number) => boolean;
  readonly onRead: (sizeBytes: number) => void;
}

/** Reads the chosen packs whole, each blob included; what can not be had is marked. */
export async function readPacks(parts: ReadParts, { signal }: CallOptions): Promise<DataRead> {
  const { pool, verdicts, sizes, chosen } = parts;
  const room = new Room((pool.size + slicesAhead) * sliceBytesMax);
  let packsRead = 0;
  let bytesRead = 0;
  await inParallel(verdicts.table.packs(), packsAtOnceMax, async ({ packId, entries }) => {
    const sizeBytes = sizes[verdicts.table.packOrdinalOf(packId)]!;
    if (sizeBytes < 0 || !chosen(packId, sizeBytes)) return;
    await readPack(parts, { packId, entries, sizeBytes }, room, signal);
    packsRead += 1;
    bytesRead += sizeBytes;
    parts.onRead(sizeBytes);
  });
  return { packsRead, bytesRead };
}

interface PackToRead {
  readonly packId: FileId;
  readonly entries: readonly PackEntry[];
  readonly sizeBytes: number;
}

async function readPack(parts: ReadParts, pack: PackToRead, room: Room, signal: AbortSignal): Promise<void> {
  const { damages, verdicts } = parts;
  const { packId, entries } = pack;
  let faults: readonly PackFault[];
  try {
    faults = await inspectPack(parts, pack, room, signal);
  } catch (error) {
    if (!hasCode(error, 'STORAGE_NOT_FOUND') && !hasCode(error, 'STORAGE_DAMAGED')) throw error;
    damages.add('pack', packId, `can not be read: ${messageOf(error)}`);
    for (const entry of entries) markEntry(verdicts, packId, entry);
    return;
  }
  let blobs = 0;
  for (const { problem, entry } of faults) {
    if (entry === undefined) damages.add('pack', packId, problem);
    else {
      blobs += 1;
      markEntry(verdicts, packId, entry);
    }
  }
  if (blobs > 0) damages.add('pack', packId, `${blobs} of its ${entries.length} blobs can not be read`);
}

/** Slice after slice; the next ones are read while threads look through the last. @throws what the location throws */
async function inspectPack(
  { location, pool }: ReadParts,
  { packId, entries, sizeBytes }: PackToRead,
  room: Room,
  signal: AbortSignal,
): Promise<readonly PackFault[]> {
  const sum = createHash('sha256');
  // A copy is only told from a better one when it is read whole.
  const slices = slicesOf(entries, sizeBytes, location.capabilities.judgesOnlyWholes === true ? Infinity : sliceBytesMax);
  const underWay: Promise<readonly PackFault[]>[] = [];
  try {
    for (const slice of slices) {
      using taken = new DisposableStack();
      taken.use(await room.take(slice.sizeBytes, signal));
      const range = slices.length > 1 && { range: { offset: slice.offset, sizeBytes: slice.sizeBytes } };
      const stored = owned(await location.get(objectKey('data', packId), { signal, ...range }));
      sum.update(stored);
      const header = slice === slices.at(-1) ? { packBytes: slice.offset + stored.byteLength, entries } : undefined;
      const inspection = inspect(pool, { stored, slice, header }, taken.move());
      inspection.catch(() => {});
      underWay.push(inspection);
    }
    const faults = (await Promise.all(underWay)).flat();
    return sum.digest('hex') === packId ? faults : [{ problem: 'does not match its name' }, ...faults];
  } finally {
    await Promise.allSettled(underWay);
  }
}

async function inspect(pool: WorkerPool, input: Jobs['inspect']['input'], taken: Disposable): Promise<readonly PackFault[]> {
  using _taken = taken;
  return (await pool.run('inspect', input)).faults;
}

function markEntry(verdicts: Verdicts, packId: FileId, { type, id }: PackEntry): void {
  const { table } = verdicts;
  for (const ordinal of table.ordinalsOf(type, id)) if (table.packId(table.packOf(ordinal)) === packId) verdicts.markBad(ordinal);
}
