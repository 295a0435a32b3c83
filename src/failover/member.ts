import { HoldfastError, messageOf } from '../core/errors.ts';
import type { Timer } from '../core/clock.ts';
import type { Acknowledgement, EngineObservation, MemberAddress } from '../engine/engine.ts';
import type { ReplicaSource } from './copies-source.ts';
import { decide, type Decision } from './decide.ts';
import { EngineWatch } from './engine-watch.ts';
import { perform } from './execute.ts';
import type { Remedy } from './follow.ts';
import { Gate } from './gate.ts';
import { inForce, isCaughtUp } from './in-force.ts';
import { LeaderWatch } from './leader-watch.ts';
import { confirmWithAll, leaderDeadlineBootMs } from './lease.ts';
import type { MemberDependencies, MemberOptions } from './member-parts.ts';
import { isEligible, memberState } from './member-state.ts';
import type { MemberState } from './messages.ts';
import type { Observation, PeerView } from './observation.ts';
import { Occupations } from './occupations.ts';
import { Promises } from './promises.ts';
import type { HistoryRecord } from './records.ts';
import { Retention } from './retention.ts';

/** An action that failed is not tried again before. */
const FAILED_ACTION_PAUSE_MS = 500;
/** How long a command that was interrupted because this member stops is waited for: as long as one may take to kill a database on a slow disk. */
const LET_GO_MS_MAX = 15_000;
/** Something that happens within a turn is looked at so soon after it. */
const AGAIN_MS = 1;

/**
 * One member of one service: turns in a loop of observe → decide → perform, at the agent's beats and whenever something happens. What is decided
 * is pure (decide.ts); this class holds what was seen and done so far.
 */
export class Member implements AsyncDisposable {
  readonly options: MemberOptions;
  readonly deps: MemberDependencies;
  readonly gate: Gate = new Gate();

  /** The term in which this agent made, or confirmed, this member the primary; 0: in none. */
  servingTerm = 0;
  releasedTerm = 0;
  holdStillUntilMs = 0;
  /** As a follower: until when it promised a leader without store to hold still. */
  confirmedUntilMs = 0;
  /** As a leader without store: until when every member has confirmed to hold still. */
  confirmedByAllUntilMs = 0;
  confirmAskedMs = -Infinity;
  followedMs = -Infinity;
  failedStarts = 0;
  /** Where an operator wants the data to be had from, the next time that they are copied anew. */
  wishedSource: ReplicaSource | undefined;
  /** The configuration that this leader's database runs, and the LSN before which everything acknowledged by an earlier one lies. */
  effective: { configuration: Acknowledgement; lsn: bigint } | undefined;
  engineState: EngineObservation = { data: 'absent', running: false, accepting: false, role: 'none', replicas: [], pendingRestart: false };
  /** At the last look: to find a process takes three calls to the system. */
  guardPid: number | undefined;
  decision: Decision = { act: 'nothing', say: 'starting', why: 'the agent starts' };

  /** Why the last action failed, in a sentence; empty once one succeeded. */
  fault = '';
  /** Monotonic time since which this agent runs. */
  startedMs = 0;

  readonly #promises: Promises;
  readonly #leader: LeaderWatch = new LeaderWatch(this);
  readonly #watch: EngineWatch = new EngineWatch(this);
  readonly #retention: Retention = new Retention(this);
  readonly #stop = new AbortController();
  readonly #listeners: Disposable[] = [];
  readonly #occupations: Occupations;
  #timer: Timer | undefined;
  #turning = false;
  #turnedMs = -Infinity;
  #again = false;
  /** Another than the leader has said something new since the last decision. */
  #news = false;
  #acting = false;
  #said: Decision | undefined;
  #remedy: { readonly term: number; readonly kind: Remedy } = { term: 0, kind: 'follow' };
  #pauseUntilMs = 0;
  readonly #ready = Promise.withResolvers<void>();
  #started = false;

  constructor(options: MemberOptions, deps: MemberDependencies) {
    this.options = options;
    this.deps = deps;
    this.#promises = new Promises(deps.promise);
    this.#occupations = new Occupations(options);
    this.#ready.promise.catch(() => {});
  }

  async start(): Promise<void> {
    try {
      await this.#learn();
    } catch (error) {
      this.#ready.reject(error);
      throw error;
    }
    this.#started = true;
    this.#ready.resolve();
    this.wake();
  }

