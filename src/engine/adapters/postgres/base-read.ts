import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { BaseEnd, BaseRead, BaseSource } from '../../../core/base-source.ts';
import { HoldfastError, messageOf } from '../../../core/errors.ts';
import { parseLsn } from '../../../core/lsn.ts';
import { excludedOfTablespaces, needlessFiles, outsideTablespaces } from './base-extent.ts';
import { readControlFile } from './control-file.ts';
import type { Member } from './member.ts';
import type { Session } from './session.ts';
import { queryTimeoutMs } from './sessions.ts';
import { versionDirectory } from './tablespaces.ts';
import { parseRelationFile } from './page-changes.ts';
import { readPageChanges } from './wal-summaries.ts';

/** The checkpoint that a backup begins with, of all memory, on a slow disk. */
const beginMsMax = 600_000;

/**
 * What a copy must not have: a server's own state (PostgreSQL manual, "Making a Base Backup Using the Low Level API"), WAL, which comes from the
 * journal, and what is made anew at a start. Directories themselves stay.
 */
const excluded: readonly string[] = [
  'postmaster.pid',
  'postmaster.opts',
  'standby.signal',
  'recovery.signal',
  'backup_label*',
  'tablespace_map*',
  'backup_manifest*',
  'promote',
  'current_logfiles*',
  'pg_internal.init*',
  'global/pg_internal.init*',
  'global/pg_control',
  'base/*/pg_internal.init*',
  'base/pgsql_tmp/*',
  'base/*/t*_*',
  ...['pg_wal', 'pg_replslot', 'pg_dynshmem', 'pg_notify', 'pg_serial', 'pg_snapshots', 'pg_stat_tmp', 'pg_subtrans', 'log'].map(
    (directory) => `${directory}/*`,
  ),
];

/** Base backups beside the data, by pg_backup_start and pg_backup_stop, which replicas have too. */
export class PostgresBase implements BaseSource {
  readonly #member: Member;

  constructor(member: Member) {
    this.#member = member;
  }

  async begin({ label, signal }: { readonly label: string; readonly signal: AbortSignal }): Promise<BaseRead> {
    const member = this.#member;
    const session = await member.sessions.open({ signal });
    try {
      const [facts] = await session.query(
        `select system_identifier::text as system, current_setting('block_size')::int as page, current_setting('data_checksums')::bool as checksums,
                (select setting::int from pg_settings where name = 'segment_size') as segment_pages,
                (select setting::bigint from pg_settings where name = 'wal_segment_size') as segment_bytes
           from pg_control_system()`,
        { timeoutMs: queryTimeoutMs, signal },
      );
      const [size] = await session.query('select sum(pg_database_size(oid))::bigint as bytes from pg_database', {
        timeoutMs: beginMsMax,
        signal,
      });
      // The names of before 15 are of the same functions.
      const start = member.binaries.version.major >= 15 ? 'pg_backup_start($1, true)' : 'pg_start_backup($1, true, false)';
      const [begun] = await session.query(`select ${start}::text as lsn`, { timeoutMs: beginMsMax, signal, values: [label] });
      const [checkpoint] = await session.query('select timeline_id as timeline from pg_control_checkpoint()', {
        timeoutMs: queryTimeoutMs,
        signal,
      });
      const pageBytes = Number(facts!['page']);
      const now = { timeline: Number(checkpoint!['timeline']), lsn: parseLsn(String(begun!['lsn'])) };
      return {
        directory: member.places.data,
        excluded: [...excluded, ...excludedOfTablespaces],
        isNeedless: await needlessFiles(member.places.data, versionDirectory(member, await readControlFile(member.places.data))),
        tablespaces: await outsideTablespaces(member.places.data, session, signal),
        paged: {
          paths: ['base/*/*', 'global/*', 'pg_tblspc/*/*/*/*'],
          pageBytes,
          sizeBytes: Number(size!['bytes']),
          firstPage: facts!['checksums'] === true ? pagesOf(Number(facts!['segment_pages'])) : undefined,
        },
        systemId: String(facts!['system']),
        version: member.binaries.version.text,
        segmentBytes: Number(facts!['segment_bytes']),
        start: now,
        changesSince: (earlier, options) => readPageChanges(member, session, { earlier, now, pageBytes, ...options }),
        finish: (options) => finish(member, session, options.signal),
        [Symbol.asyncDispose]: () => session[Symbol.asyncDispose](),
      };
    } catch (error) {
      await session[Symbol.asyncDispose]();
      throw error;
    }
  }
}

/** Checksums are made with the number of a page within its relation. */
function pagesOf(segmentPages: number): (path: string) => number | undefined {
  return (path) => {
    const file = parseRelationFile(path);
    return file && file.segment * segmentPages;
  };
}

async function finish(member: Member, session: Session, signal: AbortSignal): Promise<BaseEnd> {
  // Last, and before the server is told: a replica's copy is consistent at what this says (PostgreSQL manual, backup from a standby).
  const control = await readFile(join(member.places.data, 'global', 'pg_control'));
  const stop = member.binaries.version.major >= 15 ? 'pg_backup_stop(false)' : 'pg_stop_backup(false, false)';
  const [row] = await session
    .query(`select lsn::text as lsn, labelfile as label, spcmapfile as map from ${stop}`, { timeoutMs: queryTimeoutMs, signal })
    .catch((error: unknown) => {
      if (signal.aborted) throw error;
      throw new HoldfastError('ENGINE_BASE_INTERRUPTED', `the server did not end the backup well: ${messageOf(error)}`, {
        retryable: true,
        hint: 'It was restarted or promoted meanwhile. What was read counts for nothing; the next backup stores only what it lacks.',
        cause: error,
      });
    });
  const map = typeof row!['map'] === 'string' ? row!['map'] : '';
  return {
    lsn: parseLsn(String(row!['lsn'])),
    files: [
      { path: 'backup_label', bytes: Buffer.from(String(row!['label']), 'utf8') },
      ...(map === '' ? [] : [{ path: 'tablespace_map', bytes: Buffer.from(map, 'utf8') }]),
      { path: 'global/pg_control', bytes: control },
    ],
  };
}
