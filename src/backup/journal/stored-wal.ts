import { baseFactsOf, type BaseFacts } from '../postgres/base.ts';
import type { Repository } from '../repository.ts';
import type { WalRange } from './coverage.ts';
import { foldedFactsOf, type FoldedWal } from './folded.ts';
import { journalPrefix, parseJournalKey } from './journal-key.ts';

/** Which database's WAL. */
export interface WalOwner {
  readonly service: string;
  readonly systemId: string;
}

/** What is stored of a database's WAL, in which form, as it was when it was listed. */
export interface StoredWal {
  /** Small objects beside the repository. */
  readonly parts: readonly WalRange[];
  /** Timelines whose histories are stored. */
  readonly histories: ReadonlySet<number>;
  /** Whole segments in the repository. */
  readonly folded: readonly FoldedWal[];
  /** Base backups, oldest first: recovery begins with one of them. */
  readonly bases: readonly BaseFacts[];
}

const historyBytesMax = 1024 * 1024;

/**
 * Parts come first: one that is removed meanwhile has been folded before, and is found there. @throws STORAGE_…, BACKUP_DAMAGED
 */
export async function listStoredWal(
  repository: Pick<Repository, 'location' | 'readableSnapshots'>,
  { service, systemId }: WalOwner,
  { signal }: { readonly signal: AbortSignal },
): Promise<StoredWal> {
  const parts: WalRange[] = [];
  const histories = new Set<number>();
  for await (const { key, sizeBytes } of repository.location.list(journalPrefix(service, systemId), { signal })) {
    const found = parseJournalKey(service, key);
    if (found?.kind === 'part') parts.push(found.range);
    if (found?.kind === 'history' && sizeBytes <= historyBytesMax) histories.add(found.timeline);
  }
  const folded: FoldedWal[] = [];
  const bases: BaseFacts[] = [];
  for await (const snapshot of repository.readableSnapshots({ signal })) {
    const facts = foldedFactsOf(snapshot);
    if (facts?.service === service && facts.systemId === systemId) folded.push({ snapshot, facts });
    const base = baseFactsOf(snapshot);
    if (base?.service === service && base.systemId === systemId) bases.push(base);
  }
  return { parts, histories, folded, bases: bases.toSorted((a, b) => a.endMs - b.endMs) };
}

/** All bytes of which something is stored. */
export function rangesOf({ parts, folded }: StoredWal): WalRange[] {
  return [...parts, ...folded.map(({ facts }) => facts.range)];
}
