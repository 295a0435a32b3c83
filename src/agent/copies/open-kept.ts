import { z } from 'zod';
import type { CoordinationStore, Entry } from '../../coordination/store.ts';
import { HoldfastError, messageOf } from '../../core/errors.ts';
import { openCopies, type Copies } from './open-copies.ts';
import type { KeeperParts } from './term.ts';

/** Repositories of one location that are remembered: several where a path is another disk on each node. */
const idsMax = 64;
const memorySchema = z.object({ ids: z.array(z.string().max(200)).max(idsMax) });

export type KeptParts = Pick<KeeperParts, 'config' | 'record' | 'runtime' | 'store'>;

/**
 * Opens the repository of a location for whoever adds to it. The first time it is made, and the cluster remembers it from then on: a place that is
 * empty later is a disk that is not mounted, or copies that somebody has removed, and is never made anew by itself.
 * @param options.makes whether it may be made now
 * @throws BACKUP_REPOSITORY_GONE, BACKUP_NO_PASSWORD, BACKUP_PASSWORD_WRONG, BACKUP_NO_REPOSITORY, COORD_… (where there is none), STORAGE_…
 */
export async function openKept(
  parts: KeptParts,
  location: string,
  { makes = true, signal }: { readonly makes?: boolean; readonly signal: AbortSignal },
): Promise<Copies> {
  const { config, record, runtime, store } = parts;
  await using stack = new AsyncDisposableStack();
  let isMade = false;
  const beforeMaking = async (): Promise<void> => {
    const [id] = idsOf(await store.get(keyOf(location), { signal }));
    if (id !== undefined) throw gone(location, id);
    isMade = true;
  };
  const copies = stack.use(await openCopies(config, location, runtime, { ...(makes && { beforeMaking }), signal }));
  const { id } = copies.repository;
  if (isMade) record('backup.repository.made', { location, repository: id });
  // Copies do not wait for the store; what it can not be told now, it is the next time.
  const remembered = remember(store, location, id, signal).catch((error: unknown) => {
    if (!signal.aborted) runtime.logger.warn('backup.repository.not-remembered', { location, error: messageOf(error) });
  });
  stack.defer(() => remembered);
  const opened = stack.move();
  return { location: copies.location, repository: copies.repository, [Symbol.asyncDispose]: () => opened.disposeAsync() };
}

async function remember(store: CoordinationStore, location: string, id: string, signal: AbortSignal): Promise<void> {
  const entry = await store.get(keyOf(location), { signal });
  const ids = idsOf(entry);
  if (ids.includes(id)) return;
  // Another one that does so at the same time comes first; this one is remembered the next time.
  await store.swap(keyOf(location), JSON.stringify({ ids: [id, ...ids].slice(0, idsMax) }), entry?.revision ?? 'absent', { signal });
}

function keyOf(location: string): string {
  return `repositories/${location}`;
}

/** Newest first. */
function idsOf(entry: Entry | undefined): readonly string[] {
  return entry === undefined ? [] : memorySchema.parse(JSON.parse(entry.value)).ids;
}

function gone(location: string, id: string): HoldfastError {
  return new HoldfastError('BACKUP_REPOSITORY_GONE', `location '${location}' is empty, and held repository ${id.slice(0, 10)}`, {
    retryable: true,
    hint: `Mount its disk, or correct where it leads to. Where a new repository is meant, as its copies are gone for good or this node has a disk of its own: holdfast init --repo ${location}`,
  });
}
