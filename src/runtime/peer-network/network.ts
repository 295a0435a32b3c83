import { randomUUID } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import { formatAddress, type Address } from '../../core/address.ts';
import type { PeerHandler, PeerLink, PeerNetwork } from '../../core/peer-network.ts';
import type { Runtime } from '../../core/runtime.ts';
import type { Listener } from '../listener.ts';
import type { TlsCredentials } from '../tls-credentials.ts';
import { PeerConnection, unreachable } from './connection.ts';
import { dial } from './dial.ts';
import { encodeFrame } from './frames.ts';
import { introduce, type Introduced } from './introduction.ts';
import { Link } from './link.ts';
import { isKind, protocolVersion, type Hello } from './messages.ts';
import type { Closing } from './wire.ts';

export interface PeerNetworkOptions {
  readonly cluster: string;
  readonly node: string;
  /** The other agents. This node's own address may be among them: it is recognised and left out. */
  readonly peers: readonly Address[];
  /** Called at each dial, so that renewed certificates are used. */
  readonly credentials: () => TlsCredentials;
  readonly listener: Listener;
  readonly timing?: Partial<PeerTiming>;
}

/** In milliseconds. */
export interface PeerTiming {
  /** For TCP and TLS together, and then again for the introduction. */
  readonly dialMs: number;
  /** Pause before another attempt, drawn between the two so that nobody dials in step. */
  readonly redialMinMs: number;
  readonly redialMaxMs: number;
  /** Pause after a refusal that only an operator can mend, and when there is a connection that would do. */
  readonly patientMs: number;
  /** Silence after which a connection is given up. Not how death is detected: heartbeats are, many times faster. */
  readonly idleMs: number;
}

const timingDefault: PeerTiming = { dialMs: 1_000, redialMinMs: 100, redialMaxMs: 250, patientMs: 5_000, idleMs: 3_000 };
/** Agents that dial in without being configured here. */
const observersMax = 64;
/** Strangers that introduce themselves at the same time. */
const introductionsMax = 64;

/** Agents over mutual TLS. Dials every configured peer, and takes whoever proves to be of the cluster. */
export function openPeerNetwork(options: PeerNetworkOptions, runtime: Runtime): PeerNetwork {
  return new TlsPeerNetwork(options, runtime);
}

class TlsPeerNetwork implements PeerNetwork {
  readonly self: string;
  readonly #options: PeerNetworkOptions;
  readonly #timing: PeerTiming;
  readonly #runtime: Runtime;
  readonly #hello: Hello;
  readonly #stop = new AbortController();
  readonly #configured: Link[] = [];
  readonly #observers: Link[] = [];
  readonly #handlers = new Map<string, PeerHandler>();
  readonly #listeners = new Set<(link: PeerLink) => void>();
  readonly #dialling: readonly Promise<void>[];
  #introductions = 0;
  #said: { readonly kind: string; readonly body: unknown; readonly frame: Buffer } | undefined;

