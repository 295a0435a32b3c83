import type { DurableCell } from '../core/durable-cell.ts';
import { HoldfastError, messageOf } from '../core/errors.ts';
import type { Timer } from '../core/clock.ts';
import type { Runtime } from '../core/runtime.ts';
import { judge, type PeerEvidence, type Verdict } from '../detection/index.ts';
import type { Acknowledgement, Engine, EngineObservation, MemberAddress } from '../engine/engine.ts';
import { decide, type Decision } from './decide.ts';
import { perform } from './execute.ts';
import type { Fence } from './fencing.ts';
import { Gate } from './gate.ts';
import { confirmWithAll, leaderDeadlineBootMs } from './lease.ts';
import type { LeadershipStore } from './leadership-store.ts';
import { toWire, type MemberState } from './messages.ts';
import type { Observation, PeerView } from './observation.ts';
import type { Peers } from './peers.ts';
import type { FailoverPolicy } from './policy.ts';
import { isLeaseFenced, sameAcknowledgement } from './quorum.ts';
import type { HistoryRecord, PromiseRecord } from './records.ts';
import { answerRequests } from './requests.ts';
import type { SessionKeeper } from './session-keeper.ts';

const PROBE_TIMEOUT_MS = 300;
/** A probe of the leader's service says nothing any more after so long. */
const PROBE_VALID_MS = 500;
const SUSPECT_POLL_MS = 20;
const LEASE_ASK_EVERY_MS = 200;
/** An action that failed is not tried again before. */
const FAILED_ACTION_PAUSE_MS = 500;
/** A database that ran for so long has started well. */
const WELL_AFTER_MS = 30_000;
const RETAIN_EVERY_MS = 5_000;
/** Following without streaming for so long counts as a failure. */
const FOLLOW_STALLED_MS = 5_000;

export interface MemberOptions {
  readonly service: string;
  readonly node: string;
  readonly nofailover: boolean;
  readonly priority: number;
  readonly policy: FailoverPolicy;
  /** Configured peers: how many other agents there are to hear of. */
  readonly peersExpected: number;
  readonly agentPid: number;
}

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
  /** A planned hand-over begins: this node's routers hold new connections until a higher term serves. */
  readonly holdRouters: () => void;
  /** Changes of state for the ledger and for `events`. */
  readonly record: (kind: string, data: Readonly<Record<string, unknown>>) => void;
}

/**
 * One member of one service: turns in a loop of observe → decide → perform. What is decided is pure (decide.ts); this class holds what was seen
 * and done so far.
 */
export class Member implements AsyncDisposable {
  readonly options: MemberOptions;
  readonly deps: MemberDependencies;
  readonly gate: Gate = new Gate();

  /** The term in which this agent made, or confirmed, this member the primary; 0: in none. */
  servingTerm = 0;
  releasedTerm = 0;
  /** While an operator's hand-over or restart is under way, the loop decides nothing. */
  occupiedBy: string | undefined;
  holdStillUntilMs = 0;
  /** As a follower: until when it promised a leader without store to hold still. */
  confirmedUntilMs = 0;
  /** As a leader without store: until when every member has confirmed to hold still. */
  confirmedByAllUntilMs = 0;
  confirmAskedMs = -Infinity;
  followFailures = 0;
  failedStarts = 0;
  /** The configuration that this leader's database runs, and the LSN before which everything acknowledged by an earlier one lies. */
  effective: { configuration: Acknowledgement; lsn: bigint } | undefined;
  engineState: EngineObservation = { data: 'absent', running: false, accepting: false, role: 'none', replicas: [], pendingRestart: false };
  decision: Decision = { act: 'nothing', say: 'starting', why: 'the agent starts' };

  readonly #stop = new AbortController();
  readonly #notStreamingSince = new Map<string, number>();
  readonly #listeners: Disposable[] = [];
  #promise: PromiseRecord = { promised: 0, seen: 0 };
  #startedMs = 0;
  #timer: Timer | undefined;
  #turning = false;
  #again = false;
  #acting = false;
  #pauseUntilMs = 0;
  #downSinceMs: number | undefined;
  #unresponsiveSinceMs: number | undefined;
  #suspectedSinceMs: number | undefined;
  #verdict: Verdict | undefined;
  #abstains = false;
  #probe: { node: string; atMs: number; result: 'answers' | 'refused' | 'silent' } | undefined;
  #probing = false;
  #lease: { session: string; ended: boolean; atMs: number } | undefined;
  #askingLease = false;
  #runningSinceMs: number | undefined;
  #notFollowingSinceMs: number | undefined;
  #retainedMs = -Infinity;
  #detail = '';

