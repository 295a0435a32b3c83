import type { Runtime } from '../core/runtime.ts';

export interface Target {
  readonly node: string;
  readonly host: string;
  readonly port: number;
}

/** Where clients of one service are to go. Views with a lower term than one already seen are ignored. */
export interface RouteView {
  /** Fencing token of the leadership. */
  readonly term: number;
  /** Undefined while nobody leads: new write connections are held. */
  readonly leader: Target | undefined;
  /** Healthy replicas with how far behind they are. */
  readonly replicas: readonly (Target & { readonly lagBytes: number })[];
}

export interface RouterStatus {
  /** What carries the clients: `proxy`, `haproxy`, `pgbouncer`. */
  readonly kind: string;
  /** New writers wait: a hand-over is under way, or nobody leads. */
  readonly holding: boolean;
  /** The longest that `hold` takes until it is quiet; 0: at once. */
  readonly drainMs: number;
  /** Why the program that carries the clients does not do what it is told, in a sentence. */
  readonly problem?: string;
  readonly write: { host: string; port: number } | undefined;
  readonly read: { host: string; port: number } | undefined;
  /** The highest term in force for the clients. */
  readonly term: number;
  /** `held`: waiting, as far as that can be counted. */
  readonly connections: { write: number; read: number; held: number };
  readonly cutTotal: number;
  readonly refusedTotal: number;
}

/** Makes clients follow the leader. */
export interface Router extends AsyncDisposable {
  /** Cheap and synchronous; takes effect at once: connections of a lower term are cut, held ones go to the new leader. */
  publish(view: RouteView): void;
  /**
   * Planned hand-over of the leadership of `term`: from now new write connections are held, until the next view with a leader of a higher
   * term, or `resume`, or as long as any connection is held at most. Ignored when a higher term is known: it came late.
   * @returns once it is in force and, where the router can wait for that, no transaction is under way any more; after `drainMs` of the
   * status in any case. Never rejects.
   */
  hold(term: number): Promise<void>;
  /** The hand-over of the leadership of `term` is given up. Ignored when a higher term is known. */
  resume(term: number): void;
  status(): RouterStatus;
}

export interface RouterAdapter<Config> {
  readonly kind: string;
  /** @throws ROUTER_PORT_IN_USE */
  open(service: string, config: Config, runtime: Runtime): Promise<Router>;
}
