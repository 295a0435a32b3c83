/** The knobs of failover, with what each costs when it is wrong. */
export interface FailoverPolicy {
  /** Replicas that must have flushed a commit before it is acknowledged; 0: asynchronous mode. */
  readonly acknowledge: number;
  /** Voters kept even when they are lost: commits then block. 0 trades that for availability: the last replica's loss makes the leader go on alone. */
  readonly minimum: number;
  /** Coordination session TTL: in asynchronous mode the longest time without a leader. */
  readonly ttlMs: number;
  /** How often a member tells the others its state. Detection takes a few of these. */
  readonly heartbeatMs: number;
  /** Suspicion level from which silence counts. */
  readonly phi: number;
  /** How long a database may go on without its agent. Shorter: an agent restart costs a failover. Longer: a stalled agent is noticed later. */
  readonly agentGraceMs: number;
  /** A voter that does not stream for so long is taken out of the quorum. */
  readonly voterLossMs: number;
  /** How far behind a replica may be to become a voter. */
  readonly voterLagBytesMax: number;
  /** How long a leader whose database died waits for another to take over before it restarts its own. */
  readonly handOverMs: number;
  /** A running database that answers nothing for so long is given up. */
  readonly unresponsiveMs: number;
  /** How long a first leader waits for all configured members before it goes on with those it sees. */
  readonly bootstrapWaitMs: number;
}

export const defaultPolicy: FailoverPolicy = {
  acknowledge: 1,
  minimum: 1,
  ttlMs: 5_000,
  heartbeatMs: 200,
  phi: 8,
  agentGraceMs: 3_000,
  voterLossMs: 1_000,
  voterLagBytesMax: 16 * 1024 * 1024,
  handOverMs: 1_500,
  unresponsiveMs: 10_000,
  bootstrapWaitMs: 15_000,
};
