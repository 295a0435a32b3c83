import type { Clock } from '../../core/clock.ts';
import { HoldfastError } from '../../core/errors.ts';
import { formatLsn } from '../../core/lsn.ts';
import type { WalEvent, WalIdentity, WalMoment, WalPlace, WalReader, WalRun, WalSource, WalStream } from '../../core/wal-source.ts';

const answerMs = 1;
const messageBytes = 1_000;

/** A database's WAL in a simulation: every byte follows from its timeline and place, so that what was stored can be judged. */
export class SimulatedWal implements WalSource {
  readonly systemId = '7000000000000000001';
  readonly segmentBytes = 4_096;
  readonly #clock: Clock;
  /** Where each timeline ended, oldest first; the present one has no end. */
  readonly ended: { readonly timeline: number; readonly end: bigint }[] = [];
  timeline = 1;
  lsn: bigint;
  /** Nothing before it is kept. */
  keptFrom: bigint;
  confirmed = 0n;
  /** Streams that somebody has, and that anybody has had. */
  streams = 0;
  opened = 0;
  /** How often its time was asked for, and WAL read of it. */
  asked = 0;
  reads = 0;
  /** Of the server's clock, to that of the simulation. */
  clockOffsetMs = 0;
  /** Streams fail while it is true. */
  away = false;
  #moved = Promise.withResolvers<void>();

  constructor(clock: Clock, lsn = 10_000n) {
    this.#clock = clock;
    this.lsn = lsn;
    this.keptFrom = lsn - (lsn % 4_096n);
  }

  write(bytes: number): void {
    this.lsn += BigInt(bytes);
    this.#change();
  }

  /** A new primary begins `back` bytes before the end of what the old one wrote, but not before the old one's beginning. */
  promote(timeline: number, back = 0): void {
    const begin = this.ended.at(-1)?.end ?? this.keptFrom;
    const lsn = this.lsn - BigInt(back);
    this.lsn = lsn > begin ? lsn : begin;
    this.ended.push({ timeline: this.timeline, end: this.lsn });
    this.timeline = timeline;
    this.#change();
  }

  cut(): void {
    this.away = true;
    this.#change();
  }

  /** The byte at a place, as the timeline has it that owns the place. */
  byteAt(lsn: bigint, timeline = this.timeline): number {
    const owner = this.ended.find((one) => lsn < one.end && one.timeline <= timeline)?.timeline ?? timeline;
    return (Number(lsn) * 31 + owner * 97) % 251;
  }

  async identify({ signal }: { readonly signal: AbortSignal }): Promise<WalIdentity> {
    await this.#turn(signal);
    return { systemId: this.systemId, timeline: this.timeline, lsn: this.lsn, segmentBytes: this.segmentBytes };
  }

  async history(timeline: number, { signal }: { readonly signal: AbortSignal }): Promise<string> {
    await this.#turn(signal);
    return this.ended
      .filter((one) => one.timeline < timeline)
      .map((one) => `${one.timeline}\t${formatLsn(one.end)}\tsimulated\n`)
      .join('');
  }

  async moment({ signal }: { readonly signal: AbortSignal }): Promise<WalMoment> {
    this.asked++;
    await this.#turn(signal);
    return { timeMs: this.#clock.wallMs() + this.clockOffsetMs, position: { timeline: this.timeline, lsn: this.lsn } };
  }

  async stream(from: WalPlace, { signal }: { readonly signal: AbortSignal }): Promise<WalStream> {
    await this.#turn(signal);
    this.#assertKept(from);
    let at = from.lsn;
    let isOpen = true;
    this.streams++;
    this.opened++;
    const next = async (): Promise<WalEvent> => {
      for (;;) {
        await this.#turn(signal);
        const { end, next: following } = this.#endOf(from.timeline);
        if (at < end) {
          const lsn = at;
          const bytes = this.#bytes({ timeline: from.timeline, lsn }, Math.min(messageBytes, Number(end - at)));
          at += BigInt(bytes.byteLength);
          return { kind: 'bytes', lsn, bytes };
        }
        if (following !== undefined) return { kind: 'switch', next: following, lsn: end };
        await Promise.race([this.#moved.promise, this.#clock.sleep(10_000, signal)]);
      }
    };
    const close = async (): Promise<void> => {
      if (isOpen) this.streams--;
      isOpen = false;
    };
    return { next, confirm: (lsn) => this.#confirm(lsn), [Symbol.asyncDispose]: close };
  }

  async reader({ lsn }: WalPlace, { signal: opening }: { readonly signal: AbortSignal }): Promise<WalReader> {
    await this.#turn(opening);
    this.#confirm(lsn);
    const read: WalReader['read'] = async (from, { until, sizeBytesMax, signal }): Promise<WalRun> => {
      this.reads++;
      await this.#turn(signal);
      this.#assertKept(from);
      const branch = this.#endOf(from.timeline);
      if (from.lsn > branch.end) throw new HoldfastError('ENGINE_UPSTREAM_REFUSED', `${from.lsn} is in no history`, { retryable: true });
      const end = from.timeline === until.timeline ? until.lsn : branch.end;
      const bytes = this.#bytes(from, Math.min(sizeBytesMax, Number(end - from.lsn)));
      const isAtEnd = from.timeline !== until.timeline && from.lsn + BigInt(bytes.byteLength) === end;
      return { bytes, ...(isAtEnd && branch.next !== undefined && { next: branch.next }) };
    };
    const confirm: WalReader['confirm'] = async (confirmed, { signal }) => {
      await this.#turn(signal);
      this.#confirm(confirmed);
    };
    return { read, confirm };
  }

  #assertKept({ lsn }: WalPlace): void {
    if (lsn < this.keptFrom) throw new HoldfastError('ENGINE_WAL_GONE', `no WAL from ${lsn}`);
  }

  #confirm(lsn: bigint): void {
    if (lsn > this.confirmed) this.confirmed = lsn;
  }

  #bytes({ timeline, lsn }: WalPlace, size: number): Uint8Array {
    return Uint8Array.from({ length: size }, (_, index) => this.byteAt(lsn + BigInt(index), timeline));
  }

  /** Where a timeline ends, so far; and which one follows, once it has ended. */
  #endOf(timeline: number): { readonly end: bigint; readonly next?: number } {
    const index = this.ended.findIndex((one) => one.timeline === timeline);
    const branch = this.ended[index];
    return branch === undefined ? { end: this.lsn } : { end: branch.end, next: this.ended[index + 1]?.timeline ?? this.timeline };
  }

  async #turn(signal: AbortSignal): Promise<void> {
    await this.#clock.sleep(answerMs, signal);
    if (this.away) throw new HoldfastError('ENGINE_UPSTREAM_UNREACHABLE', 'away', { retryable: true });
  }

  #change(): void {
    this.#moved.resolve();
    this.#moved = Promise.withResolvers();
  }
}
