import { once } from 'node:events';
import type { Socket } from 'node:net';
import type { Clock } from '../../../core/clock.ts';
import { HoldfastError } from '../../../core/errors.ts';
import { parseLsn } from '../../../core/lsn.ts';
import { Session, type SessionTarget } from './session.ts';
import { parseHistory, type TimelineHistory } from '../../../core/timeline.ts';

/** A message of the server: its type letter, and its body as a view that stays valid. */
export interface Message {
  readonly type: string;
  readonly body: Buffer;
}

/** An error that the other server answered, with its SQLSTATE. */
export class ServerError extends Error {
  readonly code: string;
  readonly severity: string;

  constructor(fields: ReadonlyMap<string, string>) {
    super(fields.get('M') ?? 'an error without a message');
    this.name = 'ServerError';
    this.code = fields.get('C') ?? 'XX000';
    this.severity = fields.get('V') ?? 'ERROR';
  }
}

/** What waits to be read is bounded by this, by pausing the socket; one message may exceed it. */
const bufferedBytesMax = 4 * 1024 * 1024;
/** What one read takes at most (libuv): where it took less, nothing was left. */
const readBytesMax = 64 * 1024;
/** No message of a backup or of WAL comes near this. */
const messageBytesMax = 64 * 1024 * 1024;

/**
 * The walsender's side of the protocol (PostgreSQL manual, Streaming Replication Protocol). `pg` connects and authenticates; from then
 * on the socket is read here, since its own parser gives chunks that are only valid for a moment, and knows no CopyBoth.
 */
export class ReplicationConnection implements AsyncDisposable {
  readonly #session: Session;
  readonly #socket: Socket;
  readonly #clock: Clock;
  #chunks: Buffer[] = [];
  #bytes = 0;
  #wake: (() => void) | undefined;
  #restMs = 0;
  #restedMs = -Infinity;
  #failure: Error | undefined;

  private constructor(session: Session, clock: Clock) {
    this.#session = session;
    this.#clock = clock;
    this.#socket = session.socket;
    this.#socket.removeAllListeners('data');
    this.#socket.on('data', (chunk: Buffer) => {
      this.#chunks.push(chunk);
      this.#bytes += chunk.length;
      if (this.#bytes > bufferedBytesMax) this.#socket.pause();
      if (this.#restMs > 0 && chunk.length < readBytesMax) this.#beginRest();
      this.#wake?.();
    });
    const fail = (error?: Error): void => {
      this.#failure ??= error ?? new Error('the connection was closed by the other side');
      this.#wake?.();
    };
    this.#socket.on('error', fail);
    this.#socket.on('close', () => fail());
  }

  static async open(
    target: Omit<SessionTarget, 'replication'>,
    clock: Clock,
    options: { timeoutMs: number; signal: AbortSignal },
  ): Promise<ReplicationConnection> {
    return new ReplicationConnection(await Session.open({ ...target, replication: 'physical' }, clock, options), clock);
  }

  /** Whether the server at the other end is itself a replica, as it said when the connection began. */
  get isReplica(): boolean {
    return this.#session.reported('in_hot_standby') === 'on';
  }

  /**
   * Once all that has come is read, the next read is `restMs` later: what comes meanwhile is then read in one go, instead of a wake-up of this
   * process for each piece of it.
   */
  restBetweenReads(restMs: number): void {
    this.#restMs = restMs;
  }

