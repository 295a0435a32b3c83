import assert from 'node:assert/strict';
import type { Acknowledgement } from '../../../src/engine/engine.ts';
import type { SimulatedClock } from '../../../src/sim/index.ts';
import type { Database } from './database.ts';
import { Receiver } from './receiver.ts';
import { Sender } from './sender.ts';
import { recordAfter, type DataDirectory, type WalRecord } from './wal.ts';

/** A connection by which one server receives from another. Each end finds out for itself that it is broken. */
export interface Stream {
  readonly from: Server;
  readonly to: Server;
}

export type WriteOutcome = 'acknowledged' | 'failed';

interface WaitingCommit {
  readonly record: WalRecord;
  readonly answer: (outcome: WriteOutcome, record: WalRecord) => void;
}

/** One run of the server's process, from its start to its end. Everything in it happens by its own clock: a stalled server does nothing. */
export class Server {
  readonly database: Database;
  readonly clock: SimulatedClock;
  readonly data: DataDirectory;
  role: 'primary' | 'replica';
  accepting = false;
  promoting = false;
  /** What commits wait for; null: for nobody. */
  rule: Acknowledgement | null = null;
  /** A change of rule is under way: backends may go by either. */
  ruleChanging = false;
  readonly senders = new Map<string, Sender>();
  receiver: Receiver | undefined;
  #unflushed: WalRecord[] = [];
  #flushing = false;
  #closing = false;
  #waiting: WaitingCommit[] = [];

  constructor(database: Database, data: DataDirectory, role: 'primary' | 'replica') {
    this.database = database;
    this.clock = database.world.machineClock(database.node);
    this.data = data;
    this.role = role;
  }

  get alive(): boolean {
    return this.database.server === this;
  }

  /** Runs later, if the process still lives then. */
  after(delayMs: number, work: () => void): void {
    this.clock.after(delayMs, () => {
      if (this.alive) work();
    });
  }

  // ------------------------------------------------------------ as a primary

  write(row: number, answer: (outcome: WriteOutcome, record?: WalRecord) => void): void {
    if (this.role !== 'primary' || !this.accepting || this.#closing) return answer('failed');
    const record = recordAfter(this.#unflushed.at(-1) ?? this.data.wal.at(-1), this.data.timeline, row);
    this.#unflushed.push(record);
    this.#waiting.push({ record, answer });
    this.#flushSoon();
  }

  /** Whether it answers a query now, by what it has. */
  read(): boolean {
    return this.role === 'primary' && this.accepting && !this.#closing;
  }

  /** A record of the server's own, flushed at once: the end of recovery, a shutdown. */
  mark(): void {
    this.#flush();
    this.data.wal.push(recordAfter(this.data.wal.at(-1), this.data.timeline));
    this.#sendOn();
  }

  /** Ends all sessions; what they waited for is never answered. */
  close(): void {
    this.#closing = true;
    this.#waiting = [];
    this.#flush();
  }

  isBehind(end: number): boolean {
    return [...this.senders.values()].some((sender) => sender.flushed < end);
  }

  #flushSoon(): void {
    if (this.#flushing) return;
    this.#flushing = true;
    this.after(this.database.world.between(0.25, 1) * this.database.flushMsMax, () => {
      this.#flushing = false;
      this.#flush();
    });
  }

  #flush(): void {
    this.data.wal.push(...this.#unflushed);
    this.#unflushed = [];
    this.#sendOn();
    this.release();
  }

  /** Lets every commit go that has what it waits for. */
  release(): void {
    while (this.#waiting.length > 0) {
      const { record, answer } = this.#waiting[0]!;
      if (record.end > this.data.end || !this.#isSatisfied(record)) return;
      this.#waiting.shift();
      this.database.world.observer.acknowledged(this.database.node, record, this.rule);
      answer('acknowledged', record);
    }
  }

  #isSatisfied(record: WalRecord): boolean {
    if (this.rule === null) return true;
    const flushed = this.rule.voters.filter((voter) => (this.senders.get(voter)?.flushed ?? 0) >= record.end);
    return flushed.length >= this.rule.k;
  }

  /** It dies. Of what it had written and not flushed the disk has some, from the beginning: nobody was told of that. */
  die(): void {
    const written = this.role === 'primary' ? this.#unflushed : (this.receiver?.unflushed ?? []);
    this.data.take(written.slice(0, Math.floor(this.database.world.between(0, written.length + 1))));
  }

  // ------------------------------------------------------------ replication

  /** A replica connects. */
  accept(stream: Stream): void {
    const node = stream.to.database.node;
    this.senders.get(node)?.drop();
    const sender = new Sender(this, stream);
    this.senders.set(node, sender);
    sender.send();
  }

  #sendOn(): void {
    for (const sender of this.senders.values()) sender.send();
  }

  /** What a replica has received is on its disk. */
  received(records: readonly WalRecord[]): void {
    assert.equal(records[0]?.index, this.data.wal.length, 'what is received goes on where the disk ends');
    this.data.take(records);
    this.data.fresh = false;
    this.#sendOn();
  }
}
