import { foldedFactsOf, replaces, type FoldedWal } from '../journal/folded.ts';
import type { JournalObject } from '../journal/journal-key.ts';
import { baseFactsOf, type BaseFacts } from '../postgres/base.ts';
import type { FileId, Snapshot } from '../repository.ts';

export interface StoredCopies {
  /** Of the database that the service has now. */
  readonly systemId: string;
  /** Base backups that stay. */
  readonly bases: readonly BaseFacts[];
  readonly folded: readonly FoldedWal[];
  readonly objects: readonly JournalObject[];
}

/**
 * WAL that no kept base needs: what ends before the segment in which the oldest of its database begins, on whatever timeline; all of a former
 * database of which no base is left; and snapshots all of which a longer one has, too. Without a base of the present database all its WAL stays.
 */
export function decideUnneededWal({ systemId, bases, folded, objects }: StoredCopies): {
  readonly snapshots: readonly Snapshot[];
  readonly objects: readonly JournalObject[];
} {
  const floors = new Map<string, bigint>();
  for (const { systemId: database, start, segmentBytes } of bases) {
    const lsn = beginOfSegment(start.lsn, segmentBytes);
    const floor = floors.get(database);
    if (floor === undefined || lsn < floor) floors.set(database, lsn);
  }
  const isUnneeded = (database: string, end: bigint): boolean => {
    const floor = floors.get(database);
    return floor === undefined ? database !== systemId : end <= floor;
  };
  return {
    snapshots: folded
      .filter((one) => isUnneeded(one.facts.systemId, one.facts.range.end) || folded.some((other) => replaces(other, one)))
      .map(({ snapshot }) => snapshot),
    objects: objects.filter((object) =>
      object.kind === 'part' ? isUnneeded(object.systemId, object.range.end) : !floors.has(object.systemId) && object.systemId !== systemId,
    ),
  };
}

/** Of the snapshots that are to go, one with WAL that a base backup needs which stays; undefined when there is none. */
export function findNeededWal(
  snapshots: readonly Snapshot[],
  going: ReadonlySet<FileId>,
): { readonly wal: Snapshot; readonly base: Snapshot } | undefined {
  const folded = snapshots.flatMap((snapshot): FoldedWal[] => {
    const facts = foldedFactsOf(snapshot);
    return facts === undefined ? [] : [{ snapshot, facts }];
  });
  const left = folded.filter(({ snapshot }) => !going.has(snapshot.id));
  for (const one of folded) {
    if (!going.has(one.snapshot.id) || left.some((other) => replaces(other, one))) continue;
    const { service, systemId, range } = one.facts;
    const base = snapshots.find((snapshot) => {
      const facts = going.has(snapshot.id) ? undefined : baseFactsOf(snapshot);
      if (facts?.service !== service || facts.systemId !== systemId) return false;
      return range.end > beginOfSegment(facts.start.lsn, facts.segmentBytes);
    });
    if (base !== undefined) return { wal: one.snapshot, base };
  }
  return undefined;
}

/** Recovery asks for whole segments. */
function beginOfSegment(lsn: bigint, segmentBytes: number): bigint {
  return lsn - (lsn % BigInt(segmentBytes));
}
