import type { EngineCapabilities } from '../engine/engine.ts';
import type { LeadershipStore } from '../failover/leadership-store.ts';
import type { Member } from '../failover/member.ts';
import type { Router } from '../routing/router.ts';

/** What this agent has of one service: a member, a router, or both. */
export interface LocalService {
  readonly name: string;
  readonly store: LeadershipStore;
  readonly member: Member | undefined;
  readonly router: Router | undefined;
  readonly engine: EngineCapabilities['kind'];
}
