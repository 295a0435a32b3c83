// Snapshots: doc/design.rst of restic/restic, "Snapshots".
import { HoldfastError } from '../../core/errors.ts';
import { damaged } from '../documents/damaged.ts';
import { isId } from '../documents/ids.ts';
import type { FileId, Snapshot } from '../repository.ts';
import { timeToMs } from '../tree/time.ts';

/** Ids shown in an error. */
const shownMax = 10;

/** A document as a snapshot. @throws BACKUP_DAMAGED */
export function snapshotOf(id: FileId, document: Readonly<Record<string, unknown>>): Snapshot {
  const what = `snapshot ${id}`;
  const { time, tree, paths, hostname, username, tags, parent, original } = document;
  if (typeof time !== 'string') throw damaged(what, 'has no time');
  if (!isId(tree)) throw damaged(what, 'has no tree');
  return {
    id,
    time,
    timeMs: parseTime(time, what),
    tree,
    paths: texts(paths),
    hostname: typeof hostname === 'string' ? hostname : '',
    username: typeof username === 'string' ? username : '',
    tags: texts(tags),
    ...(isId(parent) && { parent }),
    ...(isId(original) && { original }),
    document,
  };
}

/** The one id that is meant. @throws BACKUP_SNAPSHOT_UNKNOWN */
export function chooseSnapshot(ids: readonly FileId[], idOrPrefix: string): FileId {
  const matching = ids.filter((id) => id.startsWith(idOrPrefix));
  if (matching.length === 1 && idOrPrefix !== '') return matching[0]!;
  const among = matching.length === 0 ? ids : matching;
  const shown = among.slice(0, shownMax).map((id) => id.slice(0, 8));
  const more = among.length > shownMax ? ` and ${among.length - shownMax} more` : '';
  const problem =
    matching.length === 0 ? `no snapshot begins with ${JSON.stringify(idOrPrefix)}` : `${matching.length} snapshots begin with it`;
  throw unknownSnapshot(among.length === 0 ? 'the repository has no snapshot' : `${problem}: there are ${shown.join(', ')}${more}`);
}

export function unknownSnapshot(message: string): HoldfastError {
  return new HoldfastError('BACKUP_SNAPSHOT_UNKNOWN', message, { hint: '`holdfast snapshots` lists them.' });
}

export function damagedSnapshot(id: FileId, cause: Error): HoldfastError {
  return new HoldfastError('BACKUP_DAMAGED', cause.message, {
    hint: `Heal it from another copy (holdfast scrub), or give it up: holdfast forget ${id.slice(0, 8)}. All others are what they were: holdfast snapshots lists them.`,
    cause,
  });
}

function parseTime(time: string, what: string): number {
  try {
    return timeToMs(time);
  } catch (error) {
    throw damaged(what, `has no time: ${time}`, error);
  }
}

function texts(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((one) => typeof one === 'string') : [];
}
