import type { AgentEvent, ClusterStatus, Done, HistoryEntry } from './schema.ts';

export type { AgentEvent };

/** One member as the load-balancer endpoints judge it. Synchronous and in memory: answering must not wait for the database. */
export interface LocalMember {
  readonly service: string;
  readonly engine: 'postgres' | 'process';
  readonly role: 'primary' | 'replica' | 'none';
  /** It answers queries. */
  readonly accepting: boolean;
  /** This node holds the leadership and may take writes now. */
  readonly leader: boolean;
  readonly streaming: boolean;
  /** Counts in commits of the leader. */
  readonly sync: boolean;
  /** How far what it has replayed is behind the leader's last known position. */
  readonly lagBytes: number | undefined;
  readonly timeline: number | undefined;
  readonly lsn: bigint | undefined;
  readonly replayLsn: bigint | undefined;
  readonly term: number;
  readonly paused: boolean;
  readonly pendingRestart: boolean;
  readonly version: string | undefined;
  /** The operator took it out of load balancing and failover (`nofailover`, `noloadbalance`). */
  readonly noloadbalance: boolean;
  /** Somebody leads the service, as far as is known here. */
  readonly leaderKnown: boolean;
}

/** What the agent offers to its HTTP API. Implemented by agent/, consumed by api/. Calls that change forward to the right node by themselves. */
export interface AgentControl {
  readonly cluster: string;
  readonly node: string;
  /** The agent's main loop turned within the last seconds. */
  isLive(): boolean;
  localMembers(): readonly LocalMember[];
  status(): Promise<ClusterStatus>;
  history(service: string): Promise<readonly HistoryEntry[]>;
  /** @throws SERVICE_UNKNOWN, SWITCHOVER_REFUSED (why, and what to do) */
  switchover(service: string, request: { to?: string | undefined }): Promise<Done>;
  /** @throws SERVICE_UNKNOWN, FAILOVER_REFUSED */
  failover(service: string, request: { to?: string | undefined }): Promise<Done>;
  pause(service: string): Promise<Done>;
  resume(service: string): Promise<Done>;
  restart(service: string, request: { node?: string | undefined }): Promise<Done>;
  reinit(
    service: string,
    request: { node?: string | undefined; from?: 'leader' | 'copies' | undefined; reuse?: boolean | undefined },
  ): Promise<Done>;
  /** Changes of state as they happen; begins after `afterId` where still remembered. Ends with `signal`. Ids grow, and begin anew when the agent starts. */
  events(options: { afterId?: number; signal: AbortSignal }): AsyncIterable<AgentEvent>;
  /** Samples for /metrics, in Prometheus terms: name without prefix `holdfast_`. */
  metrics(): readonly { name: string; help: string; type: 'gauge' | 'counter'; labels: Readonly<Record<string, string>>; value: number }[];
}
