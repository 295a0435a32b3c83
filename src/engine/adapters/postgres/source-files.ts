import { createHash } from 'node:crypto';
import type { PostgresVersion } from './binaries.ts';
import { parseLsn } from '../../../core/lsn.ts';
import type { Session } from './session.ts';

/** Reading a batch from a slow disk. */
const readMs = 120_000;

export interface SourceFile {
  /** Relative to the data directory there, without `.` or `..` parts. */
  readonly path: string;
  readonly sizeBytes: number;
  readonly isDirectory: boolean;
}

/** A part of a file. */
export interface FilePart {
  readonly path: string;
  readonly at: number;
  readonly sizeBytes: number;
  /** Whether the file ends with it. */
  readonly isLast?: boolean;
}

/** Reads the files of another, running server by SQL, while that is in backup mode. */
export class SourceFiles {
  readonly #session: Session;
  readonly #signal: AbortSignal;

  constructor(session: Session, signal: AbortSignal) {
    this.#session = session;
    this.#signal = signal;
  }

  async beginBackup(version: PostgresVersion): Promise<void> {
    await this.#query(
      version.major >= 15 ? "select pg_backup_start('holdfast', true)" : "select pg_start_backup('holdfast', true, false)",
      [],
    );
  }

  /** The content of backup_label, and where the WAL ends that the copy needs. */
  async endBackup(version: PostgresVersion): Promise<{ label: string; lsn: bigint }> {
    const [row] = await this.#query(
      `select labelfile, lsn::text from ${version.major >= 15 ? 'pg_backup_stop(false)' : 'pg_stop_backup(false, false)'}`,
      [],
    );
    return { label: String(row!['labelfile']), lsn: parseLsn(String(row!['lsn'])) };
  }

  /** Everything below these directories, tablespaces included, parents before their children. */
  async list(): Promise<SourceFile[]> {
    const rows = await this.#query(
      `with recursive found as (
         select name as path, stat.size, stat.isdir from pg_ls_dir('.', true, false) as name, pg_stat_file(name, true) as stat
         union all
         select parent.path || '/' || name, stat.size, stat.isdir
           from found as parent, pg_ls_dir(parent.path, true, false) as name, pg_stat_file(parent.path || '/' || name, true) as stat
          where parent.isdir and parent.path !~ '^(pg_wal|pg_replslot|pg_dynshmem|pg_notify|pg_serial|pg_snapshots|pg_stat_tmp|pg_subtrans|log)$'
            and parent.path !~ '(^|/)pgsql_tmp'
       )
       select path, size::text, isdir from found where isdir is not null`,
      [],
    );
    return rows.map((row) => ({ path: safePath(String(row['path'])), sizeBytes: Number(row['size']), isDirectory: row['isdir'] === true }));
  }

  /** All timeline history files, by name: who follows this member later may have to fetch any of them from it. */
  async histories(): Promise<Map<string, Buffer>> {
    const rows = await this.#query(
      `select name, pg_read_binary_file('pg_wal/' || name) as content from pg_ls_dir('pg_wal', true, false) as name where name ~ '^[0-9A-F]{8}[.]history$'`,
      [],
    );
    return new Map(rows.flatMap((row) => (Buffer.isBuffer(row['content']) ? [[String(row['name']), row['content']] as const] : [])));
  }

  /** Where each tablespace is over there, by OID. */
  async tablespaces(): Promise<Map<string, string>> {
    const rows = await this.#query(
      "select oid::text, pg_tablespace_location(oid) as location from pg_tablespace where pg_tablespace_location(oid) <> ''",
      [],
    );
    return new Map(rows.map((row) => [String(row['oid']), String(row['location'])]));
  }

  /** The LSN of each page (pd_lsn, the first eight bytes) of these parts, in their order; undefined for a file that is gone. */
  async pageLsns(parts: readonly FilePart[], pageBytes: number): Promise<(BigUint64Array | undefined)[]> {
    const rows = await this.#query(
      `select lsns from unnest($1::text[], $2::bigint[], $3::bigint[]) with ordinality as part(path, at, size, n),
              lateral (select pg_read_binary_file(part.path, part.at, part.size, true) as pages offset 0) as read,
              lateral (select case when pages is not null then coalesce(string_agg(substring(pages from i * $4 + 1 for 8), ''::bytea order by i), '') end as lsns
                         from generate_series(0, length(pages) / $4 - 1) as i) as header
        order by n`,
      [...columns(parts), pageBytes],
    );
    return rows.map((row) => (Buffer.isBuffer(row['lsns']) ? toLsns(row['lsns']) : undefined));
  }

  /** SHA-256 of whole files; undefined for one that is gone. */
  async hashes(files: readonly SourceFile[]): Promise<(string | undefined)[]> {
    const rows = await this.#query(
      `select encode(sha256(pg_read_binary_file(path, 0, size, true)), 'hex') as hash
         from unnest($1::text[], $2::bigint[]) with ordinality as file(path, size, n) order by n`,
      [files.map(({ path }) => path), files.map(({ sizeBytes }) => sizeBytes)],
    );
    return rows.map((row) => (typeof row['hash'] === 'string' ? row['hash'] : undefined));
  }

  /** Content; shorter where the file has become so, undefined where it is gone. */
  async read(parts: readonly FilePart[]): Promise<(Buffer | undefined)[]> {
    const rows = await this.#query(
      `select pg_read_binary_file(path, at, size, true) as content
         from unnest($1::text[], $2::bigint[], $3::bigint[]) with ordinality as part(path, at, size, n) order by n`,
      columns(parts),
    );
    return rows.map((row) => (Buffer.isBuffer(row['content']) ? row['content'] : undefined));
  }

  async #query(sql: string, values: readonly unknown[]) {
    return await this.#session.query(sql, { timeoutMs: readMs, signal: this.#signal, values });
  }
}

export function sha256(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}

function columns(parts: readonly FilePart[]): [string[], number[], number[]] {
  return [parts.map(({ path }) => path), parts.map(({ at }) => at), parts.map(({ sizeBytes }) => sizeBytes)];
}

/** pd_lsn is two 32-bit halves, the higher one first. */
function toLsns(bytes: Buffer): BigUint64Array {
  return BigUint64Array.from({ length: bytes.length / 8 }, (_, index) => pageLsn(bytes, index * 8));
}

export function pageLsn(bytes: Buffer, at: number): bigint {
  return (BigInt(bytes.readUInt32LE(at)) << 32n) | BigInt(bytes.readUInt32LE(at + 4));
}

/** What the other side calls its files is not trusted to stay inside ours. */
function safePath(path: string): string {
  if (path.startsWith('/') || path.includes('\0') || path.split('/').some((part) => part === '' || part === '.' || part === '..')) {
    throw new RangeError(`the other member lists a file with the unsafe name '${path}'`);
  }
  return path;
}
