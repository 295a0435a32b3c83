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
  readonly write: { host: string; port: number } | undefined;
  readonly read: { host: string; port: number } | undefined;
  readonly term: number;
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
   */
  hold(term: number): void;
  resume(): void;
  status(): RouterStatus;
}

export interface RouterAdapter<Config> {
  readonly kind: string;
  /** @throws ROUTER_PORT_IN_USE */
  open(service: string, config: Config, runtime: Runtime): Promise<Router>;
}
