import { hasCode, HoldfastError } from '../../core/errors.ts';
import { formatLsn, parseSegmentName } from '../../core/lsn.ts';
import { parseHistory, type TimelineHistory } from '../../core/timeline.ts';
import type { Location } from '../../storage/location.ts';
import type { SealingKey } from '../crypto/seal.ts';
import { decideReach, type Reach, type WalPosition, type WalRange } from './coverage.ts';
import { decodePart, type JournalPart } from './journal-part.ts';
import { historyKey, journalPrefix, parseJournalKey, partKey } from './journal-key.ts';

/** Parts that are kept decoded: those of the segment that is put together now. */
const decodedPartsMax = 4;
const historyBytesMax = 1024 * 1024;

/** What is stored of one database's WAL, as the files that PostgreSQL's recovery asks for by `restore_command`. */
export class WalFiles {
  readonly #location: Location;
  readonly #key: SealingKey;
  readonly #service: string;
  readonly #systemId: string;
  readonly #segmentBytes: number;
  readonly #ranges: readonly WalRange[];
  readonly #histories: ReadonlyMap<number, string>;
  readonly #decoded = new Map<WalRange, Promise<Uint8Array>>();

  private constructor(
    from: { location: Location; key: SealingKey; service: string; systemId: string; segmentBytes: number },
    ranges: readonly WalRange[],
    histories: ReadonlyMap<number, string>,
  ) {
    this.#location = from.location;
    this.#key = from.key;
    this.#service = from.service;
    this.#systemId = from.systemId;
    this.#segmentBytes = from.segmentBytes;
    this.#ranges = ranges;
    this.#histories = histories;
  }

  /** Lists what is stored now. */
  static async open(
    from: { location: Location; key: SealingKey; service: string; systemId: string; segmentBytes: number },
    { signal }: { signal: AbortSignal },
  ): Promise<WalFiles> {
    const ranges: WalRange[] = [];
    const histories = new Map<number, string>();
    for await (const { key, sizeBytes } of from.location.list(journalPrefix(from.service, from.systemId), { signal })) {
      const found = parseJournalKey(from.service, key);
      if (found?.kind === 'part') ranges.push(found.range);
      if (found?.kind === 'history' && sizeBytes <= historyBytesMax) histories.set(found.timeline, '');
    }
    for (const timeline of histories.keys()) {
      const bytes = await from.location.get(historyKey(from.service, from.systemId, timeline), { signal });
      histories.set(timeline, Buffer.from(bytes).toString('utf8'));
    }
    return new WalFiles(from, ranges, histories);
  }

