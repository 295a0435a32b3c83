import type { Clock, Timer } from '../core/clock.ts';
import { linked } from '../core/deadline.ts';
import { HoldfastError, messageOf } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';
import type { Runtime } from '../core/runtime.ts';
import type { RouterStatus, RouteView, Router, Target } from './router.ts';
import { chooseReaders, type ReadPolicy } from './readers.ts';
import { Succession } from './succession.ts';

/** What the program is to do from now on. Whole: it does not depend on what it was told before. */
export interface Order {
  readonly term: number;
  readonly leader: Target | undefined;
  /** New writers wait, and those that are there finish what they are at. */
  readonly waiting: boolean;
  /** Who serves readers, by name of node. */
  readonly readers: readonly Target[];
  /** Everybody who may keep the readers that he has. */
  readonly present: readonly Target[];
}

/** What was found, or made, of the program. */
export interface Observed {
  /** A higher term than the order's is in force there, by another agent's word: the order was not carried out. */
  readonly outdoneBy?: number;
  readonly connections: RouterStatus['connections'];
  /** Connections that this attempt cut. */
  readonly cut: number;
}

/** Another program that carries the clients, as something that can be told where they go. */
export interface Driver extends AsyncDisposable {
  /**
   * Makes the program do as ordered; changes nothing where it does already. An order to wait returns when no transaction is under way. One call
   * at a time, again and again: what was changed behind its back is put right.
   * @throws ROUTER_PROGRAM_UNREACHABLE, ROUTER_PROGRAM_DENIED, ROUTER_PROGRAM_UNFIT, the signal's reason
   */
  carryOut(order: Order, signal: AbortSignal): Promise<Observed>;
  /** Nobody knows who leads, and nobody ever said so: whatever waits is let go, as it would be without an agent. */
  letGo(signal: AbortSignal): Promise<void>;
}

export interface DrivenOptions extends ReadPolicy {
  readonly kind: string;
  /** How long new clients are made to wait. */
  readonly holdMs: number;
  /** How long a planned hand-over waits for transactions to end. */
  readonly drainMs: number;
  /** How long one attempt may take apart from that. */
  readonly timeoutMs: number;
}

/** A program that was restarted, reloaded or changed by hand does as ordered again after so long at most. */
const CHECK_MS = 1_000;
const RETRY_MS_MIN = 50;
/** Readers of a member that is in no view for so long are cut: what they read there grows old. */
const ABSENT_MS_MAX = 5_000;
const LET_GO_MS = 2_000;
const problemLettersMax = 1_000;

/** A router made of another program, and of a loop that has it do what the views say. */
export class DrivenRouter implements Router {
  readonly #driver: Driver;
  readonly #options: DrivenOptions;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #succession = new Succession();
  readonly #stop = new AbortController();
  readonly #done: Promise<void>;
  #readers: readonly Target[] = [];
  readonly #seen = new Map<string, { readonly target: Target; readonly atMs: number }>();
  /** Since when writers wait, and whether that is long enough. */
  #patience: Timer | undefined;
  #order: Order | undefined;
  #changed = new AbortController();
  #quiet = Promise.withResolvers<void>();
  #observed: Observed = { connections: { write: 0, read: 0, held: 0 }, cut: 0 };
  #appliedTerm = 0;
  #cutTotal = 0;
  #problem: string | undefined;

  constructor(service: string, driver: Driver, options: DrivenOptions, { clock, logger }: Runtime) {
    this.#driver = driver;
    this.#options = options;
    this.#clock = clock;
    this.#logger = logger.child({ service, router: options.kind });
    this.#wait();
    this.#done = this.#work();
  }