  #beginRest(): void {
    this.#restedMs = this.#clock.monotonicMs() + this.#restMs;
    this.#socket.pause();
  }

  /** Sends a command whose answers are then read with `next`. */
  send(command: string): void {
    this.#socket.write(frame('Q', Buffer.from(`${command}\0`, 'utf8')));
  }

  /** Runs a command and returns its rows, of all its results, as text. @throws ServerError */
  async query(command: string, options: { timeoutMs: number; signal: AbortSignal }): Promise<(string | undefined)[][]> {
    this.send(command);
    const rows: (string | undefined)[][] = [];
    let failure: ServerError | undefined;
    for (;;) {
      const message = await this.next(options).catch((error: unknown) => {
        if (error instanceof ServerError) return error;
        throw error;
      });
      if (message instanceof ServerError) failure = message;
      else if (message.type === 'D') rows.push(parseRow(message.body));
      else if (message.type === 'Z') break;
    }
    if (failure !== undefined) throw failure;
    return rows;
  }

  /**
   * The next message that means something (notices and changed settings do not).
   * @throws ServerError, ENGINE_UPSTREAM_UNREACHABLE when nothing comes in time or the connection is lost, the signal's reason
   */
  async next(options: { timeoutMs: number; signal: AbortSignal }): Promise<Message> {
    for (;;) {
      const header = this.#peek(5);
      const length = header === undefined ? undefined : header.readUInt32BE(1) + 1;
      if (length !== undefined && length > messageBytesMax) throw this.#lost(new Error(`a message of ${length} bytes`));
      if (header === undefined || length === undefined || this.#bytes < length) {
        await this.#more(options);
        continue;
      }
      const body = this.#take(length).subarray(5);
      const type = String.fromCharCode(header[0]!);
      if (type === 'E') throw new ServerError(parseFields(body));
      if (type !== 'N' && type !== 'S') return { type, body };
    }
  }

  async #more({ timeoutMs, signal }: { timeoutMs: number; signal: AbortSignal }): Promise<void> {
    signal.throwIfAborted();
    if (this.#failure !== undefined) throw this.#lost(this.#failure);
    const restMs = this.#restedMs - this.#clock.monotonicMs();
    if (restMs > 0) await this.#clock.sleep(restMs, signal);
    if (this.#socket.isPaused()) this.#socket.resume();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#wake = resolve;
    const abort = (): void => reject(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    using _timer = this.#clock.after(timeoutMs, () => reject(this.#lost(new Error(`nothing came for ${timeoutMs} ms`))));
    try {
      await promise;
    } finally {
      this.#wake = undefined;
      signal.removeEventListener('abort', abort);
    }
  }

  #lost(cause: Error): HoldfastError {
    return new HoldfastError('ENGINE_UPSTREAM_UNREACHABLE', `the replication connection to the other member was lost: ${cause.message}`, {
      retryable: true,
      hint: 'It is tried again. Look at the log of the server there if it goes on.',
      cause,
    });
  }

  #peek(length: number): Buffer | undefined {
    if (this.#bytes < length) return undefined;
    const first = this.#chunks[0]!;
    if (first.length >= length) return first.subarray(0, length);
    this.#chunks = [Buffer.concat(this.#chunks, this.#bytes)];
    return this.#chunks[0]!.subarray(0, length);
  }

  #take(length: number): Buffer {
    this.#bytes -= length;
    const parts: Buffer[] = [];
    for (let missing = length; missing > 0;) {
      const first = this.#chunks[0]!;
      const part = first.subarray(0, missing);
      parts.push(part);
      missing -= part.length;
      if (part.length === first.length) this.#chunks.shift();
      else this.#chunks[0] = first.subarray(part.length);
    }
    return parts.length === 1 ? parts[0]! : Buffer.concat(parts, length);
  }

  /** Waits until what was sent has left, where the other side is slow to read. */
  async write(type: string, body: Buffer): Promise<void> {
    if (!this.#socket.write(frame(type, body))) await once(this.#socket, 'drain');
  }

  cut(): void {
    this.#session.cut();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
  }
}

export interface SystemIdentity {
  readonly systemId: string;
  readonly timeline: number;
  readonly flushLsn: bigint;
}

/** Who is at the other end, and how far it is. */
export async function identifySystem(
  connection: ReplicationConnection,
  options: { timeoutMs: number; signal: AbortSignal },
): Promise<SystemIdentity> {
  const [row] = await connection.query('IDENTIFY_SYSTEM', options);
  return { systemId: row![0]!, timeline: Number(row![1]), flushLsn: parseLsn(row![2]!) };
}

export async function readUpstreamHistory(
  connection: ReplicationConnection,
  timeline: number,
  options: { timeoutMs: number; signal: AbortSignal },
): Promise<TimelineHistory> {
  if (timeline === 1) return { timeline, ancestors: [] };
  const [row] = await connection.query(`TIMELINE_HISTORY ${timeline}`, options);
  return parseHistory(timeline, row![1]!);
}

function frame(type: string, body: Buffer): Buffer {
  const header = Buffer.alloc(5);
  header.write(type, 0, 'latin1');
  header.writeUInt32BE(body.length + 4, 1);
  return Buffer.concat([header, body]);
}

/** DataRow: a count, then each value with its length, −1 for null. */
export function parseRow(body: Buffer): (string | undefined)[] {
  let at = 2;
  return Array.from({ length: body.readUInt16BE(0) }, () => {
    const length = body.readInt32BE(at);
    at += 4;
    if (length < 0) return undefined;
    at += length;
    return body.toString('utf8', at - length, at);
  });
}

/** ErrorResponse: letter and text, zero-terminated, until a zero. */
function parseFields(body: Buffer): Map<string, string> {
  const parts = body
    .toString('utf8')
    .split('\0')
    .filter((part) => part !== '');
  return new Map(parts.map((part) => [part[0]!, part.slice(1)]));
}
