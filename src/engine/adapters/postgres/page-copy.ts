import { constants } from 'node:fs';
import { lstat, mkdir, open, readFile, rm, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Account } from '../../../core/processes.ts';
import { give, walk } from './durable-tree.ts';
import { isPageIntact } from '../../../core/page-checksum.ts';
import { tablespaceLinks } from './tablespaces.ts';
import { pageLsn, sha256, type FilePart, type SourceFile, type SourceFiles } from './source-files.ts';

/** Read and asked for at once; a relation's segment file is 1 GiB. */
const batchBytesMax = 4 * 1024 * 1024;
const batchFilesMax = 512;

/** What is each member's own, or worthless in a copy (sendDir of basebackup.c leaves out the same, but for the configuration). */
const leftAlone =
  /^(postgresql\.conf|postgresql\.auto\.conf|pg_hba\.conf|pg_ident\.conf|holdfast.*|log(\/.*)?|postmaster\.(pid|opts)|standby\.signal|recovery\.signal|backup_label.*|tablespace_map.*|backup_manifest.*|current_logfiles.*|pg_wal(\/.*)?|global\/pg_control.*)$/;
const emptied =
  /^(pg_replslot|pg_dynshmem|pg_notify|pg_serial|pg_snapshots|pg_stat_tmp|pg_subtrans)\/.+$|(^|\/)(pgsql_tmp[^/]*|pg_internal\.init[^/]*|t\d+_\d+[^/]*)(\/.*)?$/;
/** Larger files than this (no part of PostgreSQL makes such) are copied without a look at what is here. */
const hashedBytesMax = 64 * 1024 * 1024;
/** Main fork of a relation: only there every change of a page sets its LSN. Its parts: database, in base or elsewhere, file node, segment. */
const mainFork = /^(?:base\/(\d+)|global|pg_tblspc\/\d+\/PG_[^/]+\/(\d+))\/(\d+)(?:\.(\d+))?$/;

export interface CopyOptions {
  readonly data: string;
  readonly account: Account | undefined;
  readonly source: SourceFiles;
  /** Pages changed at or after this, here or there, are copied. */
  readonly since: bigint;
  /** Databases of which everything is copied. */
  readonly databases: readonly number[];
  readonly pageBytes: number;
  /** Name of this version's directory in a tablespace (TABLESPACE_VERSION_DIRECTORY); others may share the place. */
  readonly tablespaceDirectory: string;
}

export interface CopyResult {
  readonly readBytes: number;
  readonly copiedBytes: number;
}

/**
 * Makes the files here what they are on the source, where that is in backup mode and both were the same at `since` (see rejoin.ts for why
 * that suffices). Idempotent.
 */
export async function copyDifferences(options: CopyOptions): Promise<CopyResult> {
  const listed = (await options.source.list()).filter(({ path }) => isCopied(path, options));
  await removeOthers(options, new Set(listed.map(({ path }) => path)));
  for (const { path, isDirectory } of listed) if (isDirectory) await makeDirectory(join(options.data, path), options.account);
  const files = listed.filter(({ isDirectory }) => !isDirectory);
  const copier = new Copier(options);
  for (const batch of inBatches(files.filter(({ path }) => !mainFork.test(path)))) await copier.copyWhole(batch);
  for (const batch of inBatches(files.filter(({ path }) => mainFork.test(path)).flatMap(inParts))) await copier.copyPages(batch);
  return copier;
}

function isCopied(path: string, options: CopyOptions): boolean {
  return !leftAlone.test(path) && !emptied.test(path) && !isOthers(path, options);
}

/** In a tablespace's place, but not of this server. */
function isOthers(path: string, { tablespaceDirectory }: CopyOptions): boolean {
  const name = /^pg_tblspc\/\d+\/([^/]+)/.exec(path)?.[1];
  return name !== undefined && name !== tablespaceDirectory;
}

class Copier implements CopyResult {
  readBytes = 0;
  copiedBytes = 0;
  readonly #options: CopyOptions;

  constructor(options: CopyOptions) {
    this.#options = options;
  }

  /** Those whose hash differs. */
  async copyWhole(files: readonly SourceFile[]): Promise<void> {
    const { source, data } = this.#options;
    const differing = files.filter(({ sizeBytes }) => sizeBytes > hashedBytesMax);
    const compared = files.filter(({ sizeBytes }) => sizeBytes <= hashedBytesMax);
    const hashes = await source.hashes(compared);
    for (const [index, file] of compared.entries()) {
      this.readBytes += file.sizeBytes;
      const path = join(data, file.path);
      const here = await lstat(path).catch(() => undefined);
      const same = here?.isFile() === true && here.size === file.sizeBytes && sha256(await readFile(path)) === hashes[index];
      if (!same) differing.push(file);
    }
    for (const batch of inBatches(differing.flatMap(inParts))) {
      const contents = await source.read(batch);
      for (const [index, part] of batch.entries()) await this.#write(part, contents[index], true);
    }
  }