  publish(view: RouteView): void {
    const publication = this.#succession.publish(view);
    if (!publication.accepted) {
      const fields = { term: view.term, leader: view.leader?.node, seen: this.#succession.view.term };
      if (publication.why === 'contradicts') this.#logger.error('routing.view.contradicts', fields);
      else this.#logger.debug('routing.view.outdated', fields);
      return;
    }
    if (publication.isNewTerm) this.#logger.info('routing.term.changed', { term: view.term, leader: view.leader?.node });
    if (view.leader !== undefined) {
      this.#see([view.leader, ...view.replicas]);
      this.#readers = chooseReaders(view, this.#readers, this.#options);
    }
    this.#reconsider();
  }

  hold(term: number): Promise<void> {
    if (!this.#succession.hold(term)) {
      this.#logger.debug('routing.hold.late', { term, seen: this.#succession.view.term });
      return Promise.resolve();
    }
    this.#logger.info('routing.hold.began', { term });
    this.#endPatience();
    this.#reconsider();
    return this.#order?.waiting === true ? this.#quiet.promise : Promise.resolve();
  }

  resume(term: number): void {
    this.#succession.resume(term);
    this.#reconsider();
  }

  status(): RouterStatus {
    return {
      kind: this.#options.kind,
      holding: this.#order?.waiting ?? false,
      drainMs: this.#options.drainMs + this.#options.timeoutMs,
      ...(this.#problem === undefined ? {} : { problem: this.#problem }),
      write: undefined,
      read: undefined,
      term: this.#appliedTerm,
      connections: this.#observed.connections,
      cutTotal: this.#cutTotal,
      refusedTotal: 0,
    };
  }

  /** Leaves the program as it serves now; but nobody waits for an agent that is gone. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new Error('the router ends'));
    this.#endPatience();
    await this.#done;
    this.#quiet.resolve();
    if (this.#order?.waiting === true) await this.#letGo(new AbortController().signal);
    await this.#driver[Symbol.asyncDispose]();
  }

  // ------------------------------------------------------------ what is wanted

  /** Without a leader nobody can say who is healthy: this is asked only with one. */
  #see(targets: readonly Target[]): void {
    const nowMs = this.#clock.monotonicMs();
    for (const target of targets) this.#seen.set(target.node, { target: placeOf(target), atMs: nowMs });
    for (const [node, { atMs }] of this.#seen) if (nowMs - atMs > ABSENT_MS_MAX) this.#seen.delete(node);
  }

  #reconsider(): void {
    const { view, isHolding } = this.#succession;
    if (view.term === 0) return;
    const lacks = isHolding || view.leader === undefined;
    if (!lacks) this.#endPatience();
    else if (this.#patience === undefined) this.#wait();
    const order: Order = {
      term: view.term,
      leader: view.leader && placeOf(view.leader),
      waiting: lacks && this.#patience?.fired !== true,
      readers: this.#readers.map(placeOf),
      present: [...this.#seen.values()].map(({ target }) => target).toSorted((a, b) => (a.node < b.node ? -1 : 1)),
    };
    if (JSON.stringify(order) === JSON.stringify(this.#order)) return;
    this.#order = order;
    if (!order.waiting) this.#settle();
    this.#changed.abort(new Error('there are new orders'));
  }

  /** From now writers wait; but whoever is to end that may be gone without a word. */
  #wait(): void {
    this.#patience = this.#clock.after(this.#options.holdMs, () => {
      const { view, isHolding } = this.#succession;
      this.#logger.warn('routing.hold.expired', { term: view.term });
      if (isHolding) this.#succession.resume(Infinity);
      if (view.term > 0) this.#reconsider();
      else this.#changed.abort(new Error('nobody ever led'));
    });
  }

  #endPatience(): void {
    this.#patience?.[Symbol.dispose]();
    this.#patience = undefined;
  }

  #settle(): void {
    this.#quiet.resolve();
    this.#quiet = Promise.withResolvers();
  }

  // ------------------------------------------------------------ what is done

