import { describe, expect, test } from 'vitest';
import { judgePageChanges, type ForkChanges } from './page-changes.ts';

/** Pieces of four pages; segments of 16. */
const sizes = { pageBytes: 8192, pieceBytes: 4 * 8192, segmentPages: 16 };
const change = (more: Partial<ForkChanges>): ForkChanges => ({
  space: 1663,
  database: 5,
  relation: 16384,
  fork: 0,
  limitBlock: null,
  pieces: new Int32Array(),
  ...more,
});

function pieces(path: string, ...changes: Partial<ForkChanges>[]): string | undefined {
  const mayDiffer = judgePageChanges(changes.map(change), sizes).of(path);
  return mayDiffer && [0, 1, 2, 3].map((piece) => (mayDiffer(piece) ? 'x' : '.')).join('');
}

describe('pieces that may differ', () => {
  test.each<[string, string, Partial<ForkChanges>[], string | undefined]>([
    ['nothing is known to have changed', 'base/5/16384', [], '....'],
    [
      'other relations, databases, tablespaces and forks',
      'base/5/16384',
      [{ relation: 1 }, { database: 6 }, { space: 1664 }, { fork: 3 }].map((one) => ({ ...one, pieces: Int32Array.of(0, 1, 2, 3) })),
      '....',
    ],
    ['changed blocks', 'base/5/16384', [{ pieces: Int32Array.of(1, 3, 9) }], '.x.x'],
    ['in the third segment', 'base/5/16384.2', [{ pieces: Int32Array.of(1, 8, 11, 12) }], 'x..x'],
    ['made, or cut off at its beginning', 'base/5/16384', [{ limitBlock: 0 }], 'xxxx'],
    ['cut off within a piece', 'base/5/16384', [{ limitBlock: 9 }], '..xx'],
    ['cut off between two', 'base/5/16384', [{ limitBlock: 8, pieces: Int32Array.of(0) }], 'x.xx'],
    ['cut off in the segment before', 'base/5/16384.1', [{ limitBlock: 12 }], 'xxxx'],
    ['cut off in the segment behind', 'base/5/16384', [{ limitBlock: 20 }], '....'],
    ['a database made by copying files', 'base/5/16384', [{ relation: 0, limitBlock: 0 }], undefined],
    ['of shared relations', 'global/1260', [{ space: 1664, database: 0, relation: 1260, pieces: Int32Array.of(2) }], '..x.'],
    ['in another tablespace', 'pg_tblspc/16500/PG_17_202406281/5/16384', [{ space: 16500, pieces: Int32Array.of(0) }], 'x...'],
    ['initialization forks', 'base/5/16384_init', [{ fork: 3, pieces: Int32Array.of(0) }], 'x...'],
    ['free space maps: not in the WAL', 'base/5/16384_fsm', [], undefined],
    ['visibility maps: not all of it is told', 'base/5/16384_vm', [], undefined],
    ['what is no relation', 'base/5/pg_filenode.map', [], undefined],
    ['nor this', 'pg_xact/0000', [], undefined],
    ['temporary relations', 'base/5/t3_16384', [], undefined],
  ])('%s', (_, path, changes, expected) => expect(pieces(path, ...changes)).toBe(expected));
});
