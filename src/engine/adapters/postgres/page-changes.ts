import type { PageChanges } from '../../../core/base-source.ts';

/** What summaries say of one fork of a relation: rows of pg_wal_summary_contents, put together. */
export interface ForkChanges {
  readonly space: number;
  readonly database: number;
  /** 0: of the whole database in that tablespace, which was made anew. */
  readonly relation: number;
  readonly fork: number;
  /** The fork was made, or cut off, at this block: nothing from there on is what it was. Null when it was not. */
  readonly limitBlock: number | null;
  /** Numbers of pieces, counted from the beginning of the fork, in which blocks were changed. Sorted. */
  readonly pieces: Int32Array;
}

export interface PageSizes {
  readonly pageBytes: number;
  readonly pieceBytes: number;
  /** RELSEG_SIZE: blocks of a segment file. */
  readonly segmentPages: number;
}

interface RelationFile {
  readonly space: number;
  readonly database: number;
  readonly relation: number;
  readonly fork: number;
  readonly segment: number;
}

/** OIDs of pg_tablespace.dat. */
const [defaultSpace, globalSpace] = [1663, 1664];
/** ForkNumber of relpath.h. */
const forks: readonly string[] = ['main', 'fsm', 'vm', 'init'];
/**
 * Changes of the free space map are not in the WAL. Bits of the visibility map are cleared by records that name the heap's block alone: no
 * summary knows of it (seen with 17.10), and a bit too many makes index-only scans answer with rows that are gone. Both are small.
 */
const unaccounted: readonly number[] = [forks.indexOf('fsm'), forks.indexOf('vm')];

/**
 * Which pieces of relation files may differ from what they were when the summaries begin, by the rules of PostgreSQL's own incremental
 * backups (GetFileBackupMethod of basebackup_incremental.c), and one more. Whether the earlier backup had the file, and how long it was, is the caller's to look at.
 */
export function judgePageChanges(changes: readonly ForkChanges[], sizes: PageSizes): PageChanges {
  const known = new Map(changes.map((change) => [keyOf(change), change]));
  const piecesPerSegment = (sizes.segmentPages * sizes.pageBytes) / sizes.pieceBytes;
  return {
    of(path) {
      const file = parseRelationFile(path);
      if (file === undefined || unaccounted.includes(file.fork)) return undefined;
      if (known.has(keyOf({ ...file, relation: 0, fork: 0 }))) return undefined;
      const change = known.get(keyOf(file));
      if (change === undefined) return () => false;
      const limitPages = change.limitBlock ?? Infinity;
      const first = file.segment * piecesPerSegment;
      return (piece) => {
        const endPages = ((first + piece + 1) * sizes.pieceBytes) / sizes.pageBytes;
        return endPages > limitPages || has(change.pieces, first + piece);
      };
    },
  };
}

/** Undefined for what is no file of a relation. */
export function parseRelationFile(path: string): RelationFile | undefined {
  const [, place, database, space, spaceDatabase, relation, fork = 'main', segment = '0'] =
    /^(global|base\/(\d+)|pg_tblspc\/(\d+)\/PG_[^/]+\/(\d+))\/(\d+)(?:_(fsm|vm|init))?(?:\.(\d+))?$/.exec(path) ?? [];
  if (place === undefined) return undefined;
  return {
    space: place === 'global' ? globalSpace : Number(space ?? defaultSpace),
    database: place === 'global' ? 0 : Number(database ?? spaceDatabase),
    relation: Number(relation),
    fork: forks.indexOf(fork),
    segment: Number(segment),
  };
}

function keyOf({ space, database, relation, fork }: Pick<ForkChanges, 'space' | 'database' | 'relation' | 'fork'>): string {
  return `${space}/${database}/${relation}/${fork}`;
}

function has(sorted: Int32Array, value: number): boolean {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return sorted[low] === value;
}
