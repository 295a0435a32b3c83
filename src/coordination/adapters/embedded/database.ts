import { closeSync, constants, fstatSync, openSync, statSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { HoldfastError } from '../../../core/errors.ts';
import { isBusy } from './failures.ts';
import type { Host } from './host.ts';

/** Marks the file as ours in its header ("HFcs"), see the pragma application_id. */
const applicationId = 0x48466373;
const schemaVersion = 1;

/**
 * After a restart of the machine, revisions go on from here on: more than could have been given out since the last flush. So tokens and
 * revisions of places and sessions are never used again though they are not flushed one by one.
 */
const revisionsPerBoot = 2n ** 32n;

/** How long an opening waits for others that have the file locked. */
const openMsMax = 5_000;
/** Pauses between tries to set up the write-ahead log, where SQLite does not wait by itself. */
const switchMs = 5;

// `session.deadline_ms` counts on the machine's monotonic clock. Times of another start of the machine mean nothing: its sessions are over.
const schema = `
  create table store (
    only integer primary key check (only = 1),
    revision integer not null,
    compacted integer not null,
    boot_id text not null,
    machine text not null
  ) strict;
  create table session (id text primary key, name text not null, ttl_ms real not null, deadline_ms real not null) strict, without rowid;
  create index session_deadline on session (deadline_ms);
  create table entry (key text primary key, value text not null, revision integer not null, session text) strict;
  create index entry_session on entry (session) where session is not null;
  create table place (number integer primary key, queue text not null, label text not null, session text not null) strict;
  create index place_queue on place (queue, number);
  create index place_session on place (session);
  create table change (revision integer primary key, key text not null) strict;
  pragma application_id = ${applicationId};
  pragma user_version = ${schemaVersion};
`;

/** The file as opened: which one it is, whatever its name names later. */
export interface OpenDatabase extends Disposable {
  readonly db: DatabaseSync;
  /** Whether the name still names this file. */
  isInPlace(): boolean;
}

/**
 * Opens the file, makes it when it is absent, and ends what an earlier start of this machine left.
 * @throws COORD_UNSUITABLE when it is something else, or belongs to another machine; SQLite's own errors
 */
export function openDatabase(file: string, host: Host): OpenDatabase {
  // Made here, so that nobody else can read it from the first moment; SQLite gives its helper files the same mode.
  const handle = openSync(file, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
  const opened = fstatSync(handle, { bigint: true });
  closeSync(handle);
  const db = new DatabaseSync(file, { timeout: openMsMax });
  try {
    // Before anything is written: what is not ours is not touched. All of it is read as of one moment, as others may be making the file now.
    inTransaction(db, () => isOurs(db, file), 'deferred');
    if (switchToLog(db) !== 'wal')
      throw unsuitable(`${file} can not have a write-ahead log here`, 'Put the embedded store on a local disk.');
    db.exec('pragma cache_size = -2048; pragma synchronous = full');
    inTransaction(db, () => {
      if (isOurs(db, file)) adopt(db, file, host);
      else create(db, host);
    });
    // From here on the caller waits, not SQLite: see the worker.
    db.exec('pragma busy_timeout = 0');
  } catch (error) {
    db.close();
    throw error;
  }
  return {
    db,
    [Symbol.dispose]: () => db.close(),
    isInPlace: () => {
      const now = statSync(file, { bigint: true, throwIfNoEntry: false });
      return now !== undefined && now.ino === opened.ino && now.dev === opened.dev;
    },
  };
}

/** Runs `work` alone with the file, or ('deferred') on what was there at its first look, if it only reads; all or nothing. */
export function inTransaction<T>(db: DatabaseSync, work: () => T, mode: 'immediate' | 'deferred' = 'immediate'): T {
  db.exec(`begin ${mode}`);
  try {
    const result = work();
    db.exec('commit');
    return result;
  } catch (error) {
    if (db.isTransaction) db.exec('rollback');
    throw error;
  }
}

/** Whether the file is this store's already; false when it is still empty. @throws COORD_UNSUITABLE when it is something else */
function isOurs(db: DatabaseSync, file: string): boolean {
  const found = pragma(db, 'application_id');
  if (found === applicationId) {
    const version = pragma(db, 'user_version');
    if (version === schemaVersion) return true;
    throw unsuitable(
      `${file} has version ${version} of the embedded store, this program reads version ${schemaVersion}`,
      'Use the same version of Holdfast in all processes of this machine.',
    );
  }
  const { tables } = db.prepare('select count(*) as tables from sqlite_schema').get() as { tables: number };
  if (found !== 0 || tables > 0)
    throw unsuitable(`${file} is a database of something else`, 'Name a file of its own for the embedded store.');
  return false;
}

/**
 * Sets up the write-ahead log; gives the journal mode in force. That needs the file for oneself, and SQLite does not wait for it: it has read
 * the file by then, and two that wait for each other's read to end would wait for ever (sqlite.org/c3ref/busy_handler.html).
 */
function switchToLog(db: DatabaseSync): string {
  for (let waitedMs = 0; ; waitedMs += switchMs) {
    try {
      return (db.prepare('pragma journal_mode = wal').get() as { journal_mode: string }).journal_mode;
    } catch (error) {
      if (!isBusy(error) || waitedMs >= openMsMax) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, switchMs);
    }
  }
}

function create(db: DatabaseSync, host: Host): void {
  db.exec(schema);
  db.prepare('insert into store values (1, 0, 0, ?, ?)').run(host.bootId, host.machine);
}

/** Makes sure that this machine owns the file, and that no session of an earlier start of it lives on. */
function adopt(db: DatabaseSync, file: string, host: Host): void {
  const owner = db.prepare('select boot_id, machine from store').get() as { boot_id: string; machine: string };
  // Containers of one machine may differ in name, but not in its start.
  if (owner.boot_id === host.bootId) return;
  if (owner.machine !== host.machine) {
    throw unsuitable(
      `${file} belongs to the machine "${owner.machine}", this is "${host.machine}"`,
      'An embedded store serves one machine. To coordinate several use etcd or ZooKeeper; if the file was moved here for good, or the machine was renamed, delete it.',
    );
  }
  db.exec(`
    delete from entry where session is not null;
    delete from place;
    delete from session;
    delete from change;
    update store set revision = revision + ${revisionsPerBoot}, compacted = revision + ${revisionsPerBoot}
  `);
  db.prepare('update store set boot_id = ?').run(host.bootId);
}

function pragma(db: DatabaseSync, name: 'application_id' | 'user_version'): number {
  return Object.values(db.prepare(`pragma ${name}`).get()!)[0] as number;
}

function unsuitable(message: string, hint: string): HoldfastError {
  return new HoldfastError('COORD_UNSUITABLE', message, { hint });
}
