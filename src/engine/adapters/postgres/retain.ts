import type { Member } from './member.ts';
import { queryTimeoutMs } from './sessions.ts';
import { formatLsn, parseLsn } from '../../../core/lsn.ts';
import { runsAsPrimary } from './freeze.ts';
import { seatNodes } from './journal-seats.ts';
import { hasState, type Session } from './session.ts';
import { isMemberSlot, slotName } from './slot-name.ts';

/** Somebody who may ask for WAL: all before `lsn` it has; undefined: not known. */
export interface Retained {
  readonly node: string;
  readonly lsn?: bigint;
}

/**
 * On a primary the seats of the journal: their slots move as it confirms. On a replica, which may be promoted while the journal's location is away,
 * what of it is not stored elsewhere: one slot is enough for that, and it is the one that the journal then goes on with.
 */
export function retainedForJournal(member: Member, stored: bigint | undefined): Retained[] {
  const seats = seatNodes(member.context.journal).map((node) => ({ node }));
  if (runsAsPrimary(member)) return seats;
  return seats.slice(0, 1).map((seat) => ({ ...seat, ...(stored === undefined ? {} : { lsn: stored }) }));
}

/** Slots for these, none for others: see `Engine.retain`. */
export async function retain(member: Member, members: readonly Retained[], signal: AbortSignal): Promise<void> {
  const session = await member.sessions.shared('commands', { signal });
  const limits = { timeoutMs: queryTimeoutMs, signal };
  const rows = await session.query(
    `select slot_name::text as name, active, wal_status = 'lost' as lost, restart_lsn::text as kept from pg_replication_slots where slot_type = 'physical'`,
    limits,
  );
  const present = new Map(rows.map((row) => [String(row['name']), row]));
  const wanted = new Map(members.filter(({ node }) => node !== member.context.node).map((other) => [slotName(other.node), other]));
  for (const [name, slot] of present) {
    // A lost one keeps nothing, and only makes way for a new one.
    const unwanted = isMemberSlot(name) && !wanted.has(name);
    if ((unwanted || (wanted.has(name) && slot['lost'] === true)) && slot['active'] !== true) {
      await session.query('select pg_drop_replication_slot($1)', { ...limits, values: [name] }).catch(ignore('42704', '55006'));
      present.delete(name);
    }
  }
  await dropFormerSlots(member, session, signal);
  for (const [name, { lsn }] of wanted) {
    if (!present.has(name))
      await session.query('select pg_create_physical_replication_slot($1, true)', { ...limits, values: [name] }).catch(ignore('42710'));
    const slot = present.get(name);
    // Of data that are being copied nothing is there yet: they need what their slot keeps.
    if (lsn === undefined || lsn === 0n || slot?.['active'] === true) continue;
    if (typeof slot?.['kept'] === 'string' && parseLsn(slot['kept']) >= lsn) continue;
    // It only moves forward, and not beyond what is here.
    await session
      .query('select pg_replication_slot_advance($1, $2::pg_lsn)', { ...limits, values: [name, formatLsn(lsn)] })
      .catch(ignore('55000', '55006', '22023'));
  }
}

/**
 * Logical slots that a former primary still has as its own: those of the present primary take their place, and can not be copied while
 * they are there.
 */
async function dropFormerSlots(member: Member, session: Session, signal: AbortSignal): Promise<void> {
  if (member.binaries.version.major < 17) return;
  await session
    .query(
      `select pg_drop_replication_slot(slot_name) from pg_replication_slots
        where pg_is_in_recovery() and slot_type = 'logical' and failover and not synced and not active`,
      { timeoutMs: queryTimeoutMs, signal },
    )
    .catch(ignore('42704', '55006'));
}

/** What has changed meanwhile is seen at the next call. */
function ignore(...states: string[]): (error: unknown) => undefined {
  return (error) => {
    if (!states.some((state) => hasState(error, state))) throw error;
    return undefined;
  };
}
