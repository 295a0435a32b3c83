import type { Clock } from '../../core/clock.ts';
import type { LinkStatus, PeerLink } from '../../core/peer-network.ts';
import type { PeerConnection } from './connection.ts';
import type { Closing } from './wire.ts';

/** What is known of one peer, and the connections to it: one, or for a moment two when both sides dialled. */
export class Link {
  readonly address: string;
  readonly #self: string;
  readonly #clock: Clock;
  readonly #onChange: (link: Link) => void;
  #node: string | undefined;
  #status: LinkStatus = 'connecting';
  #sinceMs: number;
  #detail = '';
  #connections: readonly PeerConnection[] = [];
  #changed = Promise.withResolvers<void>();

  constructor(address: string, self: string, clock: Clock, onChange: (link: Link) => void) {
    this.address = address;
    this.#self = self;
    this.#clock = clock;
    this.#onChange = onChange;
    this.#sinceMs = clock.monotonicMs();
  }

  get node(): string | undefined {
    return this.#node;
  }

  /** The one to use: that dialled by the smaller name, which both sides agree upon; or the other while that is not there. */
  get current(): PeerConnection | undefined {
    return this.#connections.find((connection) => this.#isPreferred(connection)) ?? this.#connections[0];
  }

  /** Nothing is to be gained by dialling. */
  get settled(): boolean {
    const { current } = this;
    return current !== undefined && (this.#isPreferred(current) || !this.#oursIsPreferred(current.node));
  }

  /** Resolves at the next connection gained or lost, or attempt failed. */
  get changed(): Promise<void> {
    return this.#changed.promise;
  }

  view(): PeerLink {
    return { address: this.address, node: this.#node, status: this.#status, sinceMs: this.#sinceMs, detail: this.#detail };
  }

  /** A newer connection of the same direction replaces the older, which may be a dead one that nobody has noticed yet. */
  add(connection: PeerConnection): void {
    this.#node = connection.node;
    const [same, opposite] = [
      this.#connections.filter((other) => other.dialledByUs === connection.dialledByUs),
      this.#connections.filter((other) => other.dialledByUs !== connection.dialledByUs),
    ];
    this.#connections = [connection, ...opposite];
    for (const other of same) other.close({ status: 'reset', detail: 'replaced by a newer connection' });
    for (const other of this.#connections) if (other !== this.current) other.retire();
    this.#update('connected', '');
    void connection.closed.then((closing) => this.#remove(connection, closing));
  }

  /** Hands its connections to the link that turned out to be the configured one for that node. */
  moveTo(other: Link): void {
    const moved = this.#connections;
    this.#connections = [];
    this.#node = undefined;
    for (const connection of moved) other.add(connection);
  }

  /** An attempt to reach it failed. Says nothing as long as there is a connection. */
  failed(closing: Closing): void {
    if (this.#connections.length === 0) this.#update(closing.status, closing.detail);
    else this.#wake();
  }

  closeAll(closing: Closing): void {
    for (const connection of this.#connections) connection.close(closing);
    this.#wake();
  }

  #remove(connection: PeerConnection, closing: Closing): void {
    if (!this.#connections.includes(connection)) return;
    this.#connections = this.#connections.filter((other) => other !== connection);
    if (this.#connections.length === 0) this.#update(closing.status, closing.detail);
    else this.#wake();
  }

  #isPreferred(connection: PeerConnection): boolean {
    return connection.dialledByUs === this.#oursIsPreferred(connection.node);
  }

  #oursIsPreferred(node: string): boolean {
    return this.#self < node;
  }

  #update(status: LinkStatus, detail: string): void {
    const same = status === this.#status;
    if (!same) this.#sinceMs = this.#clock.monotonicMs();
    this.#status = status;
    this.#detail = detail;
    if (!same) this.#onChange(this);
    this.#wake();
  }

  #wake(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}
