import { backupBase, type BaseFacts, type OpenedRepository, type WalPosition } from '../../backup/index.ts';
import { hasCode } from '../../core/errors.ts';
import { formatLsn } from '../../core/lsn.ts';
import type { Member } from '../../failover/member.ts';
import type { KeeperParts } from './term.ts';

/** A replica begins at the last checkpoint that it has replayed: the leader has just made one, which has yet to come. */
const earlyMs = 1_000;
const earlyTriesMax = 60;

/** Makes a base backup of this node's member, of which recovery begins where the journal reaches: at or after `stored`. */
export async function makeBase(
  { node, record, runtime }: KeeperParts,
  member: Member,
  repository: OpenedRepository,
  stored: WalPosition,
  signal: AbortSignal,
): Promise<BaseFacts> {
  const beganMs = runtime.clock.monotonicMs();
  for (let attempt = 1; ; attempt++) {
    try {
      const { snapshot, facts, summary, issues } = await backupBase(repository, member.deps.engine.base!, runtime, {
        service: member.service,
        host: node,
        // What is stored goes on without a hole from there.
        isJournalled: ({ lsn }) => lsn >= stored.lsn,
        signal,
      });
      record('backup.base.made', {
        snapshot: snapshot.id,
        start: formatLsn(facts.start.lsn),
        end: formatLsn(facts.endLsn),
        readBytes: summary.readBytes,
        damagedFiles: issues.filter(({ kind }) => kind === 'damaged').length,
        storedBytes: summary.storedBytes,
        tookMs: Math.round(runtime.clock.monotonicMs() - beganMs),
      });
      return facts;
    } catch (error) {
      if (!hasCode(error, 'BACKUP_BASE_TOO_EARLY') || attempt === earlyTriesMax) throw error;
      await runtime.clock.sleep(earlyMs, signal);
    }
  }
}