  async copyPages(parts: readonly FilePart[]): Promise<void> {
    const { source, pageBytes } = this.#options;
    const theirs = await source.pageLsns(parts, pageBytes);
    const runs: FilePart[] = [];
    for (const [index, part] of parts.entries()) {
      this.readBytes += part.sizeBytes;
      const lsns = theirs[index];
      if (lsns === undefined) await rm(join(this.#options.data, part.path), { force: true });
      else runs.push(...(await this.#differingRuns(part, lsns)));
    }
    for (const batch of inBatches(runs)) {
      const contents = await source.read(batch);
      for (const [index, run] of batch.entries()) await this.#write(run, contents[index], false);
    }
  }

  /** Adjacent pages that differ, or may, as one part each. Also cuts the file here where it ends there. */
  async #differingRuns(part: FilePart, lsns: BigUint64Array): Promise<FilePart[]> {
    const { pageBytes } = this.#options;
    await using file = await this.#open(part.path);
    const here = Buffer.alloc(lsns.length * pageBytes);
    const { bytesRead } = await file.read(here, 0, here.length, part.at);
    const end = part.at + here.length;
    if ((part.isLast === true || here.length < part.sizeBytes) && (await file.stat()).size > end) await file.truncate(end);
    const runs: { path: string; at: number; sizeBytes: number }[] = [];
    for (const [index, theirs] of lsns.entries()) {
      const offset = index * pageBytes;
      const at = part.at + offset;
      const page = here.subarray(offset, offset + pageBytes);
      if (offset + pageBytes <= bytesRead && this.#isSame(part.path, page, at, theirs)) continue;
      const last = runs.at(-1);
      if (last !== undefined && last.at + last.sizeBytes === at) last.sizeBytes += pageBytes;
      else runs.push({ path: part.path, at, sizeBytes: pageBytes });
    }
    return runs;
  }

  /** Old on both sides, and whole here: then it is what both had in common. A new (empty) page has no LSN to tell by. */
  #isSame(path: string, page: Buffer, at: number, theirs: bigint): boolean {
    const { since, pageBytes, databases } = this.#options;
    const [, database, elsewhere, , segment = '0'] = mainFork.exec(path)!;
    if (databases.includes(Number(database ?? elsewhere ?? 0))) return false;
    const ours = pageLsn(page, 0);
    if (theirs >= since || ours >= since) return false;
    if (theirs === 0n || ours === 0n) return theirs === ours && page.every((byte) => byte === 0);
    const blocksPerSegment = (1024 * 1024 * 1024) / pageBytes;
    return isPageIntact(page, Number(segment) * blocksPerSegment + at / pageBytes);
  }

  async #write(part: FilePart, content: Buffer | undefined, whole: boolean): Promise<void> {
    const path = join(this.#options.data, part.path);
    // It went after it was listed: what removed it is in the WAL that will be replayed.
    if (content === undefined) return await rm(path, { force: true });
    await using file = await this.#open(part.path);
    if (whole && part.at === 0) await file.truncate(0);
    for (let at = 0; at < content.length;) at += (await file.write(content, at, content.length - at, part.at + at)).bytesWritten;
    this.copiedBytes += content.length;
  }

  async #open(path: string): Promise<FileHandle> {
    const file = await open(join(this.#options.data, path), constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
    const { account } = this.#options;
    if (account !== undefined) await file.chown(account.uid, account.gid);
    return file;
  }
}

/** Removes what is here and not there, and what is worth nothing in a copy. */
async function removeOthers(options: CopyOptions, wanted: ReadonlySet<string>): Promise<void> {
  // Links are not walked through, so what is behind them comes first.
  for (const root of [...(await tablespaceLinks(options.data)), '']) {
    for await (const entry of walk(join(options.data, root, '/'))) {
      const path = entry.path.slice(options.data.length + 1);
      if (leftAlone.test(path) || isOthers(path, options) || (wanted.has(path) && !emptied.test(path))) continue;
      await rm(entry.path, { recursive: true, force: true });
    }
  }
}

async function makeDirectory(path: string, account: Account | undefined): Promise<void> {
  const found = await lstat(path).catch(() => undefined);
  if (found?.isDirectory() === true || found?.isSymbolicLink() === true) return;
  await rm(path, { force: true });
  await makeDirectory(dirname(path), account);
  await mkdir(path, { mode: 0o700 });
  await give(path, account);
}

function inParts(file: SourceFile): FilePart[] {
  const count = Math.max(1, Math.ceil(file.sizeBytes / batchBytesMax));
  return Array.from({ length: count }, (_, index) => {
    const at = index * batchBytesMax;
    return { path: file.path, at, sizeBytes: Math.min(batchBytesMax, file.sizeBytes - at), isLast: index === count - 1 };
  });
}

/** In their order, a bounded amount at once. */
function* inBatches<T extends { sizeBytes: number }>(items: Iterable<T>): Generator<T[]> {
  let batch: T[] = [];
  let bytes = 0;
  for (const item of items) {
    if (batch.length > 0 && (bytes + item.sizeBytes > batchBytesMax || batch.length === batchFilesMax)) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(item);
    bytes += item.sizeBytes;
  }
  if (batch.length > 0) yield batch;
}
