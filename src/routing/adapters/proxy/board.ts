import type { RouteView } from '../../router.ts';
import { Succession, type Publication } from '../../succession.ts';
import { untilCalled } from './until-called.ts';
import type { Candidate, Port } from './route.ts';

/** A server chosen for a client, under the term in which it was. */
export interface Route extends Candidate {
  readonly term: number;
  /** Aborts when a client that was not served yet must be sent elsewhere. */
  readonly validity: AbortSignal;
}

/** The present view of who leads and who follows, and those who wait for it to change. */
export class RouteBoard {
  readonly #succession = new Succession();
  #leadership = new AbortController();
  readonly #closing = new AbortController();
  readonly #waiters = new Set<() => void>();

  get view(): RouteView {
    return this.#succession.view;
  }

  get isHolding(): boolean {
    return this.#succession.isHolding;
  }

  publish(view: RouteView): Publication {
    const publication = this.#succession.publish(view);
    if (!publication.accepted) return publication;
    const { previous, isNewTerm } = publication;
    const isSameServer = view.leader?.host === previous.leader?.host && view.leader?.port === previous.leader?.port;
    if (isNewTerm || !isSameServer) this.#redirect();
    this.#wakeAll();
    return publication;
  }

  /** From now no client gets the leader of `term`, not even one that is just being connected. False when it is known that its term is over. */
  hold(term: number): boolean {
    if (!this.#succession.hold(term)) return false;
    this.#redirect();
    return true;
  }

  resume(term: number): void {
    this.#succession.resume(term);
    this.#wakeAll();
  }

  /** The view as this port may use it now. */
  viewFor(port: Port): RouteView {
    return port === 'write' && this.isHolding ? { ...this.view, leader: undefined } : this.view;
  }

  route(candidate: Candidate): Route {
    const validity = candidate.as === 'leader' ? this.#leadership.signal : this.#closing.signal;
    return { ...candidate, term: this.view.term, validity };
  }

  /** Resolves at the next change. @throws the signal's reason */
  async changed(signal: AbortSignal): Promise<void> {
    await untilCalled(signal, (onChange) => {
      this.#waiters.add(onChange);
      return () => this.#waiters.delete(onChange);
    });
  }

  #redirect(): void {
    const before = this.#leadership;
    this.#leadership = new AbortController();
    before.abort(new Error('the leadership changed'));
  }

  #wakeAll(): void {
    const waiters = [...this.#waiters];
    this.#waiters.clear();
    for (const wake of waiters) wake();
  }
}
