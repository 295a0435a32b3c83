/** One way of keeping a PostgreSQL of three nodes up, as the race sees it: what is done to it, and what may be asked of it. */
export interface Contender extends AsyncDisposable {
  /** `holdfast`, `patroni 1` … */
  readonly name: string;
  readonly kind: Kind;
  readonly nodes: readonly RaceNode[];
  /** Where its clients connect, whoever leads. */
  readonly write: string;
  /** Who leads now, as the contender itself says; undefined: nobody, or nobody answers. */
  leader(): Promise<string | undefined>;
  /** Beyond a leader and two streaming replicas: whatever else it has to restore before it is as it was. */
  isWhole(): Promise<boolean>;
  /** Its own processes on a node, without the database's. */
  agentPids(node: string): Promise<readonly number[]>;
  startAgent(node: string): Promise<void>;
  /** Planned: returns when it has been done, or refused. */
  switchover(signal: AbortSignal): Promise<void>;
  /** Where the time of the last event went, from its own logs; `fromMs` is wall time. */
  explain?(event: EventName, fromMs: number): Promise<Explanation>;
}

export const kinds = ['holdfast', 'patroni'] as const;
export type Kind = (typeof kinds)[number];

export const eventNames = ['node-lost', 'database-killed', 'switchover', 'agent-stopped', 'pgbouncer-switchover'] as const;
export type EventName = (typeof eventNames)[number];

export interface RaceNode {
  readonly name: string;
  readonly databasePort: number;
  readonly dataDirectory: string;
  /** Straight to its database. */
  readonly connection: string;
}

/** A step of a fail-over that left a trace. */
export interface Moment {
  readonly what: string;
  /** Wall time, milliseconds. */
  readonly atMs: number;
}

export interface Explanation {
  /** In the order in which they must come, whatever their clocks' rounding says. */
  readonly moments: readonly Moment[];
  /** Attempts that failed and had to be made again, in the agents' words. */
  readonly setbacks: readonly string[];
  /** All traces, one a line, for a person. */
  readonly trace: readonly string[];
}
