import { judge, type PeerEvidence, type Verdict } from '../detection/index.ts';
import type { Member } from './member.ts';
import { isLeaseFenced } from './quorum.ts';

const PROBE_TIMEOUT_MS = 300;
const PROBE_EVERY_MS = 50;
/** A probe of the leader's service says nothing any more after so long. */
const PROBE_VALID_MS = 500;
const SUSPECT_POLL_MS = 20;
const LEASE_ASK_EVERY_MS = 200;

/** What one member knows of the leader when that is somebody else: its heartbeats, its service, its lease; and the verdict on it. */
export class LeaderWatch {
  readonly #member: Member;
  #verdict: Verdict | undefined;
  #suspectedSinceMs: number | undefined;
  #abstainsUntilMs = -Infinity;
  #probe: { node: string; atMs: number; result: 'answers' | 'refused' | 'silent' } | undefined;
  #probing = false;
  #lease: { session: string; ended: boolean; atMs: number } | undefined;
  #askingLease = false;

  constructor(member: Member) {
    this.#member = member;
  }

  get verdict(): Verdict | undefined {
    return this.#verdict;
  }

  get abstains(): boolean {
    return this.#member.now() < this.#abstainsUntilMs;
  }

  get suspects(): boolean {
    return this.#verdict?.suspects === true && !this.abstains;
  }

  get suspectedSinceMs(): number | undefined {
    return this.#suspectedSinceMs;
  }

  /** Since when nothing but the order among candidates keeps this member from standing: suspicion, and where the lease is the fence its end. */
  get electableSinceMs(): number | undefined {
    if (this.#suspectedSinceMs === undefined) return undefined;
    return this.#lease?.ended === true ? Math.max(this.#suspectedSinceMs, this.#lease.atMs) : this.#suspectedSinceMs;
  }

  /** In how long to judge again, where the next beat would be late: its silence becomes suspicious before that. */
  get judgeInMs(): number | undefined {
    const { policy } = this.#member.options;
    const leader = this.#member.deps.store.leadership?.value.leader;
    if (this.#verdict === undefined || this.#verdict.suspects || leader === undefined) return undefined;
    const report = this.#member.deps.peers.report(leader);
    if (report === undefined || report.phi >= policy.phi || report.phiIn(policy.heartbeatMs) < policy.phi) return undefined;
    return SUSPECT_POLL_MS;
  }

  /** This process itself was stalled: it judges nobody for a while. */
  abstain(forMs: number): void {
    this.#abstainsUntilMs = Math.max(this.#abstainsUntilMs, this.#member.now() + forMs);
    this.#suspectedSinceMs = undefined;
  }

  /** Resolves once this member suspects its leader too, or after `forMs`. */
  async untilSuspects(forMs: number): Promise<boolean> {
    const member = this.#member;
    const deadlineMs = member.now() + forMs;
    while (!this.suspects && member.now() < deadlineMs && !member.signal.aborted) {
      member.wake();
      await member.deps.runtime.clock.sleep(SUSPECT_POLL_MS, member.signal);
    }
    return this.suspects;
  }

  /** Judges anew by what is known now; starts a probe where that would tell more. */
  judge(): void {
    const member = this.#member;
    const record = member.deps.store.leadership?.value;
    if (record === undefined || record.leader === member.node) {
      this.#verdict = undefined;
      this.#suspectedSinceMs = undefined;
      return;
    }
    const evidence = this.#evidenceOf(record.leader, record.term);
    this.#verdict = evidence === undefined ? this.#neverHeard() : judge(evidence, member.options.policy);
    if (this.#verdict.suspects) {
      if (this.#suspectedSinceMs === undefined) {
        this.#suspectedSinceMs = member.now();
        member.deps.record('leader.suspected', { leader: record.leader, term: record.term, why: this.#verdict.why });
        member.deps.announce();
      }
    } else {
      this.#suspectedSinceMs = undefined;
    }
    if (this.#verdict.probe) this.#probeService(record.leader);
  }

  /**
   * Whether the suspected leader's session has ended, where its lease is the fence. Asks the store in the background; undefined until it has
   * answered, or when it does not matter.
   */
  leaseEnded(): boolean | undefined {
    const member = this.#member;
    const record = member.deps.store.leadership?.value;
    if (record === undefined || this.#verdict?.suspects !== true || !isLeaseFenced(record.roster)) return undefined;
    const known = this.#lease?.session === record.session ? this.#lease : undefined;
    if (known?.ended === true) return true;
    if (!this.#askingLease && (known === undefined || member.now() - known.atMs > LEASE_ASK_EVERY_MS)) this.#askLease(record.session);
    return known?.ended;
  }

  #askLease(session: string): void {
    const member = this.#member;
    this.#askingLease = true;
    void member.deps.store
      .isSessionAlive(session, member.signal)
      .then((alive) => (this.#lease = { session, ended: !alive, atMs: member.now() }))
      .catch(() => {})
      .finally(() => {
        this.#askingLease = false;
        member.wake();
      });
  }

  /** A leader of which this agent heard nothing since it started: dead with everything else, or not yet connected. */
  #neverHeard(): Verdict {
    const waitedMs = this.#member.now() - this.#member.startedMs;
    return waitedMs < this.#member.options.policy.agentGraceMs
      ? { suspects: false, probe: false }
      : { suspects: true, probe: false, why: 'agent unresponsive' };
  }

  #evidenceOf(leader: string, term: number): PeerEvidence | undefined {
    const member = this.#member;
    const report = member.deps.peers.report(leader);
    const state = report?.heartbeat.members.find((one) => one.service === member.service);
    if (report === undefined || state === undefined) return undefined;
    const probe = this.#probe;
    const now = member.now();
    const valid = probe !== undefined && probe.node === leader && now - probe.atMs < PROBE_VALID_MS && probe.atMs > now - report.silentMs;
    return {
      phi: report.phi,
      refused: report.refused,
      silentMs: report.silentMs,
      service: valid ? probe.result : undefined,
      released: state.released >= term,
    };
  }

  #probeService(leader: string): void {
    const member = this.#member;
    const address = member.addressOf(leader);
    const last = this.#probe;
    if (this.#probing || address === undefined || (last?.node === leader && member.now() - last.atMs < PROBE_EVERY_MS)) return;
    this.#probing = true;
    void member.deps.engine
      .reachable(address, { timeoutMs: PROBE_TIMEOUT_MS })
      .then((result) => (this.#probe = { node: leader, atMs: member.now(), result }))
      .finally(() => {
        this.#probing = false;
        member.wake();
      });
  }
}