  /** Resolves once it knows what it has promised and how its database is. Before, it decides nothing and answers nobody. @throws what it failed for */
  get ready(): Promise<void> {
    return this.#ready.promise;
  }

  async #learn(): Promise<void> {
    await this.#promises.load();
    this.startedMs = this.now();
    await this.deps.engine.adopt({ signal: this.#stop.signal });
    this.engineState = await this.deps.engine.inspect({ signal: this.#stop.signal });
    const wake = (): void => this.wake();
    this.#listeners.push(
      this.deps.engine.onDeath(wake),
      this.deps.store.onChange(wake),
      this.deps.peers.onChange((node) => {
        const leader = this.deps.store.leadership?.value.leader;
        if (node === leader) wake();
        else this.#news = true;
      }),
    );
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

  /** The highest promise on disk: what others may be told. */
  get promised(): number {
    return this.#promises.promised;
  }

  /** The highest promise made, on disk or on its way there: what this member keeps to. */
  get pledged(): number {
    return this.#promises.pledged;
  }

  get seen(): number {
    return this.#promises.seen;
  }

  get suspects(): boolean {
    return this.#leader.suspects;
  }

  get suspectedSinceMs(): number | undefined {
    return this.#leader.suspectedSinceMs;
  }

  /** Resolves once this member suspects its leader too, or after `forMs`. */
  untilSuspects(forMs: number): Promise<boolean> {
    return this.#leader.untilSuspects(forMs);
  }

  /** Called by the agent when its own loop was stalled. */
  abstain(forMs: number): void {
    this.#leader.abstain(forMs);
  }

  /** While an operator's hand-over or restart, or a vote, is under way, the loop decides nothing. */
  get occupiedBy(): string | undefined {
    return this.#occupations.current;
  }

  /** What it takes to follow the present leader, until another leads. */
  needs(kind: Remedy): void {
    this.#remedy = { term: this.deps.store.leadership?.value.term ?? 0, kind };
  }

  now(): number {
    return this.deps.runtime.clock.monotonicMs();
  }

  /** Never lowers a promise; returns once it is on disk. */
  promise(term: number): Promise<void> {
    return this.#promises.promise(term);
  }

  see(term: number): Promise<void> {
    return this.#promises.see(term);
  }

  /** Turn the loop now rather than at its next beat: something has happened. */
  wake(): void {
    if (!this.#started) return;
    if (this.#turning) this.#again = true;
    else this.#begin({ woken: true });
  }

  /** To be called at every beat of the agent, so that both cost one wake-up. Turns the loop, unless it has just turned. */
  beat(): void {
    if (!this.#started || this.#turning || this.now() - this.#turnedMs < this.options.policy.heartbeatMs / 2) return;
    this.#begin({ woken: false });
  }

  #begin(why: { woken: boolean }): void {
    if (this.#stop.signal.aborted) return;
    this.#timer?.[Symbol.dispose]();
    this.#turning = true;
    this.#turnedMs = this.now();
    const woken = why.woken || this.#again;
    this.#again = false;
    void this.#turnSafely(woken).finally(() => {
      this.#turning = false;
      const againMs = this.#again ? AGAIN_MS : this.#leader.judgeInMs;
      if (againMs === undefined || this.#stop.signal.aborted) return;
      this.#timer = this.deps.runtime.clock.after(againMs, () => this.#begin({ woken: false }));
    });
  }

  async #turnSafely(woken: boolean): Promise<void> {
    try {
      await this.#turn(woken);
    } catch (error) {
      if (!this.#stop.signal.aborted) this.deps.runtime.logger.error('failover.turn.failed', { error: messageOf(error) });
    }
  }

  async #turn(woken: boolean): Promise<void> {
    const looks = woken || this.#acting || this.occupiedBy !== undefined || !this.#watch.isQuiet;
    if (looks) {
      this.engineState = await this.deps.engine.inspect({ signal: this.#stop.signal });
      // Stopped meanwhile: a guard that is renewed now, or a database that is started, would be left behind.
      this.#stop.signal.throwIfAborted();
      this.#watch.notice();
      this.guardPid = this.deps.fence.pid;
    }
    this.#leader.judge();
    this.#renewFence();
    confirmWithAll(this);
    // Between two looks at a quiet database only the silence of others can call for anything.
    if (!looks && !this.#news && this.deps.sessions.reachable && this.#leader.verdict?.suspects !== true) return;
    this.#news = false;
    const record = this.deps.store.leadership;
    if (record && record.value.term > this.seen) this.#remember(record.value.term);
    const decision = decide(this.observe());
    if (this.occupiedBy === undefined && !this.#acting) this.#act(decision);
    else if (decision.act === 'stop' && this.decision.act !== 'stop') this.gate.interrupt();
    this.#retention.renew();
  }

  /** In the background: a disk that is full must not keep a leader from stopping. */
  #remember(term: number): void {
    this.see(term).catch((error: unknown) =>
      this.deps.runtime.logger.warn('failover.term.not-remembered', { term, error: messageOf(error) }),
    );
  }

  #act(decision: Decision): void {
    this.#say(decision);
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
        () => (this.fault = ''),
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
    this.fault = `${messageOf(error)}${hint}`;
    this.deps.runtime.logger.warn('failover.action.failed', {
      act: decision.act,
      error: messageOf(error),
      code: error instanceof HoldfastError ? error.code : undefined,
    });
  }

  #say(decision: Decision): void {
    if (decision.say === this.#said?.say && decision.act === this.#said.act) return;
    this.#said = decision;
    this.deps.runtime.logger.info('failover.decided', { act: decision.act, state: decision.say, why: decision.why });
    this.deps.record('member.state', { state: decision.say, act: decision.act, why: decision.why });
  }

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
      self: {
        node: this.node,
        nofailover: this.options.nofailover,
        priority: this.options.priority,
        replicated: this.deps.engine.capabilities.replicated,
        eligible: this.eligible(),
      },
      policy,
      paused: this.deps.store.paused,
      abstains: this.#leader.abstains,
      storeReachable: this.deps.sessions.reachable,
      leadership: this.deps.store.leadership,
      leaseEnded: this.#leader.leaseEnded(),
      sessionId: this.deps.sessions.current?.id,
      promised: this.pledged,
      seen: this.seen,
      servingTerm: this.servingTerm,
      releasedTerm: this.releasedTerm,
      engine: this.engineState,
      downSinceMs: this.#watch.downSinceMs,
      unresponsiveSinceMs: this.#watch.unresponsiveSinceMs,
      impairedSinceMs: this.#watch.impairedSinceMs,
      failedStarts: this.failedStarts,
      peers: this.peerViews(),
      peersUnheard: this.deps.peers.unheard(this.options.peersExpected),
      leaderVerdict: this.#leader.verdict,
      electableSinceMs: this.#leader.electableSinceMs,
      holdStillUntilMs: Math.max(this.holdStillUntilMs, this.confirmedUntilMs),
      startedMs: this.startedMs,
      inForce: inForce(this),
      caughtUp: (configuration) => isCaughtUp(this, configuration),
      notStreamingSinceMs: this.#watch.notStreamingSinceMs,
      remedy: this.#remedy.term === this.deps.store.leadership?.value.term ? this.#remedy.kind : 'follow',
      followedMs: this.followedMs,
      restore: this.deps.copies?.restore?.order,
    };
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
    return memberState(this);
  }

  /** Could lead if it was asked now. */
  eligible(): boolean {
    return isEligible(this);
  }

  /** Whether it may ever lead, as far as its operator is concerned. */
  mayLead(): boolean {
    return !this.options.nofailover;
  }

  /** Runs an operation during which the loop decides nothing; only one at a time. @throws MEMBER_BUSY */
  async occupied<T>(as: string, work: () => Promise<T>): Promise<T> {
    return await this.#occupations.during(as, work).finally(() => this.wake());
  }

  addHistory(record: HistoryRecord): void {
    this.deps.record('leadership.changed', { ...record });
    void this.deps.store.addHistory(record, this.#stop.signal).catch((error: unknown) => {
      this.deps.runtime.logger.warn('failover.history.not-written', { error: messageOf(error) });
    });
  }

  /** Once this resolves, it does nothing to its database or its guard any more: not of itself, nor when peers or operators ask. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new Error('the agent stops'));
    this.#ready.reject(new Error('the agent stops'));
    this.#timer?.[Symbol.dispose]();
    for (const listener of this.#listeners) listener[Symbol.dispose]();
    const { promise: late, resolve } = Promise.withResolvers<void>();
    using _timer = this.deps.runtime.clock.after(LET_GO_MS_MAX, resolve);
    await Promise.race([this.gate.close(), late]);
  }
}
