import type { LinkStatus, PeerNetwork } from '../core/peer-network.ts';
import type { Runtime } from '../core/runtime.ts';
import { Arrivals, defaultArrivalOptions } from '../detection/index.ts';
import { heartbeatSchema, type Heartbeat } from './messages.ts';

/** Peers remembered after they are gone, for the status. */
const PEERS_MAX = 256;

interface Peer {
  readonly node: string;
  readonly arrivals: Arrivals;
  status: LinkStatus;
  heartbeat: Heartbeat;
  /** What `heartbeat` was read from. */
  body: unknown;
  heardMs: number;
  /** When its `wallMs` came for the first time: a heartbeat that says nothing new repeats it. */
  stampedMs: number;
}

/** One peer's evidence and last words, as of now. */
export class PeerReport {
  readonly node: string;
  readonly status: LinkStatus;
  readonly silentMs: number;
  /** Age of `heartbeat.wallMs`. */
  readonly stampAgeMs: number;
  readonly heartbeat: Heartbeat;
  readonly #arrivals: Arrivals;
  readonly #nowMs: number;

  constructor(peer: Peer, nowMs: number) {
    this.node = peer.node;
    this.status = peer.status;
    this.silentMs = nowMs - peer.heardMs;
    this.stampAgeMs = nowMs - peer.stampedMs;
    this.heartbeat = peer.heartbeat;
    this.#arrivals = peer.arrivals;
    this.#nowMs = nowMs;
  }

  /** Computed when asked for: most who look at a report do not. */
  get phi(): number {
    return this.#arrivals.phi(this.#nowMs);
  }

  /** φ in so long, if nothing is heard until then. */
  phiIn(delayMs: number): number {
    return this.#arrivals.phi(this.#nowMs + delayMs);
  }

  get refused(): boolean {
    return this.status === 'refused';
  }
}

/** Hears the heartbeats of all peers and keeps what detection needs of them; shared by all services of an agent. */
export class Peers implements Disposable {
  readonly #network: PeerNetwork;
  readonly #runtime: Runtime;
  readonly #peers = new Map<string, Peer>();
  readonly #listeners = new Set<(node: string) => void>();
  readonly #links: Disposable;
  readonly #intervalMs: number;

  constructor(network: PeerNetwork, runtime: Runtime, options: { heartbeatMs: number }) {
    this.#network = network;
    this.#runtime = runtime;
    this.#intervalMs = options.heartbeatMs;
    network.handle('heartbeat', async (from, body) => this.#heard(from, body));
    this.#links = network.onLinkChange((link) => {
      const peer = link.node === undefined ? undefined : this.#peers.get(link.node);
      if (peer === undefined) return;
      peer.status = link.status;
      if (link.status === 'connected') peer.arrivals.reconnected(this.#runtime.clock.monotonicMs());
      this.#notify(peer.node);
    });
  }

  get network(): PeerNetwork {
    return this.#network;
  }

  /** Called when a peer said something new or its link changed. */
  onChange(listener: (node: string) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  /** The observer itself stalled: nobody's silence in that time counts. */
  observerStalled(): void {
    const now = this.#runtime.clock.monotonicMs();
    for (const peer of this.#peers.values()) peer.arrivals.observerStalled(now);
  }

  reports(): PeerReport[] {
    const now = this.#runtime.clock.monotonicMs();
    return [...this.#peers.values()].map((peer) => new PeerReport(peer, now));
  }

  report(node: string): PeerReport | undefined {
    const peer = this.#peers.get(node);
    return peer === undefined ? undefined : new PeerReport(peer, this.#runtime.clock.monotonicMs());
  }

  /**
   * How many of the `configured` peers have not said anything yet. Nodes that dial in without being configured (routers) do not count; a
   * configured one is known by its link, which has no name before it was once connected.
   */
  unheard(configured: number): number {
    const links = this.#network.links();
    const nameless = links.filter((link) => link.node === undefined).length;
    const silent = links.filter((link) => link.node !== undefined && !this.#peers.has(link.node)).length;
    return Math.min(configured, nameless + silent);
  }

  #heard(from: string, body: unknown): undefined {
    const now = this.#runtime.clock.monotonicMs();
    const known = this.#peers.get(from);
    // The very same object has been judged already.
    const isRepeated = known !== undefined && known.body === body;
    const peer = isRepeated ? known : this.#take(from, body, now);
    if (peer === undefined) return;
    peer.arrivals.arrived(now, peer.heartbeat.nextMs);
    peer.heardMs = now;
    if (isRepeated && peer.status === 'connected') return;
    peer.status = 'connected';
    this.#notify(from);
  }

  /** Undefined when it is not a heartbeat, or of one peer too many. */
  #take(from: string, body: unknown, now: number): Peer | undefined {
    const parsed = heartbeatSchema.safeParse(body);
    if (!parsed.success) {
      this.#runtime.logger.warn('peer.heartbeat.malformed', { from, error: parsed.error.message.slice(0, 500) });
      return undefined;
    }
    const heartbeat = parsed.data;
    const known = this.#peers.get(from);
    if (known !== undefined) {
      const stampedMs = known.heartbeat.wallMs === heartbeat.wallMs ? known.stampedMs : now;
      return Object.assign(known, { heartbeat, body, stampedMs });
    }
    if (this.#peers.size >= PEERS_MAX) return undefined;
    const arrivals = new Arrivals({ ...defaultArrivalOptions, expectedMs: this.#intervalMs });
    const peer: Peer = { node: from, arrivals, status: 'connected', heartbeat, body, heardMs: now, stampedMs: now };
    this.#peers.set(from, peer);
    return peer;
  }

  #notify(node: string): void {
    for (const listener of this.#listeners) listener(node);
  }

  [Symbol.dispose](): void {
    this.#links[Symbol.dispose]();
    this.#listeners.clear();
  }
}
