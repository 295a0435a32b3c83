import type { RouteView } from './router.ts';

export type Publication =
  | { readonly accepted: true; readonly isNewTerm: boolean; readonly previous: RouteView }
  /** `lower`: an earlier term than one seen; `contradicts`: another leader than this very term had. */
  | { readonly accepted: false; readonly why: 'lower' | 'contradicts' };

/**
 * Who leads, term after term, and whether a hand-over has begun. The term is the only authority: nothing of a lower one is ever followed
 * again, and a term has one leader.
 */
export class Succession {
  #view: RouteView = { term: 0, leader: undefined, replicas: [] };
  /** Who was named leader of the present term. */
  #leaderNode: string | undefined;
  /** The term in which a hand-over began; held until a leader of a higher one. */
  #heldAtTerm: number | undefined;

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
    return { accepted: true, isNewTerm, previous };
  }

  /** A hand-over of the leadership of `term` begins. False when it is known that its term is over. */
  hold(term: number): boolean {
    if (term < this.#view.term) return false;
    this.#heldAtTerm = term;
    return true;
  }

  /** The hand-over of the leadership of `term`, or of an earlier one, is given up. */
  resume(term: number): void {
    if (this.#heldAtTerm !== undefined && this.#heldAtTerm <= term) this.#heldAtTerm = undefined;
  }
}
