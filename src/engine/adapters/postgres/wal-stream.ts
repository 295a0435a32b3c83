import type { Clock } from '../../../core/clock.ts';
import { HoldfastError } from '../../../core/errors.ts';
import { formatLsn, parseLsn } from '../../../core/lsn.ts';
import type { WalEvent, WalIdentity, WalMoment, WalSource, WalStream } from '../../../core/wal-source.ts';
import type { MemberAddress } from '../../engine.ts';
import type { Member } from './member.ts';
import { identifySystem, parseRow, ServerError, type Message, type ReplicationConnection } from './replication-connection.ts';
import { queryTimeoutMs } from './sessions.ts';
import { lsnOf } from './position.ts';
import { slotName } from './slot-name.ts';
import { ensureSlot } from './slots.ts';
import { connectUpstream } from './upstream.ts';

/** No node can have this name: names have no parentheses. */
const journalNode = '(journal)';
const purpose = 'journal';
/** A server answers a request for a sign of life at once, and gives one by itself after half of wal_sender_timeout (a minute by default). */
const silenceMsMax = 60_000;
/** A server that only looks whether we live asks again after half a minute; one that shuts down at once, until all is confirmed (WalSndDone of walsender.c). */
const impatientMs = 1_000;
/** PostgreSQL counts microseconds from 2000-01-01 UTC. */
const epochMs = 946_684_800_000;
/** undefined_file: the WAL asked for has been removed. */
const walGone = '58P01';

/** WAL of a running server, over its replication protocol (PostgreSQL manual, Streaming Replication Protocol). */
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

  async stream(
    from: { readonly timeline: number; readonly lsn: bigint },
    { signal }: { readonly signal: AbortSignal },
  ): Promise<PostgresWalStream> {
    const connection = await this.#connect(signal);
    try {
      await ensureSlot(connection, journalNode, signal);
      connection.send(
        `START_REPLICATION SLOT ${slotName(journalNode)} PHYSICAL ${formatLsn(from.lsn)} TIMELINE ${Math.trunc(from.timeline)}`,
      );
      const stream = new PostgresWalStream(connection, from.lsn, this.#member.runtime.clock, signal);
      await stream.begin();
      return stream;
    } catch (error) {
      await connection[Symbol.asyncDispose]();
      throw error instanceof ServerError ? refused(error, from) : error;
    }
  }

  #connect(signal: AbortSignal): Promise<ReplicationConnection> {
    return connectUpstream(this.#member, this.#from, purpose, { signal });
  }
}

class PostgresWalStream implements WalStream {
  readonly #connection: ReplicationConnection;
  readonly #clock: Clock;
  readonly #signal: AbortSignal;
  #received: bigint;
  #confirmed: bigint;
  #over: WalEvent | undefined;
  #askedMs = -Infinity;

  constructor(connection: ReplicationConnection, from: bigint, clock: Clock, signal: AbortSignal) {
    this.#connection = connection;
    this.#clock = clock;
    this.#signal = signal;
    this.#received = from;
    this.#confirmed = from;
  }

  /** Until the server has agreed to stream, or has told that the timeline has nothing more to give. */
  async begin(): Promise<void> {
    const { type, body } = await this.#read();
    if (type !== 'W') this.#over = await this.#afterStream({ type, body });
  }

  async next(): Promise<WalEvent> {
    if (this.#over !== undefined) return this.#over;
    for (;;) {
      const message = await this.#read();
      if (message.type === 'c') {
        await this.#connection.write('c', Buffer.alloc(0));
        return (this.#over = await this.#afterStream(await this.#read()));
      }
      const event = message.type === 'd' ? await this.#data(message.body) : undefined;
      if (event !== undefined) return event;
    }
  }

  confirm(lsn: bigint, { now = false }: { readonly now?: boolean } = {}): void {
    if (lsn > this.#confirmed) this.#confirmed = lsn;
    // A connection that is lost is seen by whoever reads it.
    if (now) this.#report().catch(() => {});
  }

  /** XLogData: start, end of WAL there, time sent, bytes. Primary keepalive: end of WAL, time sent, whether an answer is wanted at once. */
  async #data(body: Buffer): Promise<WalEvent | undefined> {
    const letter = String.fromCharCode(body[0]!);
    if (letter === 'w') {
      const lsn = body.readBigUInt64BE(1);
      const bytes = body.subarray(25);
      this.#received = lsn + BigInt(bytes.length);
      return { kind: 'bytes', lsn, bytes };
    }
    if (letter !== 'k') return undefined;
    if (body[17] === 1) {
      await this.#report();
      const asked = this.#clock.monotonicMs();
      if (this.#confirmed < this.#received && asked - this.#askedMs < impatientMs) return { kind: 'ending' };
      this.#askedMs = asked;
    }
    return undefined;
  }

  /** The rows after a stream: which timeline comes next, and where it begins. None when the server is shutting down. */
  async #afterStream(first: Message): Promise<WalEvent> {
    let row: (string | undefined)[] | undefined;
    for (let message = first; message.type !== 'Z'; message = await this.#read()) if (message.type === 'D') row = parseRow(message.body);
    if (row?.[0] === undefined || row[1] === undefined) {
      throw new HoldfastError('ENGINE_UPSTREAM_UNREACHABLE', 'the server ended the stream of WAL: it is shutting down', {
        retryable: true,
      });
    }
    return { kind: 'switch', next: Number(row[0]), lsn: parseLsn(row[1]) };
  }

  /** Standby status update: written, flushed, applied, our time, no answer wanted. */
  async #report(): Promise<void> {
    const body = Buffer.alloc(34);
    body.write('r', 0, 'latin1');
    body.writeBigUInt64BE(this.#received, 1);
    body.writeBigUInt64BE(this.#confirmed, 9);
    body.writeBigUInt64BE(this.#confirmed, 17);
    body.writeBigInt64BE(BigInt(Math.round(this.#clock.wallMs() - epochMs)) * 1000n, 25);
    await this.#connection.write('d', body);
  }

  #read(): Promise<Message> {
    return this.#connection.next({ timeoutMs: silenceMsMax, signal: this.#signal });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#connection[Symbol.asyncDispose]();
  }
}

/** `16MB`, as SHOW gives it. */
function segmentBytesOf(text: string | undefined): number {
  const [, count, unit] = /^(\d+)(kB|MB|GB)$/.exec(text ?? '') ?? [];
  const bytes = Number(count) * { kB: 2 ** 10, MB: 2 ** 20, GB: 2 ** 30 }[unit as 'kB' | 'MB' | 'GB'];
  if (!Number.isInteger(Math.log2(bytes))) throw new RangeError(`wal_segment_size is '${text ?? ''}'`);
  return bytes;
}

function refused(error: ServerError, from: { readonly timeline: number; readonly lsn: bigint }): HoldfastError {
  const where = `${formatLsn(from.lsn)} of timeline ${from.timeline}`;
  if (error.code === walGone) {
    return new HoldfastError('ENGINE_WAL_GONE', `the server has no WAL from ${where} on any more: ${error.message}`, {
      hint: 'What lies between is lost to copies: a new base backup closes the gap. Raise max_slot_wal_keep_size if it came from a long outage.',
      cause: error,
    });
  }
  return new HoldfastError('ENGINE_UPSTREAM_REFUSED', `the server does not stream WAL from ${where}: ${error.message}`, {
    retryable: true,
    hint: "Look at the server's log.",
    cause: error,
  });
}
