import type { Timer } from '../core/clock.ts';
import { HoldfastError, messageOf } from '../core/errors.ts';
import type { LinkStatus, PeerHandler, PeerLink, PeerNetwork } from '../core/peer-network.ts';
import type { SimulatedClock } from './clock.ts';
import type { SeededRandom } from './random.ts';

/** Between two attempts to connect. */
const redialMs = 100;
/** A connection over which nothing came for so long is given up, as TCP does after its retransmissions. */
const silentMsMax = 3_000;

/** Least time between two messages of one connection, so that they stay in order. */
const orderMs = 0.001;

/** How messages travel one way. */
export interface Way {
  open: boolean;
  /** Share of messages that vanish, 0 to 1. */
  loss: number;
  delayMsMin: number;
  delayMsMax: number;
}

/** What a simulated network is at rest: that of a machine room. */
export const calmWay: Readonly<Way> = { open: true, loss: 0, delayMsMin: 0.2, delayMsMax: 1 };

/**
 * The wires between named places (nodes, and whatever else is reached over the network), each direction on its own, so that partitions can be
 * partial and one-way; and the connections between agents over them.
 */
export class SimulatedNetwork {
  readonly #random: SeededRandom;
  readonly #ways = new Map<string, Map<string, Way>>();
  readonly #running = new Map<string, SimulatedPeers>();
  readonly #off = new Set<string>();
  #connections = 0;

  constructor(random: SeededRandom) {
    this.#random = random;
  }

  /** One direction, to be changed at will. */
  way(from: string, to: string): Way {
    const way = this.#ways.get(from)?.get(to);
    if (way !== undefined) return way;
    const calm = { ...calmWay };
    const ways = this.#ways.get(from) ?? new Map<string, Way>();
    this.#ways.set(from, ways.set(to, calm));
    return calm;
  }

