import type { Server, Stream } from './server.ts';
import type { WalRecord } from './wal.ts';

/** wal_retrieve_retry_interval */
const retryMs = 50;
const watchMs = 500;
/** wal_receiver_timeout */
const timeoutMs = 2_000;
const retransmitMs = 150;

/** A replica's end of a stream: connects, receives, flushes, and says how far it has flushed. */
export class Receiver {
  readonly #server: Server;
  readonly upstream: string;
  stream: Stream | undefined;
  #arrived: WalRecord[] = [];
  #flushing = false;
  #unreachableSinceMs: number | undefined;
  #confirmsMs = 0;

  constructor(server: Server, upstream: string) {
    this.#server = server;
    this.upstream = upstream;
    this.#connect();
  }

  get streaming(): boolean {
    return this.stream !== undefined;
  }

  /** What has come and is not flushed. */
  get unflushed(): readonly WalRecord[] {
    return this.#arrived;
  }

  get #isInUse(): boolean {
    return this.#server.alive && this.#server.receiver === this;
  }

  arrive(stream: Stream, batch: readonly WalRecord[]): void {
    if (this.stream !== stream || !this.#isInUse) return;
    this.#arrived.push(...batch);
    if (this.#flushing) return;
    this.#flushing = true;
    this.#server.after(this.#server.database.world.between(0.25, 1) * this.#server.database.flushMsMax, () => {
      this.#flushing = false;
      if (this.#isInUse) this.flush();
    });
  }

  /** Writes down what has come, and says so to the sender. */
  flush(): void {
    const records = this.#arrived;
    this.#arrived = [];
    if (records.length === 0) return;
    this.#server.received(records);
    this.#confirm();
  }

  /** Ends it; what has come is flushed. What the sender was told before lies within that. */
  end(): void {
    this.flush();
    const { stream } = this;
    this.stream = undefined;
    this.#server.receiver = undefined;
    if (stream === undefined) return;
    const { world, node } = this.#server.database;
    const travel = world.network.travel(node, stream.from.database.node);
    if (travel !== 'lost') stream.from.after(travel, () => senderOf(stream)?.drop());
  }

  #confirm(): void {
    const { stream } = this;
    if (stream === undefined || !this.#isInUse) return;
    const { world, node } = this.#server.database;
    const end = this.#server.data.end;
    const travel = world.network.travel(node, stream.from.database.node);
    if (travel === 'lost') {
      this.#server.after(retransmitMs, () => {
        if (this.stream === stream) this.#confirm();
      });
      return;
    }
    world.observer.confirmed(node, stream.from.database.node);
    const now = stream.from.clock.monotonicMs();
    this.#confirmsMs = Math.max(this.#confirmsMs + 0.001, now + travel);
    stream.from.after(this.#confirmsMs - now, () => senderOf(stream)?.confirmed(end));
  }

  #connect(): void {
    this.#server.after(this.#server.database.world.between(1, retryMs), () => {
      if (!this.#isInUse || this.stream !== undefined) return;
      this.flush();
      const stream = this.#dial();
      if (stream === undefined) return this.#connect();
      this.stream = stream;
      this.#unreachableSinceMs = undefined;
      stream.from.accept(stream);
      this.#watch();
    });
  }

  #dial(): Stream | undefined {
    const { world, node } = this.#server.database;
    const from = world.database(this.upstream).server;
    if (from === undefined || !from.accepting || from.clock.stalled || !world.network.isOpen(node, this.upstream)) return undefined;
    const { data } = this.#server;
    if (from === this.#server || from.data.systemId !== data.systemId || !from.data.continues(data.wal)) return undefined;
    data.timelineKnown = Math.max(data.timelineKnown, from.data.timeline);
    return { from, to: this.#server };
  }

  #watch(): void {
    this.#server.after(watchMs, () => {
      const { stream } = this;
      if (!this.#isInUse || stream === undefined) return;
      const { world, node } = this.#server.database;
      const now = this.#server.clock.monotonicMs();
      const reachable = world.network.isOpen(node, this.upstream);
      if (reachable && !stream.from.clock.stalled) this.#unreachableSinceMs = undefined;
      else this.#unreachableSinceMs ??= now;
      const reset = reachable && senderOf(stream) === undefined;
      const late = this.#unreachableSinceMs !== undefined && now - this.#unreachableSinceMs > timeoutMs;
      if (!reset && !late) return this.#watch();
      this.stream = undefined;
      this.#connect();
    });
  }
}

function senderOf(stream: Stream): ReturnType<Stream['from']['senders']['get']> {
  const sender = stream.from.alive ? stream.from.senders.get(stream.to.database.node) : undefined;
  return sender?.stream === stream ? sender : undefined;
}
