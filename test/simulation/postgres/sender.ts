import type { Server, Stream } from './server.ts';

/** TCP tries again what the network lost. */
const retransmitMs = 150;
/** wal_sender_timeout: a replica that could not be reached for so long is let go. */
const timeoutMs = 2_000;
/** Between two messages of one connection, so that they stay in order. */
const orderMs = 0.001;
const watchMs = 500;

/** A primary's (or cascading replica's) end of a stream: sends what is flushed, hears what the other has flushed. */
export class Sender {
  readonly #server: Server;
  readonly stream: Stream;
  /** Up to where the replica said that it has flushed. */
  flushed: number;
  /** How many records were sent. */
  #sent: number;
  #arrivesMs = 0;
  #stuck = false;
  #unreachableSinceMs: number | undefined;

  constructor(server: Server, stream: Stream) {
    this.#server = server;
    this.stream = stream;
    this.#sent = stream.to.data.wal.length;
    this.flushed = stream.to.data.end;
    this.#watch();
  }

  get isOpen(): boolean {
    return this.#server.alive && this.#server.senders.get(this.stream.to.database.node) === this;
  }

  send(): void {
    const { wal } = this.#server.data;
    if (this.#stuck || this.#sent >= wal.length || !this.isOpen) return;
    const { world, node } = this.#server.database;
    const travel = world.network.travel(node, this.stream.to.database.node);
    if (travel === 'lost') {
      this.#stuck = true;
      this.#server.after(retransmitMs, () => {
        this.#stuck = false;
        this.send();
      });
      return;
    }
    const batch = wal.slice(this.#sent);
    this.#sent = wal.length;
    const { to } = this.stream;
    const now = to.clock.monotonicMs();
    this.#arrivesMs = Math.max(this.#arrivesMs + orderMs, now + travel);
    to.after(this.#arrivesMs - now, () => to.receiver?.arrive(this.stream, batch));
  }

  /** The replica's word. */
  confirmed(end: number): void {
    if (!this.isOpen) return;
    this.flushed = Math.max(this.flushed, end);
    this.#server.release();
  }

  drop(): void {
    if (this.isOpen) this.#server.senders.delete(this.stream.to.database.node);
  }

  #watch(): void {
    this.#server.after(watchMs, () => {
      if (!this.isOpen) return;
      const { world, node } = this.#server.database;
      const { to } = this.stream;
      const now = this.#server.clock.monotonicMs();
      const reachable = world.network.isOpen(node, to.database.node);
      // Whoever is reached, and does not live any more or has hung up, answers with a reset.
      if (reachable && (!to.alive || to.receiver?.stream !== this.stream)) return this.drop();
      if (reachable && !to.clock.stalled) this.#unreachableSinceMs = undefined;
      else this.#unreachableSinceMs ??= now;
      if (this.#unreachableSinceMs !== undefined && now - this.#unreachableSinceMs > timeoutMs) this.drop();
      else this.#watch();
    });
  }
}