  /** All directions are calm again. */
  heal(): void {
    for (const ways of this.#ways.values()) for (const way of ways.values()) Object.assign(way, calmWay);
  }

  /** A place without power answers nothing, not even a refusal. */
  power(place: string, on: boolean): void {
    if (on) this.#off.delete(place);
    else this.#off.add(place);
  }

  isPowered(place: string): boolean {
    return !this.#off.has(place);
  }

  /** How long one message is under way; asked once per message. */
  travel(from: string, to: string): number | 'lost' {
    const way = this.way(from, to);
    if (!way.open || this.#off.has(from) || this.#off.has(to)) return 'lost';
    if (way.loss > 0 && this.#random.chance(way.loss)) return 'lost';
    return way.delayMsMin + (way.delayMsMax - way.delayMsMin) * this.#random.next();
  }

  /** Whether both directions are open, for what needs a handshake. */
  isOpen(a: string, b: string): boolean {
    return this.way(a, b).open && this.way(b, a).open && this.isPowered(a) && this.isPowered(b);
  }

  /** An agent's process starts: it listens, and connects to the others. */
  join(self: string, others: readonly string[], clock: SimulatedClock): SimulatedPeers {
    this.#running.get(self)?.kill();
    const peers = new SimulatedPeers(this, self, others, clock);
    this.#running.set(self, peers);
    return peers;
  }

  /** For endpoints. */
  running(node: string): SimulatedPeers | undefined {
    return this.#running.get(node);
  }

  /** For endpoints. */
  left(peers: SimulatedPeers): void {
    if (this.#running.get(peers.self) === peers) this.#running.delete(peers.self);
  }

  /** For endpoints: a number for a new connection. */
  connection(): number {
    this.#connections += 1;
    return this.#connections;
  }
}

interface Link {
  node: string;
  status: LinkStatus;
  sinceMs: number;
  detail: string;
  /** 0 while not connected. */
  connection: number;
  /** What was sent arrives in order: not before this. World milliseconds by the receiver's clock. */
  arrivesMs: number;
  heardMs: number;
  /** Looks after it: at the next attempt to connect, or when nothing may have come for too long. */
  next: Timer | undefined;
}

interface Waiting {
  readonly connection: number;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** What a message says: written as JSON when it is sent, read by the first who gets it, the same for all others. */
class Content {
  readonly #text: string;
  #value: unknown;
  #isRead = false;

  constructor(value: unknown) {
    this.#text = JSON.stringify(value) ?? 'null';
  }

  read(): unknown {
    if (!this.#isRead) this.#value = JSON.parse(this.#text);
    this.#isRead = true;
    return this.#value;
  }
}

type Packet = { readonly connection: number; readonly from: string } & (
  | { readonly type: 'cast'; readonly kind: string; readonly body: Content }
  | { readonly type: 'ask'; readonly kind: string; readonly body: Content; readonly id: number }
  | { readonly type: 'answer'; readonly id: number; readonly body: Content }
  | { readonly type: 'refusal'; readonly id: number; readonly code: string; readonly message: string }
);

/** One agent process's end of all its connections. What it does happens by its own clock: a stalled process hears late, a killed one nothing. */
export class SimulatedPeers implements PeerNetwork {
  readonly self: string;
  readonly clock: SimulatedClock;
  readonly #network: SimulatedNetwork;
  readonly #links = new Map<string, Link>();
  readonly #handlers = new Map<string, PeerHandler>();
  readonly #listeners = new Set<(link: PeerLink) => void>();
  readonly #waiting = new Map<number, Waiting>();
  #said: { readonly body: unknown; readonly content: Content } | undefined;
  #asked = 0;
  #dead = false;

  constructor(network: SimulatedNetwork, self: string, others: readonly string[], clock: SimulatedClock) {
    this.#network = network;
    this.self = self;
    this.clock = clock;
    for (const node of others) {
      this.#links.set(node, {
        node,
        status: 'connecting',
        sinceMs: clock.monotonicMs(),
        detail: '',
        connection: 0,
        arrivesMs: 0,
        heardMs: 0,
        next: undefined,
      });
      this.clock.after(1, () => this.#dial(this.#links.get(node)!));
      this.#tend(this.#links.get(node)!);
    }
  }

  links(): readonly PeerLink[] {
    return [...this.#links.values()].map(asPeerLink);
  }

  broadcast(kind: string, body: unknown, except?: ReadonlySet<string>): void {
    // Said again it is the same to its hearers, as between real agents.
    const said = this.#said;
    const content = said !== undefined && said.body === body ? said.content : new Content(body);
    this.#said = { body, content };
    for (const [node, link] of this.#links) {
      if (except?.has(node) === true) continue;
      if (link.connection !== 0) this.#send(link, { type: 'cast', kind, body: content, connection: link.connection, from: this.self });
    }
  }

  async request(node: string, kind: string, body: unknown, options: { timeoutMs: number; signal?: AbortSignal }): Promise<unknown> {
    options.signal?.throwIfAborted();
    const link = this.#links.get(node);
    if (link === undefined || link.connection === 0) throw unreachable(node, link?.detail ?? 'it is not configured');
    this.#asked += 1;
    const id = this.#asked;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.#waiting.set(id, { connection: link.connection, resolve, reject });
    using _limit = this.clock.after(options.timeoutMs, () =>
      reject(new HoldfastError('PEER_TIMEOUT', `${node} did not answer ${kind} within ${options.timeoutMs} ms`, { retryable: true })),
    );
    const abort = (): void => reject(options.signal?.reason);
    options.signal?.addEventListener('abort', abort, { once: true });
    this.#send(link, { type: 'ask', kind, id, body: new Content(body), connection: link.connection, from: this.self });
    try {
      return await promise;
    } finally {
      this.#waiting.delete(id);
      options.signal?.removeEventListener('abort', abort);
    }
  }

  handle(kind: string, handler: PeerHandler): void {
    this.#handlers.set(kind, handler);
  }

  onLinkChange(listener: (link: PeerLink) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  /** The process is gone: the others' connections to it are reset, as far as the network still carries that. */
  kill(): void {
    if (this.#dead) return;
    this.#dead = true;
    this.#network.left(this);
    for (const link of this.#links.values()) {
      if (link.connection !== 0) this.#hangUp(link.node, link.connection);
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.kill();
    return Promise.resolve();
  }

  #send(link: Link, packet: Packet): void {
    const travel = this.#network.travel(this.self, link.node);
    if (travel === 'lost' || this.#dead) return;
    const to = this.#network.running(link.node);
    if (to === undefined) return this.#lose(link, 'reset', 'the connection was reset');
    const now = to.clock.monotonicMs();
    link.arrivesMs = Math.max(link.arrivesMs + orderMs, now + travel);
    to.clock.after(link.arrivesMs - now, () => to.#arrive(packet, this));
  }

  #arrive(packet: Packet, sender: SimulatedPeers): void {
    if (this.#dead) return;
    const link = this.#links.get(packet.from);
    if (link === undefined || link.connection !== packet.connection) {
      sender.#reset(this.self, packet.connection);
      return;
    }
    link.heardMs = this.clock.monotonicMs();
    if (packet.type === 'cast')
      void this.#handlers
        .get(packet.kind)?.(packet.from, packet.body.read())
        .catch(() => {});
    else if (packet.type === 'ask') void this.#answer(packet);
    else this.#answered(packet);
  }

  async #answer(packet: Packet & { type: 'ask' }): Promise<void> {
    const reply = { id: packet.id, connection: packet.connection, from: this.self };
    let answer: Packet;
    try {
      const handler = this.#handlers.get(packet.kind);
      if (handler === undefined) throw new Error(`nothing here answers ${packet.kind}`);
      answer = { ...reply, type: 'answer', body: new Content(await handler(packet.from, packet.body.read())) };
    } catch (error) {
      const code = error instanceof HoldfastError ? error.code : 'INTERNAL';
      answer = { ...reply, type: 'refusal', code, message: messageOf(error) };
    }
    const link = this.#links.get(packet.from);
    if (link?.connection === packet.connection) this.#send(link, answer);
  }

  #answered(packet: Packet & { type: 'answer' | 'refusal' }): void {
    const waiting = this.#waiting.get(packet.id);
    if (waiting === undefined) return;
    if (packet.type === 'answer') waiting.resolve(packet.body.read());
    else
      waiting.reject(new HoldfastError('PEER_REFUSED', `${packet.from} refused: ${packet.message} (${packet.code})`, { retryable: true }));
  }

  /** Tells the other end that its connection is no more. */
  #hangUp(node: string, connection: number): void {
    const travel = this.#network.travel(this.self, node);
    const to = this.#network.running(node);
    if (travel === 'lost' || to === undefined) return;
    to.clock.after(travel, () => to.#reset(this.self, connection));
  }

  #reset(node: string, connection: number): void {
    const link = this.#links.get(node);
    if (!this.#dead && link !== undefined && link.connection === connection && connection !== 0)
      this.#lose(link, 'reset', 'the connection was reset');
  }

  #lose(link: Link, status: LinkStatus, detail: string): void {
    const { connection } = link;
    link.connection = 0;
    this.#turn(link, status, detail);
    for (const waiting of this.#waiting.values()) {
      if (waiting.connection === connection) waiting.reject(unreachable(link.node, detail));
    }
    if (status === 'reset') this.clock.after(1, () => this.#dial(link));
    this.#tend(link);
  }

  #turn(link: Link, status: LinkStatus, detail: string): void {
    if (link.status === status) return;
    Object.assign(link, { status, detail, sinceMs: this.clock.monotonicMs() });
    for (const listener of this.#listeners) listener(asPeerLink(link));
  }

  /** Connects, and connects again, for as long as the process lives. */
  #tend(link: Link): void {
    link.next?.[Symbol.dispose]();
    const quietMs = this.clock.monotonicMs() - link.heardMs;
    link.next = this.clock.after(link.connection === 0 ? redialMs : Math.max(1, silentMsMax - quietMs), () => {
      if (this.#dead) return;
      if (link.connection === 0) this.#dial(link);
      else if (this.clock.monotonicMs() - link.heardMs >= silentMsMax) {
        this.#hangUp(link.node, link.connection);
        this.#lose(link, 'unreachable', `nothing came for ${silentMsMax} ms`);
      }
      this.#tend(link);
    });
  }

  #dial(link: Link): void {
    if (this.#dead || link.connection !== 0) return;
    const there = this.#network.travel(this.self, link.node);
    const back = this.#network.travel(link.node, this.self);
    if (there === 'lost' || back === 'lost') {
      if (this.clock.monotonicMs() - link.sinceMs > silentMsMax) this.#turn(link, 'unreachable', 'no answer');
      return;
    }
    this.clock.after(there + back, () => {
      if (this.#dead || link.connection !== 0) return;
      const to = this.#network.running(link.node);
      if (to === undefined) return this.#turn(link, 'refused', 'connection refused');
      if (to.clock.stalled) return;
      const connection = this.#network.connection();
      to.#accept(this.self, connection);
      this.#accept(link.node, connection);
    });
  }

  #accept(node: string, connection: number): void {
    const link = this.#links.get(node);
    if (link === undefined) return;
    if (link.connection !== 0) this.#lose(link, 'reset', 'replaced by a new connection');
    link.connection = connection;
    link.heardMs = this.clock.monotonicMs();
    this.#turn(link, 'connected', '');
    this.#tend(link);
  }
}

function asPeerLink(link: Link): PeerLink {
  const { node, status, sinceMs, detail } = link;
  return { address: `${node}:7400`, node, status, sinceMs, detail };
}

function unreachable(node: string, why: string): HoldfastError {
  return new HoldfastError('PEER_UNREACHABLE', `${node} is not connected: ${why}`, { retryable: true });
}