  constructor(options: PeerNetworkOptions, runtime: Runtime) {
    this.self = options.node;
    this.#options = options;
    this.#timing = { ...timingDefault, ...options.timing };
    this.#runtime = { ...runtime, logger: runtime.logger.child({ part: 'peers' }) };
    this.#hello = { type: 'hello', protocol: protocolVersion, cluster: options.cluster, node: options.node, instance: randomUUID() };
    options.listener.onPeer((socket) => void this.#accept(socket));
    const own = formatAddress(options.listener.address);
    const peers = options.peers.filter((address) => formatAddress(address) !== own);
    this.#dialling = peers.map((address) => this.#keepDialling(address, this.#openLink(formatAddress(address), this.#configured)));
  }

  links(): readonly PeerLink[] {
    return [...this.#configured, ...this.#observers].map((link) => link.view());
  }

  broadcast(kind: string, body: unknown, except?: ReadonlySet<string>): void {
    if (this.#said?.kind !== kind || this.#said.body !== body)
      this.#said = { kind, body, frame: encodeFrame({ type: 'cast', kind, body }) };
    const { frame } = this.#said;
    for (const link of [...this.#configured, ...this.#observers]) {
      if (link.node === undefined || except?.has(link.node) !== true) link.current?.cast(kind, frame);
    }
  }

  async request(node: string, kind: string, body: unknown, options: { timeoutMs: number; signal?: AbortSignal }): Promise<unknown> {
    const link = this.#linkOf(node);
    const connection = link?.current;
    if (connection === undefined)
      throw unreachable(node, link === undefined ? 'it has never been connected' : link.view().detail || link.view().status);
    return connection.ask(kind, body, options);
  }

  handle(kind: string, handler: PeerHandler): void {
    if (!isKind(kind) || this.#handlers.has(kind)) throw new Error(`'${kind}' is not a kind, or is handled already`);
    this.#handlers.set(kind, handler);
  }

  onLinkChange(listener: (link: PeerLink) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    this.#options.listener.onPeer((socket) => socket.destroy());
    this.#closeAll();
    await Promise.all(this.#dialling);
    // An attempt that was under way may have succeeded.
    this.#closeAll();
  }

  #closeAll(): void {
    for (const link of [...this.#configured, ...this.#observers]) link.closeAll({ status: 'reset', detail: 'the agent is stopping' });
  }

  #openLink(address: string, list: Link[]): Link {
    const link = new Link(address, this.self, this.#runtime.clock, (changed) => this.#announce(changed));
    list.push(link);
    return link;
  }

  #announce(link: Link): void {
    const view = link.view();
    const { address, node, status, detail } = view;
    this.#runtime.logger[status === 'rejected' ? 'warn' : 'info']('peer.link.changed', { address, node, status, detail });
    if (status !== 'connected') remove(this.#observers, link);
    for (const listener of this.#listeners) listener(view);
  }

  #linkOf(node: string): Link | undefined {
    return [...this.#configured, ...this.#observers].find((link) => link.node === node);
  }

  /** Ends with the network, or when the address turns out to be our own. */
  async #keepDialling(address: Address, link: Link): Promise<void> {
    const { clock } = this.#runtime;
    for (;;) {
      while (link.settled && !this.#stopping) await link.changed;
      if (this.#stopping) return;
      const startedMs = clock.monotonicMs();
      const outcome = await this.#dial(address);
      if (!outcome.known && outcome.self) return remove(this.#configured, link);
      if (outcome.known) this.#connected(outcome, link);
      else link.failed(outcome.closing);
      await this.#pause(link, this.#pauseMs(link, outcome, startedMs));
    }
  }

  /** A lost connection is dialled again at once, but not in a tight loop. */
  #pauseMs(link: Link, outcome: Introduced, startedMs: number): number {
    const { redialMinMs, redialMaxMs, patientMs } = this.#timing;
    if (outcome.known) return startedMs + redialMinMs - this.#runtime.clock.monotonicMs();
    if (outcome.closing.status === 'rejected' || link.current !== undefined) return patientMs;
    return redialMinMs + this.#runtime.random.next() * (redialMaxMs - redialMinMs);
  }

  async #pause(link: Link, pauseMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    using _timer = this.#runtime.clock.after(pauseMs, resolve);
    void link.changed.then(resolve);
    if (pauseMs > 0) await promise;
  }

  async #dial(address: Address): Promise<Introduced> {
    const { clock } = this.#runtime;
    const timeoutMs = this.#timing.dialMs;
    const dialled = await dial(address, this.#options.credentials(), { clock, timeoutMs, signal: this.#stop.signal });
    if (!dialled.connected) return { known: false, self: false, closing: dialled.closing };
    return introduce(dialled.socket, this.#hello, { clock, timeoutMs });
  }

  #connected(introduced: Introduced & { known: true }, link: Link): void {
    const { node } = introduced.hello;
    const other = this.#linkOf(node);
    if (other !== undefined && other !== link) {
      if (this.#configured.includes(other) && other.current?.dialledByUs === true) {
        const detail = `this is '${node}', as ${other.address} is: name each node once in peers`;
        introduced.wire.close({ status: 'rejected', detail });
        return link.failed({ status: 'rejected', detail });
      }
      other.moveTo(link);
      remove(this.#observers, other);
    }
    link.add(this.#openConnection(introduced, true));
  }

  async #accept(socket: TLSSocket): Promise<void> {
    if (this.#introductions >= introductionsMax) return void socket.destroy();
    const from = formatAddress({ host: socket.remoteAddress ?? '?', port: socket.remotePort ?? 0 });
    this.#introductions += 1;
    const introduced = await introduce(socket, this.#hello, { clock: this.#runtime.clock, timeoutMs: this.#timing.dialMs });
    this.#introductions -= 1;
    if (!introduced.known) {
      if (!introduced.self) this.#runtime.logger.warn('peer.stranger.refused', { from, ...introduced.closing });
      return;
    }
    const closing: Closing = { status: 'rejected', detail: `more than ${observersMax} agents that are not in peers` };
    const link =
      this.#linkOf(introduced.hello.node) ?? (this.#observers.length < observersMax ? this.#openLink(from, this.#observers) : undefined);
    if (link === undefined || this.#stopping) return introduced.wire.close(closing);
    link.add(this.#openConnection(introduced, false));
  }

  #openConnection({ wire, hello: { node } }: Introduced & { known: true }, dialledByUs: boolean): PeerConnection {
    const handle = (kind: string, body: unknown): Promise<unknown> | undefined => this.#handlers.get(kind)?.(node, body);
    return new PeerConnection(wire, this.#runtime, { node, dialledByUs, idleMs: this.#timing.idleMs, handle });
  }

  get #stopping(): boolean {
    return this.#stop.signal.aborted;
  }
}

function remove<T>(list: T[], item: T): void {
  const index = list.indexOf(item);
  if (index >= 0) list.splice(index, 1);
}
