import type { EngineObservation } from '../engine/engine.ts';
import type { Member } from './member.ts';

/** A database that ran for so long has started well. */
const WELL_AFTER_MS = 30_000;
/** A database that looked the same so many times is looked at only every so often, as long as nothing else happens. */
const QUIET_LOOKS = 5;
const QUIET_LOOK_MS = 500;

/** Since when this member's own database is in which condition: what one look at it can not tell. */
export class EngineWatch {
  readonly #member: Member;
  readonly #notStreamingSinceMs = new Map<string, number>();
  #downSinceMs: number | undefined;
  #unresponsiveSinceMs: number | undefined;
  #impairedSinceMs: number | undefined;
  #runningSinceMs: number | undefined;
  #seen = { as: '', looks: 0, atMs: -Infinity };

  constructor(member: Member) {
    this.#member = member;
  }

  get downSinceMs(): number | undefined {
    return this.#downSinceMs;
  }

  get unresponsiveSinceMs(): number | undefined {
    return this.#unresponsiveSinceMs;
  }

  get impairedSinceMs(): number | undefined {
    return this.#impairedSinceMs;
  }

  /** Of a primary: since when each voter does not stream. */
  get notStreamingSinceMs(): ReadonlyMap<string, number> {
    return this.#notStreamingSinceMs;
  }

  /** Whether it may be taken to be as it was at the last look: it is well, as are those that follow it, and nobody writes. */
  get isQuiet(): boolean {
    const isSame = this.#seen.looks >= QUIET_LOOKS && this.#notStreamingSinceMs.size === 0;
    return isSame && this.#member.now() - this.#seen.atMs < QUIET_LOOK_MS;
  }

  /** Takes note of `member.engineState`. */
  notice(): void {
    const member = this.#member;
    const now = member.now();
    const engine = member.engineState;
    const as = isWell(engine) ? JSON.stringify(engine, (_, value: unknown) => (typeof value === 'bigint' ? `${value}` : value)) : '';
    this.#seen = { as, looks: as !== '' && as === this.#seen.as ? this.#seen.looks + 1 : 0, atMs: now };
    this.#downSinceMs = engine.running ? undefined : (this.#downSinceMs ?? now);
    this.#unresponsiveSinceMs = engine.running && !engine.accepting ? (this.#unresponsiveSinceMs ?? now) : undefined;
    this.#impairedSinceMs = engine.running && engine.impairment !== undefined ? (this.#impairedSinceMs ?? now) : undefined;
    this.#runningSinceMs = engine.running && engine.accepting ? (this.#runningSinceMs ?? now) : undefined;
    if (this.#runningSinceMs !== undefined && now - this.#runningSinceMs > WELL_AFTER_MS) member.failedStarts = 0;
    if (engine.role === 'primary') {
      this.#noticeReplicas(now);
    } else {
      if (member.servingTerm !== 0 && !engine.running) member.deps.announce();
      this.#notStreamingSinceMs.clear();
    }
    this.#noticeFollowing(now);
  }

  #noticeReplicas(now: number): void {
    const member = this.#member;
    const streaming = new Set(
      member.engineState.replicas.filter((replica) => replica.state === 'streaming').map((replica) => replica.node),
    );
    const voters = member.deps.store.leadership?.value.roster.flatMap((configuration) => [...configuration.voters]) ?? [];
    for (const voter of voters) {
      if (streaming.has(voter)) this.#notStreamingSinceMs.delete(voter);
      else if (!this.#notStreamingSinceMs.has(voter)) this.#notStreamingSinceMs.set(voter, now);
    }
  }

  #noticeFollowing(now: number): void {
    const member = this.#member;
    const { upstream } = member.engineState;
    if (upstream?.streaming !== true || upstream.node !== member.deps.store.leadership?.value.leader) return;
    member.followedMs = now;
    member.needs('follow');
  }
}

/** Nothing about it calls for an action in a while, other than that it changes. */
function isWell({ accepting, impairment, role, upstream }: EngineObservation): boolean {
  return accepting && impairment === undefined && (role !== 'replica' || upstream?.streaming === true);
}
