import type { RouteView } from '../../router.ts';
import { untilCalled } from './until-called.ts';
import type { Candidate, Port } from './route.ts';

/** A server chosen for a client, under the term in which it was. */
export interface Route extends Candidate {
  readonly term: number;
  /** Aborts when a client that was not served yet must be sent elsewhere. */
  readonly validity: AbortSignal;
}

export type Publication =
  | { readonly accepted: true; readonly isNewTerm: boolean; readonly previous: RouteView }
  /** `lower`: an earlier term than one seen; `contradicts`: another leader than this very term had. */
  | { readonly accepted: false; readonly why: 'lower' | 'contradicts' };

/**
 * The present view of who leads and who follows, and those who wait for it to change. The term is the only authority here: nothing of
 * a lower one is ever followed again.
 */
export class RouteBoard {
  #view: RouteView = { term: 0, leader: undefined, replicas: [] };
  /** Who was named leader of the present term: a term has one. */
  #leaderNode: string | undefined;
  /** The term in which a hand-over began; held until a leader of a higher one. */
  #heldAtTerm: number | undefined;
  #leadership = new AbortController();
  readonly #closing = new AbortController();
  readonly #waiters = new Set<() => void>();

  get view(): RouteView {
    return this.#view;
  }

  get isHolding(): boolean {
    return this.#heldAtTerm !== undefined;
  }

  publish(view: RouteView): Publication {
    if (view.term < this.#view.term) return { accepted: false, why: 'lower' };
    const isNewTerm = view.term > this.#view.term;
    const isAnother = view.leader !== undefined && this.#leaderNode !== undefined && view.leader.node !== this.#leaderNode;
    if (!isNewTerm && isAnother) return { accepted: false, why: 'contradicts' };

    const previous = this.#view;
    this.#view = view;
    if (isNewTerm) this.#leaderNode = undefined;
    this.#leaderNode ??= view.leader?.node;
    if (this.#heldAtTerm !== undefined && view.leader && view.term > this.#heldAtTerm) this.#heldAtTerm = undefined;
    const isSameServer = view.leader?.host === previous.leader?.host && view.leader?.port === previous.leader?.port;
    if (isNewTerm || !isSameServer) this.#redirect();
    this.#wakeAll();
    return { accepted: true, isNewTerm, previous };
  }

  /** From now no client gets the leader of `term`, not even one that is just being connected. False when it is known that its term is over. */
  hold(term: number): boolean {
    if (term < this.#view.term) return false;
    this.#heldAtTerm = term;
    this.#redirect();
    return true;
  }

  resume(): void {
    this.#heldAtTerm = undefined;
    this.#wakeAll();
  }

  /** The view as this port may use it now. */
  viewFor(port: Port): RouteView {
    return port === 'write' && this.isHolding ? { ...this.#view, leader: undefined } : this.#view;
  }

  route(candidate: Candidate): Route {
    const validity = candidate.as === 'leader' ? this.#leadership.signal : this.#closing.signal;
    return { ...candidate, term: this.#view.term, validity };
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
