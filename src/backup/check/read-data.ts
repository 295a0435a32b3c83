import { hasCode, messageOf } from '../../core/errors.ts';
import type { CallOptions, Location } from '../../storage/index.ts';
import { owned } from '../documents/bytes.ts';
import { objectKey } from '../documents/ids.ts';
import type { PackEntry } from '../pack/header.ts';
import type { FileId } from '../repository.ts';
import { inParallel } from '../workers/in-parallel.ts';
import type { WorkerPool } from '../workers/pool.ts';
import { Room } from '../workers/room.ts';
import type { Damages } from './report.ts';
import type { Verdicts } from './verdicts.ts';

/** Bytes of packs in memory at once; a larger pack is read alone. */
const readBytesMax = 96 * 1024 * 1024;
/** Packs that are read beyond those that threads look through. */
const readsAhead = 1;

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
  const { verdicts, sizes, chosen } = parts;
  const room = new Room(readBytesMax);
  let packsRead = 0;
  let bytesRead = 0;
  await inParallel(verdicts.table.packs(), parts.pool.size + readsAhead, async ({ packId, entries }) => {
    const sizeBytes = sizes[verdicts.table.packOrdinalOf(packId)]!;
    if (sizeBytes < 0 || !chosen(packId, sizeBytes)) return;
    using _room = await room.take(sizeBytes, signal);
    await readPack(parts, packId, entries, signal);
    packsRead += 1;
    bytesRead += sizeBytes;
    parts.onRead(sizeBytes);
  });
  return { packsRead, bytesRead };
}

async function readPack(parts: ReadParts, packId: FileId, entries: readonly PackEntry[], signal: AbortSignal): Promise<void> {
  const { location, pool, damages, verdicts } = parts;
  let pack: Uint8Array;
  try {
    pack = await location.get(objectKey('data', packId), { signal });
  } catch (error) {
    if (!hasCode(error, 'STORAGE_NOT_FOUND') && !hasCode(error, 'STORAGE_DAMAGED')) throw error;
    damages.add('pack', packId, `can not be read: ${messageOf(error)}`);
    for (const entry of entries) markEntry(verdicts, packId, entry);
    return;
  }
  const { faults } = await pool.run('inspect', { id: packId, pack: owned(pack), entries });
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

function markEntry(verdicts: Verdicts, packId: FileId, { type, id }: PackEntry): void {
  const { table } = verdicts;
  for (const ordinal of table.ordinalsOf(type, id)) if (table.packId(table.packOf(ordinal)) === packId) verdicts.markBad(ordinal);
}
