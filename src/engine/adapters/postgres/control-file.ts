import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { HoldfastError } from '../../../core/errors.ts';
import { crc32c } from './crc32c.ts';

/** DBState of pg_control.h, by number. */
const states = [
  'starting',
  'shut down',
  'shut down in recovery',
  'shutting down',
  'in crash recovery',
  'in archive recovery',
  'in production',
] as const;

/** What a data directory says of itself, without a server. */
export interface ControlFile {
  /** Decimal text: it exceeds a number's precision. */
  readonly systemId: string;
  /** Version of the system catalogs, part of the names of directories in tablespaces. */
  readonly catalogVersion: number;
  readonly state: (typeof states)[number];
  /** Where the last checkpoint's record begins. */
  readonly checkpointLsn: bigint;
  /** Where recovery from that checkpoint begins. */
  readonly redoLsn: bigint;
  /** Timeline of that checkpoint. */
  readonly timeline: number;
  /** A replica's data is consistent only from here on; 0 for a primary's. */
  readonly minRecoveryLsn: bigint;
  readonly minRecoveryTimeline: number;
  /** Where the backup began that this data came from, until its end was replayed; else 0. */
  readonly backupStartLsn: bigint;
  readonly walLogHints: boolean;
  readonly checksums: boolean;
  readonly segmentBytes: bigint;
  readonly blockBytes: number;
  /** Settings of the primary that a hot standby must not fall below. */
  readonly standbyMinimums: Readonly<Record<(typeof minimumNames)[number], number>>;
}

const minimumNames = [
  'max_connections',
  'max_worker_processes',
  'max_wal_senders',
  'max_prepared_transactions',
  'max_locks_per_transaction',
] as const;

/** The name under which it waits while the data must not be used: nothing can start that without it. */
export const parkedControl = 'pg_control.rejoin';

/** Where the CRC is, by pg_control_version: 13 to 16, 17, 18 (which added default_char_signedness). */
const crcOffsets: Readonly<Record<number, number>> = { 1300: 288, 1700: 288, 1800: 292 };

/** Reading races with the server's writing of it, which is not atomic for readers. */
const readAttemptsMax = 5;

/**
 * Reads global/pg_control, also of a running server.
 * Format: ControlFileData of src/include/catalog/pg_control.h, PostgreSQL 14 to 18, little-endian 64-bit.
 * @throws ENGINE_DATA_DAMAGED
 */
export async function readControlFile(dataDirectory: string, name = 'pg_control'): Promise<ControlFile> {
  const path = join(dataDirectory, 'global', name);
  for (let attempt = 1; ; attempt += 1) {
    const parsed = parseControlFile(await readFile(path));
    if (typeof parsed !== 'string') return parsed;
    if (attempt === readAttemptsMax) {
      throw new HoldfastError('ENGINE_DATA_DAMAGED', `'${path}' ${parsed}`, {
        hint: 'Without its control file a data directory can not be used: move it aside and let this member be made anew (holdfast reinit), or restore it.',
      });
    }
  }
}

/** The content, or what is wrong with it. */
export function parseControlFile(bytes: Buffer): ControlFile | string {
  if (bytes.length < 296) return 'is too short to be a control file';
  const version = bytes.readUInt32LE(8);
  const crcOffset = crcOffsets[version];
  if (crcOffset === undefined) return `has format ${version}, which is none of PostgreSQL 14 to 18 on a little-endian machine`;
  if (crc32c(bytes.subarray(0, crcOffset)) !== bytes.readUInt32LE(crcOffset)) return 'does not match its checksum';
  return {
    systemId: bytes.readBigUInt64LE(0).toString(),
    catalogVersion: bytes.readUInt32LE(12),
    state: states[bytes.readUInt32LE(16)] ?? 'starting',
    checkpointLsn: bytes.readBigUInt64LE(32),
    redoLsn: bytes.readBigUInt64LE(40),
    timeline: bytes.readUInt32LE(48),
    minRecoveryLsn: bytes.readBigUInt64LE(136),
    minRecoveryTimeline: bytes.readUInt32LE(144),
    backupStartLsn: bytes.readBigUInt64LE(152),
    walLogHints: bytes[176] !== 0,
    standbyMinimums: Object.fromEntries(
      minimumNames.map((name, index) => [name, bytes.readInt32LE(180 + 4 * index)]),
    ) as ControlFile['standbyMinimums'],
    blockBytes: bytes.readUInt32LE(216),
    segmentBytes: BigInt(bytes.readUInt32LE(228)),
    checksums: bytes.readUInt32LE(252) !== 0,
  };
}
