import type { DurableCell } from '../core/durable-cell.ts';
import type { Runtime } from '../core/runtime.ts';
import type { Engine } from '../engine/engine.ts';
import type { CopiesSource, ReplicaSource } from './copies-source.ts';
import type { Fence } from './fencing.ts';
import type { LeadershipStore } from './leadership-store.ts';
import type { Peers } from './peers.ts';
import type { FailoverPolicy } from './policy.ts';
import type { PromiseRecord } from './records.ts';
import type { LocalRouters } from './routers.ts';
import type { SessionKeeper } from './session-keeper.ts';

/** What a member is told of itself. */
export interface MemberOptions {
  readonly service: string;
  readonly node: string;
  readonly nofailover: boolean;
  readonly priority: number;
  readonly policy: FailoverPolicy;
  /** Configured peers: how many other agents there are to hear of. */
  readonly peersExpected: number;
  readonly agentPid: number;
  /** Where the data of a replica are had from: the first that can give them. Default: the leader. */
  readonly createReplica?: readonly ReplicaSource[];
}

/** What a member works with. */
export interface MemberDependencies {
  readonly engine: Engine;
  readonly store: LeadershipStore;
  readonly sessions: SessionKeeper;
  readonly peers: Peers;
  readonly promise: DurableCell<PromiseRecord>;
  readonly fence: Fence;
  readonly runtime: Runtime;
  /** Something that others wait for has changed: tell them now. */
  readonly announce: () => void;
  readonly routers: LocalRouters;
  /** Left out where no copies are made. */
  readonly copies?: CopiesSource;
  /** Changes of state for the ledger and for `events`. */
  readonly record: (kind: string, data: Readonly<Record<string, unknown>>) => void;
}
