import { formatLsn } from '../../../core/lsn.ts';
import type { WalPlace, WalReader } from '../../../core/wal-source.ts';
import { FlushedWal } from './flushed-wal.ts';
import { seatNodes } from './journal-seats.ts';
import { requireData, type Member } from './member.ts';
import { hasState, type Session } from './session.ts';
import { queryTimeoutMs } from './sessions.ts';
import { slotName } from './slot-name.ts';

/**
 * Reads what the server has flushed from its files, and has a slot, which nobody sits on, keep what has not been confirmed. A walsender would be woken by
 * every commit, to send a few hundred bytes (before PostgreSQL 16 also one that only waits for a command): that costs a busy server more than all else
 * that copying its WAL takes.
 */
export class PostgresWalReader implements WalReader {
  readonly #member: Member;
  readonly #slot: string;
  readonly #wal: FlushedWal;

  private constructor(member: Member, slot: string, wal: FlushedWal) {
    this.#member = member;
    this.#slot = slot;
    this.#wal = wal;
  }

  static async open(member: Member, from: WalPlace, signal: AbortSignal): Promise<PostgresWalReader> {
    const [node = '(journal)'] = seatNodes(member.context.journal);
    const { segmentBytes } = await requireData(member);
    const reader = new PostgresWalReader(member, slotName(node), new FlushedWal(member.places.data, segmentBytes));
    await reader.#reserve(signal);
    await reader.confirm(from.lsn, { signal });
    return reader;
  }

  read: WalReader['read'] = (from, options) => this.#wal.read(from, options);

  async confirm(lsn: bigint, { signal }: { readonly signal: AbortSignal }): Promise<void> {
    const session = await this.#session(signal);
    try {
      await session.query('select from pg_replication_slot_advance($1, $2::pg_lsn)', {
        timeoutMs: queryTimeoutMs,
        signal,
        values: [this.#slot, formatLsn(lsn)],
        name: 'confirm',
      });
    } catch (error) {
      // One that was dropped or invalidated keeps nothing: another one does from now on.
      if (hasState(error, '42704') || hasState(error, '55000')) await this.#reserve(signal);
      // It keeps more recent WAL only, or somebody else has it, who moves it.
      else if (!hasState(error, '22023') && !hasState(error, '55006')) throw error;
    }
  }

  async #reserve(signal: AbortSignal): Promise<void> {
    const session = await this.#session(signal);
    const options = { timeoutMs: queryTimeoutMs, signal, values: [this.#slot] };
    const known = 'from pg_replication_slots where slot_name = $1';
    try {
      await session.query(`select pg_drop_replication_slot(slot_name) ${known} and wal_status = 'lost' and not active`, options);
      await session.query(`select pg_create_physical_replication_slot($1, true) where not exists (select ${known})`, options);
    } catch (error) {
      // Whoever else looks after slots may have been first.
      if (!['42704', '42710', '55006'].some((state) => hasState(error, state))) throw error;
    }
  }

  #session(signal: AbortSignal): Promise<Session> {
    return this.#member.sessions.shared('journalling', { signal });
  }
}
