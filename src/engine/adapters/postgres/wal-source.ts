import type { WalIdentity, WalMoment, WalPlace, WalReader, WalSource, WalStream } from '../../../core/wal-source.ts';
import type { MemberAddress } from '../../engine.ts';
import { SeatedStream, seatNodes } from './journal-seats.ts';
import type { Member } from './member.ts';
import { lsnOf } from './position.ts';
import { identifySystem, type ReplicationConnection } from './replication-connection.ts';
import { seatName } from './rule.ts';
import { queryTimeoutMs } from './sessions.ts';
import { connectUpstream } from './upstream.ts';
import { PostgresWalReader } from './wal-reader.ts';
import { startStream, type PostgresWalStream } from './wal-stream.ts';

/** What comes on a connection that is there to confirm alone is read, so that the server is not left with it, but in no hurry. */
const seatRestMs = 50;

/** WAL of a running server: of its files, or over its replication protocol. */
export class PostgresWal implements WalSource {
  readonly #member: Member;
  readonly #from: MemberAddress;

  constructor(member: Member, from: MemberAddress) {
    this.#member = member;
    this.#from = from;
  }

  async identify({ signal }: { readonly signal: AbortSignal }): Promise<WalIdentity> {
    await using connection = await this.#connect(signal);
    const limits = { timeoutMs: queryTimeoutMs, signal };
    const { systemId, timeline, flushLsn } = await identifySystem(connection, limits);
    const [row] = await connection.query('SHOW wal_segment_size', limits);
    return { systemId, timeline, lsn: flushLsn, segmentBytes: segmentBytesOf(row?.[0]) };
  }

  async history(timeline: number, { signal }: { readonly signal: AbortSignal }): Promise<string> {
    await using connection = await this.#connect(signal);
    const [row] = await connection.query(`TIMELINE_HISTORY ${Math.trunc(timeline)}`, { timeoutMs: queryTimeoutMs, signal });
    return row?.[1] ?? '';
  }

  async moment({ signal }: { readonly signal: AbortSignal }): Promise<WalMoment> {
    const session = await this.#member.sessions.shared('journalling', { signal });
    // Of one list of results the first is found out first.
    const [row] = await session.query(
      `select extract(epoch from clock_timestamp()) * 1000 as time, pg_current_wal_flush_lsn()::text as lsn,
              pg_walfile_name(pg_current_wal_flush_lsn()) as file`,
      { timeoutMs: queryTimeoutMs, signal, name: 'moment' },
    );
    const timeline = Number.parseInt(String(row!['file']).slice(0, 8), 16);
    return { timeMs: Number(row!['time']), position: { timeline, lsn: lsnOf(row!['lsn']) } };
  }

  async reader(from: WalPlace, { signal }: { readonly signal: AbortSignal }): Promise<WalReader> {
    return await PostgresWalReader.open(this.#member, from, signal);
  }

  async stream(from: WalPlace, { signal }: { readonly signal: AbortSignal }): Promise<WalStream> {
    const [first = '(journal)', ...others] = seatNodes(this.#member.context.journal);
    const isSync = this.#member.context.journal?.sync === true;
    const { clock } = this.#member.runtime;
    const connection = await this.#connect(signal, isSync ? seatName(1) : undefined);
    const main = await startStream(connection, { node: first, from, confirmed: from.lsn }, clock, signal);
    const seats: PostgresWalStream[] = [];
    try {
      for (const [index, node] of others.entries()) {
        const seat = await this.#connect(signal, seatName(index + 2));
        const { timeline, flushLsn } = await identifySystem(seat, { timeoutMs: queryTimeoutMs, signal });
        // Of an older timeline nothing is left to acknowledge.
        if (timeline !== from.timeline) await seat[Symbol.asyncDispose]();
        else {
          seats.push(await startStream(seat, { node, from: { timeline, lsn: flushLsn }, confirmed: from.lsn }, clock, signal));
          seat.restBetweenReads(seatRestMs);
        }
      }
    } catch (error) {
      for (const stream of [main, ...seats]) await stream[Symbol.asyncDispose]();
      throw error;
    }
    return seats.length === 0 ? main : new SeatedStream(main, seats);
  }

  #connect(signal: AbortSignal, applicationName?: string): Promise<ReplicationConnection> {
    const options = { signal, ...(applicationName === undefined ? {} : { applicationName }) };
    return connectUpstream(this.#member, this.#from, 'journal', options);
  }
}

/** `16MB`, as SHOW gives it. */
function segmentBytesOf(text: string | undefined): number {
  const [, count, unit] = /^(\d+)(kB|MB|GB)$/.exec(text ?? '') ?? [];
  const bytes = Number(count) * { kB: 2 ** 10, MB: 2 ** 20, GB: 2 ** 30 }[unit as 'kB' | 'MB' | 'GB'];
  if (!Number.isInteger(Math.log2(bytes))) throw new RangeError(`wal_segment_size is '${text ?? ''}'`);
  return bytes;
}