  /** The newest timeline of which anything is stored; undefined when nothing is. */
  get newestTimeline(): number | undefined {
    const all = [...this.#ranges.map(({ timeline }) => timeline), ...this.#histories.keys()];
    return all.length === 0 ? undefined : Math.max(...all);
  }

  /** @throws BACKUP_UNREACHABLE when its history is not stored */
  historyOf(timeline: number): TimelineHistory {
    const text = this.#histories.get(timeline);
    if (text !== undefined) return parseHistory(timeline, text);
    if (timeline === 1) return { timeline, ancestors: [] };
    throw new HoldfastError('BACKUP_UNREACHABLE', `the history of timeline ${timeline} is not stored, so nobody knows where it begins`, {
      hint: `Stored are those of ${[1, ...this.#histories.keys()].join(', ')}: name one of them as the target's timeline.`,
    });
  }

  reach(from: WalPosition, timeline: number): Reach {
    return decideReach(this.#ranges, this.historyOf(timeline), from);
  }

  /** When the server sent what is stored just before a position, by its clock, in ms since 1970: all that was committed earlier lies before it too. */
  async sentMs({ timeline, lsn }: WalPosition, { signal }: { signal: AbortSignal }): Promise<number | undefined> {
    const part = this.#partAt(timeline, lsn - 1n);
    return part === undefined ? undefined : (await this.#read(part, signal)).sentMs;
  }

  /**
   * A file by its name, as recovery asks for it: a segment, always of full size, zeros after the end of what is stored, which recovery takes for the
   * end; or a timeline's history. Undefined when there is none.
   * @throws BACKUP_DAMAGED, BACKUP_UNREACHABLE when the middle of a segment is missing
   */
  async file(name: string, { signal }: { signal: AbortSignal }): Promise<Uint8Array | undefined> {
    const [, timeline] = /^([0-9A-F]{8})\.history$/.exec(name) ?? [];
    if (timeline !== undefined) {
      const text = this.#histories.get(Number.parseInt(timeline, 16));
      return text === undefined ? undefined : Buffer.from(text, 'utf8');
    }
    const segment = parseSegmentName(name, BigInt(this.#segmentBytes));
    return segment === undefined ? undefined : await this.#segment(segment, signal);
  }

  async #segment(begin: WalPosition, signal: AbortSignal): Promise<Uint8Array | undefined> {
    if (begin.timeline !== 1 && !this.#histories.has(begin.timeline)) return undefined;
    const end = begin.lsn + BigInt(this.#segmentBytes);
    const pieces = this.#piecesOf(begin, end);
    if (!pieces.some(({ part }) => part?.timeline === begin.timeline)) return undefined;
    const bytes = new Uint8Array(this.#segmentBytes);
    for (const { part, start, end: until } of pieces) {
      if (part === undefined) continue;
      const wal = await this.#wal(part, signal);
      bytes.set(wal.subarray(Number(start - part.start), Number(until - part.start)), Number(start - begin.lsn));
    }
    return bytes;
  }

  /** The parts that make up the bytes from `begin` to `end` of a timeline, those before its beginning taken from its ancestors. */
  #piecesOf(begin: WalPosition, end: bigint): { part: WalRange | undefined; start: bigint; end: bigint }[] {
    const { ancestors } = this.historyOf(begin.timeline);
    const pieces: { part: WalRange | undefined; start: bigint; end: bigint }[] = [];
    let at = begin.lsn;
    while (at < end) {
      const owner = ancestors.find((ancestor) => at < ancestor.end);
      const ownerEnd = owner === undefined || owner.end > end ? end : owner.end;
      const part = this.#partAt(owner?.timeline ?? begin.timeline, at);
      if (part === undefined) {
        this.#refuseHole(begin, at, end);
        break;
      }
      const until = part.end < ownerEnd ? part.end : ownerEnd;
      pieces.push({ part, start: at, end: until });
      at = until;
    }
    return pieces;
  }

  /** The one that reaches furthest, so that few are read. */
  #partAt(timeline: number, lsn: bigint): WalRange | undefined {
    let best: WalRange | undefined;
    for (const range of this.#ranges) {
      if (range.timeline !== timeline || range.start > lsn || range.end <= lsn) continue;
      if (best === undefined || range.end > best.end) best = range;
    }
    return best;
  }

  /** Zeros in the middle would end the recovery quietly, before what is stored behind them. */
  #refuseHole(begin: WalPosition, at: bigint, end: bigint): void {
    const behind = this.#ranges.find(({ timeline, start }) => timeline === begin.timeline && start > at && start < end);
    if (behind === undefined || at === begin.lsn) return;
    throw new HoldfastError(
      'BACKUP_UNREACHABLE',
      `WAL from ${formatLsn(at)} to ${formatLsn(behind.start)} of timeline ${begin.timeline} is not stored`,
      { hint: 'A point before it can be reached, or one after a later base backup.' },
    );
  }

  #wal(range: WalRange, signal: AbortSignal): Promise<Uint8Array> {
    const known = this.#decoded.get(range);
    if (known !== undefined) return known;
    const wal = this.#read(range, signal).then((part) => part.wal);
    this.#decoded.set(range, wal);
    wal.catch(() => this.#decoded.delete(range));
    for (const [oldest] of this.#decoded) {
      if (this.#decoded.size <= decodedPartsMax) break;
      this.#decoded.delete(oldest);
    }
    return wal;
  }

  async #read(range: WalRange, signal: AbortSignal): Promise<JournalPart> {
    const key = partKey(this.#service, this.#systemId, range);
    try {
      const sealed = await this.#location.get(key, { signal });
      return decodePart(sealed, { service: this.#service, systemId: this.#systemId, range, key }, this.#key);
    } catch (error) {
      if (!hasCode(error, 'STORAGE_NOT_FOUND')) throw error;
      throw new HoldfastError('BACKUP_UNREACHABLE', `the journal's part '${key}' was there a moment ago and is gone`, { cause: error });
    }
  }
}
