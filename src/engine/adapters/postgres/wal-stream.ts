import type { Clock } from '../../../core/clock.ts';
import { HoldfastError } from '../../../core/errors.ts';
import { formatLsn, parseLsn } from '../../../core/lsn.ts';
import type { WalEvent, WalPlace, WalStream } from '../../../core/wal-source.ts';
import { parseRow, ServerError, type Message, type ReplicationConnection } from './replication-connection.ts';
import { slotName } from './slot-name.ts';
import { ensureSlot } from './slots.ts';

/** A server answers a request for a sign of life at once, and gives one by itself after half of wal_sender_timeout (a minute by default). */
const silenceMsMax = 60_000;
/** A server that only looks whether we live asks again after half a minute; one that shuts down at once, until all is confirmed (WalSndDone of walsender.c). */
const impatientMs = 1_000;
/** PostgreSQL counts microseconds from 2000-01-01 UTC. */
const epochMs = 946_684_800_000;
/** undefined_file: the WAL asked for has been removed. */
const walGone = '58P01';

interface Beginning {
  /** As whom: the name of its slot tells. */
  readonly node: string;
  readonly from: WalPlace;
  /** Safe elsewhere up to here already. */
  readonly confirmed: bigint;
}

/**
 * Streams WAL by a slot of its own, which no other connection has at the same time. The connection is the stream's from here on.
 * @throws ENGINE_WAL_GONE, ENGINE_UPSTREAM_REFUSED (also while another has the slot), ENGINE_UPSTREAM_UNREACHABLE
 */
export async function startStream(
  connection: ReplicationConnection,
  beginning: Beginning,
  clock: Clock,
  signal: AbortSignal,
): Promise<PostgresWalStream> {
  const { node, from } = beginning;
  try {
    await ensureSlot(connection, node, signal);
    connection.send(`START_REPLICATION SLOT ${slotName(node)} PHYSICAL ${formatLsn(from.lsn)} TIMELINE ${Math.trunc(from.timeline)}`);
    const stream = new PostgresWalStream(connection, beginning, clock, signal);
    await stream.begin();
    return stream;
  } catch (error) {
    await connection[Symbol.asyncDispose]();
    throw error instanceof ServerError ? refused(error, from) : error;
  }
}

/** One connection's (PostgreSQL manual, Streaming Replication Protocol). */
export class PostgresWalStream implements WalStream {
  readonly #connection: ReplicationConnection;
  readonly #clock: Clock;
  readonly #signal: AbortSignal;
  readonly #from: WalPlace;
  #received: bigint;
  #confirmed: bigint;
  #over: WalEvent | undefined;
  #askedMs = -Infinity;

  constructor(connection: ReplicationConnection, { from, confirmed }: Beginning, clock: Clock, signal: AbortSignal) {
    this.#connection = connection;
    this.#clock = clock;
    this.#signal = signal;
    this.#from = from;
    this.#received = from.lsn;
    this.#confirmed = confirmed;
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

  /** Standby status update: written, flushed, applied, our time, no answer wanted. What is not safe yet counts for none of the three. */
  async #report(): Promise<void> {
    const body = Buffer.alloc(34);
    body.write('r', 0, 'latin1');
    body.writeBigUInt64BE(this.#confirmed, 1);
    body.writeBigUInt64BE(this.#confirmed, 9);
    body.writeBigUInt64BE(this.#confirmed, 17);
    body.writeBigInt64BE(BigInt(Math.round(this.#clock.wallMs() - epochMs)) * 1000n, 25);
    await this.#connection.write('d', body);
  }

  async #read(): Promise<Message> {
    try {
      return await this.#connection.next({ timeoutMs: silenceMsMax, signal: this.#signal });
    } catch (error) {
      // That it has not got the WAL any more a server tells only once it has agreed to stream.
      throw error instanceof ServerError ? refused(error, this.#from) : error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#connection[Symbol.asyncDispose]();
  }
}

function refused(error: ServerError, from: WalPlace): HoldfastError {
  return error.code === walGone ? walIsGone(from, error.message, error) : walIsRefused(from, error.message, error);
}

export function walIsGone(from: WalPlace, why: string, cause?: unknown): HoldfastError {
  return new HoldfastError('ENGINE_WAL_GONE', `the server has no WAL from ${describePlace(from)} on any more: ${why}`, {
    hint: 'What lies between is lost to copies: a new base backup closes the gap. Raise `replication.walKeep` if it came from a long outage.',
    cause,
  });
}

export function walIsRefused(from: WalPlace, why: string, cause?: unknown): HoldfastError {
  return new HoldfastError('ENGINE_UPSTREAM_REFUSED', `the server gives no WAL from ${describePlace(from)}: ${why}`, {
    retryable: true,
    hint: "Look at the server's log.",
    cause,
  });
}

function describePlace({ timeline, lsn }: WalPlace): string {
  return `${formatLsn(lsn)} of timeline ${timeline}`;
}