  async #work(): Promise<void> {
    for (let failures = 0; !this.#stop.signal.aborted;) {
      if (this.#changed.signal.aborted) this.#changed = new AbortController();
      const done = await this.#attempt();
      failures = done ? 0 : failures + 1;
      using soon = linked(this.#stop.signal, this.#changed.signal);
      const pauseMs = done ? CHECK_MS : Math.min(CHECK_MS, RETRY_MS_MIN * 2 ** Math.min(failures, 10));
      await this.#clock.sleep(pauseMs, soon.signal).catch(() => {});
    }
  }

  /** Whether it went well, or there are new orders already. */
  async #attempt(): Promise<boolean> {
    const order = this.#order;
    if (order === undefined) {
      if (this.#patience?.fired === true) await this.#letGo(this.#stop.signal);
      return true;
    }
    const { drainMs, timeoutMs } = this.#options;
    using limit = linked(this.#stop.signal, this.#changed.signal);
    using _timer = this.#clock.after(order.waiting ? drainMs + timeoutMs : timeoutMs, () =>
      limit.abort(order.waiting ? stillBusy(drainMs) : tooSlow(this.#options)),
    );
    try {
      this.#note(order, await this.#driver.carryOut(order, limit.signal));
      return true;
    } catch (error) {
      if (this.#stop.signal.aborted || this.#changed.signal.aborted) return true;
      this.#fail(error);
      return false;
    } finally {
      if (order.waiting && order === this.#order) this.#settle();
    }
  }

  #note(order: Order, observed: Observed): void {
    this.#observed = observed;
    this.#cutTotal += observed.cut;
    if (observed.cut > 0) this.#logger.info('routing.connections.cut', { term: order.term, cut: observed.cut });
    if (observed.outdoneBy !== undefined) return this.#fail(outdone(this.#options, order.term, observed.outdoneBy));
    if (this.#problem !== undefined) this.#logger.info('routing.program.obeys', { term: order.term });
    this.#problem = undefined;
    if (order.term > this.#appliedTerm) this.#logger.info('routing.order.carried-out', { term: order.term, leader: order.leader?.node });
    this.#appliedTerm = order.term;
  }

  #fail(error: unknown): void {
    const hint = error instanceof HoldfastError && error.hint !== '' ? ` ${error.hint}` : '';
    const problem = `${messageOf(error)}${hint}`;
    if (problem.slice(0, problemLettersMax) !== this.#problem)
      this.#logger.warn('routing.program.disobeys', {
        error: messageOf(error),
        code: error instanceof HoldfastError ? error.code : undefined,
      });
    this.#problem = problem.slice(0, problemLettersMax);
  }

  async #letGo(signal: AbortSignal): Promise<void> {
    using limit = linked(signal);
    using _timer = this.#clock.after(LET_GO_MS, () => limit.abort(tooSlow(this.#options)));
    await this.#driver.letGo(limit.signal).catch((error: unknown) => this.#fail(error));
  }
}

function placeOf({ node, host, port }: Target): Target {
  return { node, host, port };
}

function stillBusy(drainMs: number): HoldfastError {
  return new HoldfastError('ROUTER_NOT_QUIET', `Transactions were still under way after ${drainMs} ms`, {
    retryable: true,
    hint: 'They end with the old leader; a longer drain waits longer.',
  });
}

function tooSlow({ kind, timeoutMs }: DrivenOptions): HoldfastError {
  return new HoldfastError('ROUTER_PROGRAM_UNREACHABLE', `${kind} did not answer within ${timeoutMs} ms`, {
    retryable: true,
    hint: 'Look whether it runs, and what its log says.',
  });
}

function outdone({ kind }: DrivenOptions, own: number, other: number): HoldfastError {
  return new HoldfastError('ROUTER_OUTDONE', `${kind} was told of term ${other} already, higher than ${own}`, {
    retryable: true,
    hint: 'Another agent knows better; where the cluster was made anew, restart HAProxy, or remove the file that PgBouncer includes.',
  });
}
