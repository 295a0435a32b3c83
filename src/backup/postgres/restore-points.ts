import { HoldfastError } from '../../core/errors.ts';
import { formatLsn, segmentName } from '../../core/lsn.ts';
import type { TimelineHistory } from '../../core/timeline.ts';
import { contentsOf } from '../../core/wal-contents.ts';
import { legs } from '../journal/coverage.ts';
import type { WalFiles } from '../journal/wal-files.ts';
import type { Candidate } from './target.ts';

// PostgreSQL's src/include/access/xlogrecord.h and catalog/pg_control.h: alike in all versions from 13 on.

const recordHeaderBytes = 24;
const nameBytesMax = 64;
/** Two bytes that say how many follow, the time, the name. */
const recordBytes = recordHeaderBytes + 2 + 8 + nameBytesMax;
const nameAt = recordBytes - nameBytesMax;
const [xlogManager, restorePoint, shortData] = [0, 0x70, 0xff];

/**
 * Where the restore points of a name begin in segments that follow each other, oldest first; each is read once.
 * @param segments whole, with the LSN at which each begins
 */
export async function findRestorePoints(
  segments: AsyncIterable<{ readonly lsn: bigint; readonly bytes: Uint8Array }>,
  name: string,
): Promise<bigint[]> {
  const wanted = Buffer.from(`${name}\0`, 'utf8');
  const found: bigint[] = [];
  let before: Buffer = Buffer.alloc(0);
  for await (const { lsn, bytes } of segments) {
    const stretch = contentsOf(lsn, bytes, before);
    for (let at = stretch.bytes.indexOf(wanted); at >= 0; at = stretch.bytes.indexOf(wanted, at + 1)) {
      const begin = at - nameAt;
      if (begin >= 0 && isRestorePoint(stretch.bytes.subarray(begin)) && stretch.lsnOf(begin) % 8n === 0n) found.push(stretch.lsnOf(begin));
    }
    // One that begins here and ends in the next segment.
    before = stretch.bytes.subarray(-(recordBytes - 1));
  }
  return found;
}

function isRestorePoint(record: Buffer): boolean {
  return (
    record.byteLength >= recordBytes &&
    record.readUInt32LE(0) === recordBytes &&
    (record[16]! & 0xf0) === restorePoint &&
    record[17] === xlogManager &&
    record[recordHeaderBytes] === shortData &&
    record[recordHeaderBytes + 1] === recordBytes - recordHeaderBytes - 2
  );
}

/**
 * Where the newest restore point of a name lies, that recovery would stop at when it begins with the newest base before it. WAL is read from the
 * newest base on, then from the one before: as far back as it takes.
 * @throws BACKUP_TARGET_AMBIGUOUS when there are several of that name which only an LSN tells apart
 */
export async function locateRestorePoint(
  files: WalFiles,
  candidates: readonly Candidate[],
  history: TimelineHistory,
  name: string,
  { signal }: { readonly signal: AbortSignal },
): Promise<bigint | undefined> {
  const points = new Set<bigint>();
  let until: bigint | undefined;
  for (const { facts, reach } of candidates.toSorted((a, b) => Number(b.facts.endLsn - a.facts.endLsn))) {
    const end = until === undefined || until > reach.reached.lsn ? reach.reached.lsn : until;
    const stretch = segmentsOf(files, legs(history, facts.start), end, BigInt(facts.segmentBytes), signal);
    for (const point of await findRestorePoints(stretch, name)) if (point >= facts.start.lsn) points.add(point);
    until = facts.start.lsn;
    const found = [...points].toSorted((a, b) => Number(a - b));
    // What lies before the base is consistent can not be stopped at.
    if (found[0] === undefined || found[0] < facts.endLsn) continue;
    if (found.length === 1) return found[0];
    throw new HoldfastError('BACKUP_TARGET_AMBIGUOUS', `there are ${found.length} restore points '${name}' after the base backup`, {
      hint: `Name an LSN instead: ${found.map(formatLsn).join(', ')}.`,
    });
  }
  return undefined;
}

async function* segmentsOf(
  files: WalFiles,
  path: ReturnType<typeof legs>,
  end: bigint,
  segmentBytes: bigint,
  signal: AbortSignal,
): AsyncIterable<{ readonly lsn: bigint; readonly bytes: Uint8Array }> {
  for (const leg of path) {
    const legEnd = leg.end === undefined || leg.end > end ? end : leg.end;
    for (let lsn = leg.start - (leg.start % segmentBytes); lsn < legEnd; lsn += segmentBytes) {
      const bytes = await files.file(segmentName(leg.timeline, lsn, segmentBytes), { signal });
      if (bytes !== undefined) yield { lsn, bytes };
    }
  }
}
