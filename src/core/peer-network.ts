/** What is known of the link to one peer. `refused` is evidence of death, silence alone is not. */
export type LinkStatus = 'connecting' | 'connected' | 'reset' | 'refused' | 'unreachable' | 'rejected';

export interface PeerLink {
  /** host:port as configured, or as the peer connected from. */
  readonly address: string;
  /** The peer's node name, proven by its certificate; undefined until it was once connected. */
  readonly node: string | undefined;
  readonly status: LinkStatus;
  /** Monotonic time since which it has had this status. */
  readonly sinceMs: number;
  /** Why, for people, when not connected. */
  readonly detail: string;
}

export type PeerHandler = (from: string, body: unknown) => Promise<unknown>;

/**
 * Messages between agents, as a port: one mutually authenticated connection per pair of nodes.
 * `from` is the name in the peer's certificate, never what a message claims.
 */
export interface PeerNetwork extends AsyncDisposable {
  readonly self: string;
  links(): readonly PeerLink[];
  /**
   * Sends to every connected peer but those in `except`, at most once, in order per peer; what a slow peer has not taken by the next broadcast
   * of the same kind is dropped. A body that is the same object as the one before is taken for unchanged.
   */
  broadcast(kind: string, body: unknown, except?: ReadonlySet<string>): void;
  /**
   * Asks one peer.
   * @throws PEER_UNREACHABLE (not connected, or lost before the reply), PEER_TIMEOUT, PEER_REFUSED (the handler there threw; message and code carried)
   */
  request(node: string, kind: string, body: unknown, options: { timeoutMs: number; signal?: AbortSignal }): Promise<unknown>;
  /**
   * Registers the handler of a kind, for broadcasts (its result is dropped) and requests. One per kind. It must not change the body: one that
   * is repeated may be the same object.
   */
  handle(kind: string, handler: PeerHandler): void;
  /** Called on every change of a link's status, synchronously. */
  onLinkChange(listener: (link: PeerLink) => void): Disposable;
}
