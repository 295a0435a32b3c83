import type { Position } from '../../engine.ts';
import type { Account } from '../../../core/processes.ts';
import type { ReceivedFile } from './backup-manifest.ts';
import { parseLsn } from '../../../core/lsn.ts';
import { parseRow, type Message, type ReplicationConnection } from './replication-connection.ts';
import { TarReader } from './tar-reader.ts';
import { Unpacker } from './unpack.ts';

/** The server first writes a checkpoint, which may take it long. */
const firstAnswerMs = 600_000;
const answerMs = 60_000;
/** A manifest has about 170 bytes a file. */
const manifestBytesMax = 512 * 1024 * 1024;

export interface BackupTarget {
  /** Where the main archive goes: an empty directory. */
  readonly directory: string;
  readonly account: Account | undefined;
  /** Makes ready for these tablespaces, named by where they are there. Before anything is written. */
  prepare(locations: readonly string[]): Promise<void>;
  /** Where a tablespace's archive goes. */
  unpackInto(location: string): string;
  /** Where the link to a tablespace is to lead. */
  relocated(location: string): string;
  progress(receivedBytes: number, totalBytes: number): void;
}

interface Tablespace {
  readonly oid: string;
  readonly location: string;
}

export interface Backup {
  readonly files: ReadonlyMap<string, ReceivedFile>;
  readonly manifest: string;
  /** The data is consistent once WAL up to here was replayed. */
  readonly end: Position;
}

/**
 * Takes a base backup with all WAL that it needs (PostgreSQL manual, BASE_BACKUP), streamed to disk; at most a few buffers are in memory.
 * @throws ServerError, ENGINE_UPSTREAM_UNREACHABLE, what the file system says, the signal's reason
 */
export async function receiveBackup(
  connection: ReplicationConnection,
  major: number,
  target: BackupTarget,
  signal: AbortSignal,
): Promise<Backup> {
  connection.send(command(major));
  await readResult(connection, signal);
  const rows = await readResult(connection, signal);
  const tablespaces = rows.flatMap(([oid, location]) => (oid === undefined || location === undefined ? [] : [{ oid, location }]));
  const totalBytes = rows.reduce((sum, row) => sum + Number(row[2] ?? 0) * 1024, 0);
  await target.prepare(tablespaces.map(({ location }) => location));
  const receiver = new Receiver(target, tablespaces, totalBytes);
  await using _open = receiver;
  if (major >= 15) await receiveOneStream(connection, receiver, signal);
  else await receiveStreams(connection, receiver, tablespaces, signal);
  const [end] = await readResult(connection, signal);
  return { files: receiver.files, manifest: receiver.manifest(), end: { timeline: Number(end![1]), lsn: parseLsn(end![0]!) } };
}

function command(major: number): string {
  return major >= 15
    ? "BASE_BACKUP (LABEL 'holdfast', PROGRESS, CHECKPOINT 'fast', WAL, WAIT false, MANIFEST 'yes', MANIFEST_CHECKSUMS 'SHA256')"
    : "BASE_BACKUP LABEL 'holdfast' PROGRESS FAST WAL NOWAIT MANIFEST 'yes' MANIFEST_CHECKSUMS 'SHA256'";
}

/** One result set of the command's several. */
async function readResult(connection: ReplicationConnection, signal: AbortSignal): Promise<(string | undefined)[][]> {
  const rows: (string | undefined)[][] = [];
  for (;;) {
    const { type, body } = await connection.next({ timeoutMs: firstAnswerMs, signal });
    if (type === 'D') rows.push(parseRow(body));
    if (type === 'C') return rows;
  }
}

/** From 15 on: everything in one copy, each message with a letter of its own. */
async function receiveOneStream(connection: ReplicationConnection, receiver: Receiver, signal: AbortSignal): Promise<void> {
  for await (const { body } of copied(connection, signal)) {
    const letter = String.fromCharCode(body[0]!);
    if (letter === 'n') {
      const [, location = ''] = body.toString('utf8', 1).split('\0');
      await receiver.beginArchive(location);
    } else if (letter === 'm') await receiver.beginManifest();
    else if (letter === 'd') await receiver.data(body.subarray(1));
  }
  await receiver.endPart();
}

/** Before 15: one copy for each archive, in the order of the rows, the main one last, then one for the manifest. */
async function receiveStreams(
  connection: ReplicationConnection,
  receiver: Receiver,
  tablespaces: readonly Tablespace[],
  signal: AbortSignal,
): Promise<void> {
  for (const location of [...tablespaces.map((tablespace) => tablespace.location), '']) {
    await receiver.beginArchive(location);
    for await (const { body } of copied(connection, signal)) await receiver.data(body);
  }
  await receiver.beginManifest();
  for await (const { body } of copied(connection, signal)) await receiver.data(body);
  await receiver.endPart();
}

async function* copied(connection: ReplicationConnection, signal: AbortSignal): AsyncGenerator<Message> {
  for (;;) {
    const message = await connection.next({ timeoutMs: answerMs, signal });
    if (message.type === 'c') return;
    if (message.type === 'd') yield message;
  }
}

/** Sends each part of the stream to where it belongs. */
class Receiver implements AsyncDisposable {
  readonly files = new Map<string, ReceivedFile>();
  readonly #target: BackupTarget;
  readonly #tablespaces: readonly Tablespace[];
  readonly #totalBytes: number;
  #archive: { reader: TarReader; unpacker: Unpacker } | undefined;
  #manifest: Buffer[] = [];
  #manifestBytes = 0;
  #receivedBytes = 0;

  constructor(target: BackupTarget, tablespaces: readonly Tablespace[], totalBytes: number) {
    this.#target = target;
    this.#tablespaces = tablespaces;
    this.#totalBytes = totalBytes;
  }

  async beginArchive(location: string): Promise<void> {
    await this.endPart();
    const tablespace = this.#tablespaces.find((candidate) => candidate.location === location);
    if (location !== '' && tablespace === undefined)
      throw new RangeError(`the backup has an archive for the unknown tablespace '${location}'`);
    const { directory, account } = this.#target;
    const unpacker = new Unpacker(tablespace === undefined ? directory : this.#target.unpackInto(location), {
      prefix: tablespace === undefined ? '' : `pg_tblspc/${tablespace.oid}/`,
      account,
      received: this.files,
      relocate: (link) => this.#target.relocated(link),
    });
    this.#archive = { reader: new TarReader(unpacker), unpacker };
  }

  async beginManifest(): Promise<void> {
    await this.endPart();
  }

  async data(chunk: Buffer): Promise<void> {
    this.#receivedBytes += chunk.length;
    this.#target.progress(this.#receivedBytes, this.#totalBytes);
    if (this.#archive !== undefined) return await this.#archive.reader.write(chunk);
    this.#manifestBytes += chunk.length;
    if (this.#manifestBytes > manifestBytesMax) throw new RangeError('the manifest of the backup is impossibly large');
    this.#manifest.push(Buffer.from(chunk));
  }

  async endPart(): Promise<void> {
    this.#archive?.reader.finish();
    this.#archive = undefined;
  }

  manifest(): string {
    return Buffer.concat(this.#manifest).toString('utf8');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#archive?.unpacker[Symbol.asyncDispose]();
  }
}