  constructor(options: MemberOptions, deps: MemberDependencies) {
    this.options = options;
    this.deps = deps;
  }

  // ------------------------------------------------------------ life

  async start(): Promise<void> {
    this.#promise = (await this.deps.promise.read()) ?? this.#promise;
    this.#startedMs = this.now();
    await this.deps.engine.adopt({ signal: this.#stop.signal });
    this.engineState = await this.deps.engine.inspect({ signal: this.#stop.signal });
    const wake = (): void => this.wake();
    this.#listeners.push(
      this.deps.engine.onDeath(wake),
      this.deps.store.onChange(wake),
      this.deps.peers.onChange((node) => {
        const leader = this.deps.store.leadership?.value.leader;
        if (node === leader) wake();
      }),
    );
    this.wake();
  }

  get service(): string {
    return this.options.service;
  }

  get node(): string {
    return this.options.node;
  }

  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  get promised(): number {
    return this.#promise.promised;
  }

  get seen(): number {
    return this.#promise.seen;
  }

  get suspects(): boolean {
    return this.#verdict?.suspects === true && !this.#abstains;
  }

  get suspectedSinceMs(): number | undefined {
    return this.#suspectedSinceMs;
  }

  /** Resolves once this member suspects its leader too, or after `forMs`. */
  async untilSuspects(forMs: number): Promise<boolean> {
    const deadlineMs = this.now() + forMs;
    while (!this.suspects && this.now() < deadlineMs && !this.#stop.signal.aborted) {
      this.wake();
      await this.deps.runtime.clock.sleep(SUSPECT_POLL_MS, this.#stop.signal);
    }
    return this.suspects;
  }

  now(): number {
    return this.deps.runtime.clock.monotonicMs();
  }

  /** Never lowers a promise; returns once it is on disk. */
  async promise(term: number): Promise<void> {
    if (term > this.#promise.promised) await this.#writePromise({ ...this.#promise, promised: term });
  }

  async see(term: number): Promise<void> {
    if (term > this.#promise.seen) await this.#writePromise({ ...this.#promise, seen: term });
  }

  async #writePromise(next: PromiseRecord): Promise<void> {
    await this.deps.promise.write(next);
    this.#promise = { promised: Math.max(next.promised, this.#promise.promised), seen: Math.max(next.seen, this.#promise.seen) };
  }

  /** Turn the loop now rather than at its next beat. */
  wake(): void {
    if (this.#stop.signal.aborted) return;
    if (this.#turning) {
      this.#again = true;
      return;
    }
    this.#timer?.[Symbol.dispose]();
    this.#turning = true;
    void this.#turn().finally(() => {
      this.#turning = false;
      if (this.#stop.signal.aborted) return;
      const soon = this.#again ? 1 : this.options.policy.heartbeatMs;
      this.#again = false;
      this.#timer = this.deps.runtime.clock.after(soon, () => this.wake());
    });
  }

  async #turn(): Promise<void> {
    this.engineState = await this.deps.engine.inspect({ signal: this.#stop.signal });
    this.#notice();
    this.#judgeLeader();
    this.#renewFence();
    confirmWithAll(this);
    const record = this.deps.store.leadership;
    if (record && record.value.term > this.seen) await this.see(record.value.term);
    const decision = decide(this.observe());
    this.#say(decision);
    if (this.occupiedBy === undefined && !this.#acting) this.#act(decision);
    else if (decision.act === 'stop' && this.decision.act !== 'stop') this.gate.interrupt();
    if (this.now() - this.#retainedMs > RETAIN_EVERY_MS) this.#retain();
  }

  #act(decision: Decision): void {
    if (decision.act === 'nothing') {
      this.decision = decision;
      return;
    }
    if (this.now() < this.#pauseUntilMs && decision.act === this.decision.act) return;
    this.decision = decision;
    this.#acting = true;
    void this.gate
      .run((signal) => perform(this, decision, signal), decision.act === 'stop')
      .then(
        () => (this.#detail = ''),
        (error: unknown) => this.#failed(decision, error),
      )
      .finally(() => {
        this.#acting = false;
        this.wake();
      });
  }

  #failed(decision: Decision, error: unknown): void {
    if (this.#stop.signal.aborted) return;
    this.#pauseUntilMs = this.now() + FAILED_ACTION_PAUSE_MS;
    const hint = error instanceof HoldfastError && error.hint ? ` ${error.hint}` : '';
    this.#detail = `${messageOf(error)}${hint}`;
    this.deps.runtime.logger.warn('failover.action.failed', { act: decision.act, error: messageOf(error), code: error instanceof HoldfastError ? error.code : undefined });
  }

  #say(decision: Decision): void {
    if (decision.say === this.decision.say && decision.act === this.decision.act) return;
    this.deps.runtime.logger.info('failover.decided', { act: decision.act, state: decision.say, why: decision.why });
    this.deps.record('member.state', { state: decision.say, act: decision.act, why: decision.why });
  }

  // ------------------------------------------------------------ noticing

  #notice(): void {
    const now = this.now();
    const engine = this.engineState;
    this.#downSinceMs = engine.running ? undefined : (this.#downSinceMs ?? now);
    this.#unresponsiveSinceMs = engine.running && !engine.accepting ? (this.#unresponsiveSinceMs ?? now) : undefined;
    this.#runningSinceMs = engine.running && engine.accepting ? (this.#runningSinceMs ?? now) : undefined;
    if (this.#runningSinceMs !== undefined && now - this.#runningSinceMs > WELL_AFTER_MS) this.failedStarts = 0;
    if (engine.role !== 'primary') {
      if (this.servingTerm !== 0 && !engine.running) this.deps.announce();
      this.#notStreamingSince.clear();
    } else {
      this.#noticeReplicas(now);
    }
    this.#noticeFollowing(now);
  }

  #noticeReplicas(now: number): void {
    const streaming = new Set(this.engineState.replicas.filter((replica) => replica.state === 'streaming').map((replica) => replica.node));
    const voters = this.deps.store.leadership?.value.roster.flatMap((configuration) => [...configuration.voters]) ?? [];
    for (const voter of voters) {
      if (streaming.has(voter)) this.#notStreamingSince.delete(voter);
      else if (!this.#notStreamingSince.has(voter)) this.#notStreamingSince.set(voter, now);
    }
  }

  #noticeFollowing(now: number): void {
    const record = this.deps.store.leadership?.value;
    const upstream = this.engineState.upstream;
    const follows = upstream !== undefined && upstream.node === record?.leader && upstream.streaming;
    const leaderServes = record !== undefined && this.deps.peers.report(record.leader)?.heartbeat.members.some((member) => member.service === this.service && member.serving === record.term);
    if (follows || leaderServes !== true || !this.engineState.running) {
      this.#notFollowingSinceMs = undefined;
      if (follows) this.followFailures = 0;
      return;
    }
    this.#notFollowingSinceMs ??= now;
    if (now - this.#notFollowingSinceMs > FOLLOW_STALLED_MS) {
      this.#notFollowingSinceMs = now;
      this.followFailures++;
    }
  }

  /** Called by the agent when its own loop was stalled. */
  abstain(forMs: number): void {
    this.#abstains = true;
    this.#suspectedSinceMs = undefined;
    this.deps.runtime.clock.after(forMs, () => (this.#abstains = false));
  }

  #judgeLeader(): void {
    const record = this.deps.store.leadership?.value;
    if (record === undefined || record.leader === this.node) {
      this.#verdict = undefined;
      this.#suspectedSinceMs = undefined;
      return;
    }
    const evidence = this.#evidenceOf(record.leader, record.term);
    this.#verdict = evidence === undefined ? this.#neverHeard() : judge(evidence, this.options.policy);
    if (this.#verdict.suspects) {
      if (this.#suspectedSinceMs === undefined) {
        this.#suspectedSinceMs = this.now();
        this.deps.record('leader.suspected', { leader: record.leader, term: record.term, why: this.#verdict.why });
        this.deps.announce();
      }
    } else {
      this.#suspectedSinceMs = undefined;
      if (this.#verdict.probe) this.#probeLeader(record.leader);
    }
  }

  /** A leader of which this agent heard nothing since it started: dead with everything else, or not yet connected. */
  #neverHeard(): Verdict {
    const waited = this.now() - this.#startedMs;
    return waited < this.options.policy.agentGraceMs ? { suspects: false, probe: false } : { suspects: true, why: 'agent unresponsive' };
  }

  #evidenceOf(leader: string, term: number): PeerEvidence | undefined {
    const report = this.deps.peers.report(leader);
    const state = report?.heartbeat.members.find((member) => member.service === this.service);
    if (report === undefined || state === undefined) return undefined;
    const probe = this.#probe;
    const valid = probe !== undefined && probe.node === leader && this.now() - probe.atMs < PROBE_VALID_MS && probe.atMs > this.now() - report.silentMs;
    return {
      phi: report.phi,
      refused: report.refused,
      silentMs: report.silentMs,
      service: valid ? probe.result : undefined,
      released: state.released >= term,
    };
  }

  #probeLeader(leader: string): void {
    const address = this.addressOf(leader);
    if (this.#probing || address === undefined) return;
    this.#probing = true;
    void this.deps.engine
      .reachable(address, { timeoutMs: PROBE_TIMEOUT_MS })
      .then((result) => (this.#probe = { node: leader, atMs: this.now(), result }))
      .finally(() => {
        this.#probing = false;
        this.wake();
      });
  }

  #leaseEnded(): boolean | undefined {
    const record = this.deps.store.leadership?.value;
    if (record === undefined || this.#verdict?.suspects !== true || !isLeaseFenced(record.roster)) return undefined;
    const known = this.#lease?.session === record.session ? this.#lease : undefined;
    if (known?.ended === true) return true;
    if (!this.#askingLease && (known === undefined || this.now() - known.atMs > LEASE_ASK_EVERY_MS)) {
      this.#askingLease = true;
      void this.deps.store
        .isSessionAlive(record.session, this.#stop.signal)
        .then((alive) => (this.#lease = { session: record.session, ended: !alive, atMs: this.now() }))
        .catch(() => {})
        .finally(() => {
          this.#askingLease = false;
          this.wake();
        });
    }
    return known?.ended;
  }

  // ------------------------------------------------------------ what others see

  /** The deadline by which this member must be dead unless renewed. */
  #renewFence(): void {
    if (this.servingTerm === 0) return;
    const deadline = leaderDeadlineBootMs(this);
    if (deadline !== undefined) this.deps.fence.renew(deadline);
  }

  observe(): Observation {
    const { policy } = this.options;
    return {
      nowMs: this.now(),
      self: { node: this.node, nofailover: this.options.nofailover, priority: this.options.priority, replicated: this.deps.engine.capabilities.replicated },
      policy,
      paused: this.deps.store.paused,
      abstains: this.#abstains,
      storeReachable: this.deps.sessions.reachable,
      leadership: this.deps.store.leadership,
      leaseEnded: this.#leaseEnded(),
      sessionId: this.deps.sessions.current?.id,
      promised: this.promised,
      seen: this.seen,
      servingTerm: this.servingTerm,
      engine: this.engineState,
      downSinceMs: this.#downSinceMs,
      unresponsiveSinceMs: this.#unresponsiveSinceMs,
      failedStarts: this.failedStarts,
      peers: this.peerViews(),
      peersUnheard: Math.max(0, this.options.peersExpected - this.deps.peers.reports().length),
      leaderVerdict: this.#verdict,
      suspectedSinceMs: this.#suspectedSinceMs,
      holdStillUntilMs: Math.max(this.holdStillUntilMs, this.confirmedUntilMs),
      startedMs: this.#startedMs,
      caughtUp: (configuration) => this.#caughtUp(configuration),
      notStreamingSinceMs: this.#notStreamingSince,
      followFailures: this.followFailures,
    };
  }

  /** Whether k voters have flushed all that was acknowledged before this configuration took effect. */
  #caughtUp(configuration: Acknowledgement): boolean {
    const since = this.effective;
    if (since === undefined || !sameAcknowledgement(since.configuration, configuration)) return false;
    const flushed = this.engineState.replicas.filter((replica) => configuration.voters.includes(replica.node) && replica.state === 'streaming' && replica.flushLsn >= since.lsn);
    return flushed.length >= configuration.k;
  }

  peerViews(): PeerView[] {
    return this.deps.peers.reports().flatMap((report) => {
      const state = report.heartbeat.members.find((member) => member.service === this.service);
      if (state === undefined) return [];
      const alive = report.status === 'connected' && report.phi < this.options.policy.phi;
      return [{ node: report.node, alive, state, ageMs: report.silentMs }];
    });
  }

  addressOf(node: string): MemberAddress | undefined {
    const state = this.deps.peers.report(node)?.heartbeat.members.find((member) => member.service === this.service);
    return state === undefined ? undefined : { node, ...state.address };
  }

  /** What this agent broadcasts of this member. */
  state(): MemberState {
    const { engine } = this.deps;
    const e = this.engineState;
    const record = this.deps.store.leadership?.value;
    const serves = this.servingTerm > 0 && e.running && e.role === 'primary' && e.accepting;
    const fault = this.#detail || (e.failure ? `${e.failure.message} ${e.failure.hint}` : '');
    const detail = fault || this.decision.why;
    return {
      service: this.service,
      address: { host: engine.address.host, port: engine.address.port },
      replicated: engine.capabilities.replicated,
      term: record?.term ?? 0,
      leader: record?.leader ?? '',
      promised: this.promised,
      serving: serves ? this.servingTerm : 0,
      released: this.releasedTerm,
      suspects: this.suspects && record !== undefined ? record.term : 0,
      role: e.role,
      state: this.occupiedBy ?? this.decision.say,
      ...(detail ? { detail } : {}),
      running: e.running,
      accepting: e.accepting,
      ...(e.position ? { position: toWire(e.position) } : {}),
      ...(e.replayLsn === undefined ? {} : { replayLsn: e.replayLsn.toString() }),
      ...(e.upstream?.streaming ? { streamingFrom: e.upstream.node } : {}),
      hasData: e.data === 'present',
      ...(e.systemId === undefined ? {} : { systemId: e.systemId }),
      eligible: this.eligible(),
      nofailover: this.options.nofailover,
      priority: this.options.priority,
      paused: this.deps.store.paused,
      pendingRestart: e.pendingRestart,
      ...(e.version === undefined ? {} : { version: e.version }),
      ...(serves ? { sync: Object.fromEntries(e.replicas.map((replica) => [replica.node, replica.sync])) } : {}),
      pids: {
        agent: this.options.agentPid,
        ...(this.deps.fence.pid === undefined ? {} : { guard: this.deps.fence.pid }),
        ...(e.pid === undefined ? {} : { database: e.pid }),
      },
    };
  }

  /** Could lead if it was asked now. */
  eligible(): boolean {
    if (this.options.nofailover || this.failedStarts > 2) return false;
    if (!this.deps.engine.capabilities.replicated) return true;
    return this.engineState.running && this.engineState.role === 'replica' && this.engineState.systemId === this.deps.store.leadership?.value.systemId;
  }

  /** Whether it may ever lead, as far as its operator is concerned. */
  mayLead(): boolean {
    return !this.options.nofailover;
  }

  /** Runs an operation during which the loop decides nothing; only one at a time. @throws MEMBER_BUSY */
  async occupied<T>(as: string, work: () => Promise<T>): Promise<T> {
    if (this.occupiedBy !== undefined && as !== 'voting') {
      throw new HoldfastError('MEMBER_BUSY', `${this.node} is ${this.occupiedBy} ${this.service}`, { retryable: true, hint: 'Try again when that is done.' });
    }
    const before = this.occupiedBy;
    this.occupiedBy = as;
    try {
      return await work();
    } finally {
      this.occupiedBy = before;
      this.wake();
    }
  }

  addHistory(record: HistoryRecord): void {
    this.deps.record('leadership.changed', { ...record });
    void this.deps.store.addHistory(record, this.#stop.signal).catch((error: unknown) => {
      this.deps.runtime.logger.warn('failover.history.not-written', { error: messageOf(error) });
    });
  }

  #retain(): void {
    if (!this.engineState.accepting || !this.deps.engine.capabilities.replicated) return;
    this.#retainedMs = this.now();
    const heard = this.peerViews().map((peer) => ({
      node: peer.node,
      ...(peer.state.position === undefined ? {} : { lsn: BigInt(peer.state.position.lsn) }),
    }));
    // A voter that was not heard of yet (this agent has just started) still needs its WAL.
    const voters = this.deps.store.leadership?.value.roster.flatMap((configuration) => [...configuration.voters]) ?? [];
    const unheard = [...new Set(voters)].filter((voter) => voter !== this.node && !heard.some((peer) => peer.node === voter));
    const others = [...heard, ...unheard.map((node) => ({ node }))];
    void this.deps.engine.retain(others, { signal: this.#stop.signal }).catch((error: unknown) => {
      if (!this.#stop.signal.aborted) this.deps.runtime.logger.warn('engine.retain.failed', { error: messageOf(error) });
    });
  }

  /** Registers what peers may ask of any member; once per agent. */
  static answer(peers: Peers, memberOf: (service: string) => Member | undefined): void {
    answerRequests(peers, memberOf);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new Error('the agent stops'));
    this.#timer?.[Symbol.dispose]();
    for (const listener of this.#listeners) listener[Symbol.dispose]();
    this.gate.interrupt();
  }
}
