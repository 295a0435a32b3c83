import { statfs } from 'node:fs/promises';
import { join } from 'node:path';
import type { EngineObservation } from '../../engine.ts';
import type { Member } from './member.ts';

/** How long space that was asked for counts. */
const spaceMs = 1_000;
/** Written but not flushed for so long, a commit of our own tells whether the disk still takes any. */
const unflushedMs = 1_000;
/** A commit that takes so long waits for a disk that stands still, or nearly so. */
const commitMs = 1_000;
const commitMsMax = 60_000;
/** The position for the next record lies beyond a page's header, which is flushed with the record (SizeOfXLogLongPHD, padded). */
const pageHeaderBytes = 40n;
const commit = "select pg_logical_emit_message(true, 'holdfast', '')";

type Impairment = NonNullable<EngineObservation['impairment']>;

/**
 * Whether the disk lets the server write, which its answers from memory do not show. Space is asked of the file systems of the data and of the
 * WAL: a primary that can not make its next segment panics. A disk that stands still shows in WAL that is not flushed; as an open transaction
 * leaves some, too, a commit tells the two apart. Nothing is written while nobody else writes.
 */
export class DiskWatch {
  readonly #member: Member;
  #space = { askedMs: Number.NEGATIVE_INFINITY, bytes: Infinity, asking: false };
  #flushed = { lsn: -1n, sinceMs: 0 };
  #commitBeganMs: number | undefined;

  constructor(member: Member) {
    this.#member = member;
  }

  /** As last known; asks anew in the background, as a file system may not answer. */
  space(segmentBytes: bigint): Impairment | undefined {
    const now = this.#now();
    if (!this.#space.asking && now - this.#space.askedMs >= spaceMs) this.#askSpace(now);
    return this.#space.bytes < Number(segmentBytes) ? 'full' : undefined;
  }

  /** Of a running primary. */
  flushing(insertedLsn: bigint, flushedLsn: bigint): Impairment | undefined {
    const now = this.#now();
    if (flushedLsn !== this.#flushed.lsn || insertedLsn - flushedLsn <= pageHeaderBytes) this.#flushed = { lsn: flushedLsn, sinceMs: now };
    if (this.#commitBeganMs === undefined && now - this.#flushed.sinceMs >= unflushedMs) this.#commit(now);
    return this.#commitBeganMs !== undefined && now - this.#commitBeganMs >= commitMs ? 'stalled' : undefined;
  }

  #askSpace(now: number): void {
    const { data } = this.#member.places;
    this.#space.asking = true;
    void Promise.all([statfs(data), statfs(join(data, 'pg_wal'))])
      .then((found) => Math.min(...found.map(({ bavail, bsize }) => bavail * bsize)))
      // What can not be asked is no evidence: the data may be away for a rejoin.
      .catch(() => Infinity)
      .then((bytes) => (this.#space = { askedMs: now, bytes, asking: false }));
  }

  #commit(now: number): void {
    this.#commitBeganMs = now;
    void this.#member.sessions
      .shared('committing')
      .then((session) => session.query(commit, { timeoutMs: commitMsMax }))
      // A server that ended, or has no connection left, says nothing of its disk.
      .catch(() => {})
      .finally(() => {
        this.#commitBeganMs = undefined;
        this.#flushed.sinceMs = this.#now();
      });
  }

  #now(): number {
    return this.#member.runtime.clock.monotonicMs();
  }
}

const words: Readonly<Record<Impairment, { readonly message: string; readonly hint: string }>> = {
  full: {
    message: 'The disk of its data is full: less than a segment of WAL is left',
    hint: 'Make space there; it goes on by itself then.',
  },
  stalled: { message: 'Its disk does not finish writing: commits hang', hint: 'Look at the disk of its data, and at the kernel log.' },
};

/** The part of an observation that tells of it; a failure that is known otherwise says more. */
export function impaired(impairment: Impairment | undefined): Pick<EngineObservation, 'impairment' | 'failure'> {
  if (impairment === undefined) return {};
  return { impairment, failure: { code: impairment === 'full' ? 'ENGINE_NO_SPACE' : 'ENGINE_NOT_ANSWERING', ...words[impairment] } };
}
