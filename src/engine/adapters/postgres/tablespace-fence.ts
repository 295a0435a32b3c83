import { chown, mkdir, readdir, readlink, rmdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { HoldfastError } from '../../../core/errors.ts';
import { formatLsn, parseSegmentName } from '../../../core/lsn.ts';
import type { Account } from '../../../core/processes.ts';
import { contentsOf, type WalContents } from '../../../core/wal-contents.ts';
import { notInTheWay, tablespaceLinks } from './tablespaces.ts';
import { isIntact } from './wal-records.ts';

/** RM_TBLSPC_ID of rmgrlist.h, then the padding of XLogRecord: what a record about a tablespace has behind its kind. */
const manager = Buffer.from([5, 0, 0]);
const managerAt = 17;
const recordHeaderBytes = 24;
/** XLR_BLOCK_ID_DATA_SHORT, a length of one byte; …_LONG, of four. */
const [shortData, longData] = [255, 254];
const oidBytes = 4;
/** With a path of MAXPGPATH bytes. */
const recordBytesMax = recordHeaderBytes + 5 + oidBytes + 1024;
/** Segments whose end is remembered: recovery begins with two that need not follow each other. */
const endsMax = 4;

/** XLOG_TBLSPC_CREATE, as redo performs it (tblspc_redo of tablespace.c). */
export interface TablespaceMade {
  readonly lsn: bigint;
  /** Where the record before it begins. */
  readonly previous: bigint;
  readonly location: string;
}

/** All that is made within, in order; those that lie in the data directory, by allow_in_place_tablespaces, left out. */
export function findTablespacesMade({ bytes, lsnOf }: WalContents): TablespaceMade[] {
  const found: TablespaceMade[] = [];
  for (let at = bytes.indexOf(manager, managerAt); at >= 0; at = bytes.indexOf(manager, at + 1)) {
    const begin = at - managerAt;
    const location = locationIn(bytes.subarray(begin));
    const lsn = location ? lsnOf(begin) : 0n;
    if (location && lsn % 8n === 0n) found.push({ lsn, previous: bytes.readBigUInt64LE(begin + 8), location });
  }
  return found;
}

/** Of what begins with such a record; undefined when it does not. */
function locationIn(bytes: Buffer): string | undefined {
  const kind = bytes[managerAt - 1]! & 0xf0;
  if (kind !== 0 || bytes.length < recordHeaderBytes + 5) return undefined;
  const size = bytes.readUInt32LE(0);
  if (size > recordBytesMax || size > bytes.length) return undefined;
  const form = bytes[recordHeaderBytes];
  const dataAt = recordHeaderBytes + (form === shortData ? 2 : 5);
  const dataBytes = form === shortData ? bytes[recordHeaderBytes + 1]! : form === longData ? bytes.readUInt32LE(recordHeaderBytes + 1) : 0;
  if (dataBytes <= oidBytes || dataAt + dataBytes !== size) return undefined;
  const record = bytes.subarray(0, size);
  const end = record.indexOf(0, dataAt + oidBytes);
  return end >= 0 && isIntact(record) ? record.toString('utf8', dataAt + oidBytes, end) : undefined;
}

/**
 * Stands between a recovery and the directories of other databases. Recovery makes a tablespace that is younger than the base backup where it was,
 * and takes what is there already for its own: beside the database that it was copied from it would write into that one's files. So WAL is looked
 * at before recovery gets it, and ends where such a directory is not free.
 */
export class TablespaceFence implements AsyncDisposable {
  readonly #data: string;
  readonly #account: Account | undefined;
  readonly #segmentBytes: bigint;
  readonly #toTheEnd: boolean;
  /** By where the next segment begins: what may be the beginning of a record. */
  readonly #ends = new Map<bigint, Uint8Array>();
  readonly #free = new Set<string>();
  readonly #made: string[] = [];
  #refusal: HoldfastError | undefined;

  /** @param options.toTheEnd all of the WAL is to be replayed; else perhaps not what is refused */
  constructor(data: string, options: { readonly account: Account | undefined; readonly segmentBytes: bigint; readonly toTheEnd: boolean }) {
    this.#data = data;
    this.#account = options.account;
    this.#segmentBytes = options.segmentBytes;
    this.#toTheEnd = options.toTheEnd;
  }

  /** Why WAL was made to end early, if it was. */
  get refusal(): HoldfastError | undefined {
    return this.#refusal;
  }

  /** What recovery may have of a file. @throws ENGINE_TABLESPACE_IN_USE when it is to have all */
  async pass(name: string, bytes: Uint8Array): Promise<Uint8Array> {
    const segment = parseSegmentName(name, this.#segmentBytes);
    if (segment === undefined) return bytes;
    const contents = contentsOf(segment.lsn, bytes, this.#ends.get(segment.lsn) ?? new Uint8Array());
    this.#remember(segment.lsn + this.#segmentBytes, contents.bytes.subarray(-(recordBytesMax - 1)));
    for (const made of findTablespacesMade(contents)) {
      const inTheWay = await this.#inTheWay(made.location);
      if (inTheWay === undefined) continue;
      this.#refusal = inUse(made, inTheWay);
      if (this.#toTheEnd) throw this.#refusal;
      return Uint8Array.from(bytes).fill(0, Math.max(0, Number(made.lsn - segment.lsn)));
    }
    return bytes;
  }

  #remember(next: bigint, end: Uint8Array): void {
    this.#ends.delete(next);
    this.#ends.set(next, Uint8Array.from(end));
    for (const oldest of this.#ends.keys()) {
      if (this.#ends.size <= endsMax) break;
      this.#ends.delete(oldest);
    }
  }

  /** What is there that is not this recovery's; where nothing is, the directory is made ready. */
  async #inTheWay(location: string): Promise<string | undefined> {
    if (this.#free.has(location)) return undefined;
    const found = await this.#list(location);
    const inTheWay = found.find((name) => !notInTheWay.test(name));
    if (inTheWay !== undefined && !(await this.#isLinked(location))) return inTheWay;
    if (this.#account !== undefined && (await stat(location)).uid !== this.#account.uid)
      await chown(location, this.#account.uid, this.#account.gid);
    this.#free.add(location);
    return undefined;
  }

  async #list(location: string): Promise<string[]> {
    try {
      return await readdir(location);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
    const first = await mkdir(location, { recursive: true, mode: 0o755 });
    if (first !== undefined) this.#made.push(location);
    return [];
  }

  /** By a recovery that was cut off, or one of the base backup's that is dropped before. */
  async #isLinked(location: string): Promise<boolean> {
    const links = await tablespaceLinks(this.#data);
    const targets = await Promise.all(links.map((link) => readlink(join(this.#data, link)).catch(() => undefined)));
    return targets.includes(location);
  }

  /** What was made for WAL that was not replayed then goes. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const location of this.#made) await rmdir(location).catch(() => {});
  }
}

function inUse({ lsn, previous, location }: TablespaceMade, inTheWay: string): HoldfastError {
  return new HoldfastError(
    'ENGINE_TABLESPACE_IN_USE',
    `'${location}', where the WAL makes a tablespace at ${formatLsn(lsn)}, already holds ${inTheWay}: recovery would take that for its own`,
    {
      hint: `It was not touched, and the data were not opened. Choose a point before it (up to LSN ${formatLsn(previous)}), restore where that directory is free, or from a base backup that is younger than the tablespace and has it.`,
    },
  );
}
