/**
 * A Boolean function as a graph of gates in which equal parts are one, the way in which structures are simplified before they are solved.
 *
 * A *literal* is `2·id`, plus 1 when negated; id 0 is the constant false, ids 1 … `variables` are events, greater ones gates. There are three gates:
 * AND, at least k, and parity (an odd number); OR is an AND with everything negated. Arguments of a gate have smaller ids than the gate.
 * Source of the simplifications: Niemelä: On simplification of large fault trees, Reliability Engineering and System Safety 44 (1994).
 */
export type GateKind = 'and' | 'atleast' | 'parity';

export interface Gate {
  readonly kind: GateKind;
  /** Of `atleast`; else 0. */
  readonly k: number;
  readonly of: readonly number[];
}

export const FALSE = 0;
export const TRUE = 1;

export class Graph {
  readonly variables: number;
  /** `gates[i]` has id `variables + 1 + i`. */
  readonly gates: Gate[] = [];
  readonly #known = new Map<string, number>();

  constructor(variables: number) {
    this.variables = variables;
  }

  /** Undefined for a constant or an event. */
  gateOf(literal: number): Gate | undefined {
    return this.gates[(literal >> 1) - this.variables - 1];
  }

  not(literal: number): number {
    return literal ^ 1;
  }

  or(of: readonly number[]): number {
    return this.and(of.map((literal) => literal ^ 1)) ^ 1;
  }

  and(of: readonly number[]): number {
    const kept = [...new Set(of)].filter((literal) => literal !== TRUE).toSorted((a, b) => a - b);
    // x and not x stand beside each other once sorted.
    if (kept[0] === FALSE || kept.some((literal, index) => literal === (kept[index + 1] ?? -1) - 1 && (literal & 1) === 0)) return FALSE;
    if (kept.length === 0) return TRUE;
    return kept.length === 1 ? kept[0]! : this.#make('and', 0, kept);
  }

  /** An argument may stand in it more than once, and counts as often. */
  atleast(k: number, of: readonly number[]): number {
    const free: number[] = [];
    let needed = k;
    for (const literal of of.toSorted((a, b) => a - b)) {
      if (literal <= TRUE) needed -= literal;
      // One of x and not x is always there.
      else if ((literal & 1) === 1 && free.at(-1) === literal - 1) {
        free.pop();
        needed--;
      } else free.push(literal);
    }
    if (needed <= 0) return TRUE;
    if (needed > free.length) return FALSE;
    if (needed === 1) return this.or(free);
    return needed === free.length ? this.and(free) : this.#make('atleast', needed, free);
  }

  parity(of: readonly number[]): number {
    let odd = 0;
    const kept = new Set<number>();
    for (const literal of of) {
      odd ^= literal & 1;
      const positive = literal & ~1;
      if (positive !== FALSE && !kept.delete(positive)) kept.add(positive);
    }
    const list = [...kept].toSorted((a, b) => a - b);
    if (list.length === 0) return odd;
    return (list.length === 1 ? list[0]! : this.#make('parity', 0, list)) ^ odd;
  }

  #make(kind: GateKind, k: number, of: readonly number[]): number {
    const key = `${kind}${k}:${of.join(',')}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    this.gates.push({ kind, k, of });
    const literal = 2 * (this.variables + this.gates.length);
    this.#known.set(key, literal);
    return literal;
  }
}

/** The ids of gates below a literal, arguments before the gates that have them. */
export function gatesBelow(graph: Graph, top: number): number[] {
  const reached = new Uint8Array(graph.variables + graph.gates.length + 1);
  reached[top >> 1] = 1;
  const ids: number[] = [];
  // Arguments have smaller ids, so one pass downward reaches all.
  for (let id = graph.variables + graph.gates.length; id > graph.variables; id--) {
    if (reached[id] === 0) continue;
    ids.push(id);
    for (const literal of graph.gates[id - graph.variables - 1]!.of) reached[literal >> 1] = 1;
  }
  return ids.toReversed();
}

/**
 * The same function, with chains of ANDs (and of ORs) made one gate where nothing else uses the links, and without what `top` does not need.
 * @returns the new graph and what `top` is in it
 */
export function simplify(graph: Graph, top: number): { graph: Graph; top: number } {
  const ids = gatesBelow(graph, top);
  const parents = new Uint32Array(graph.variables + graph.gates.length + 1);
  for (const id of ids) for (const literal of graph.gates[id - graph.variables - 1]!.of) parents[literal >> 1]!++;
  const simple = new Graph(graph.variables);
  const made = new Map<number, number>();
  const now = (literal: number): number => (literal >> 1 <= graph.variables ? literal : made.get(literal >> 1)! ^ (literal & 1));
  for (const id of ids) {
    const { kind, k, of } = graph.gates[id - graph.variables - 1]!;
    if (kind === 'atleast') made.set(id, simple.atleast(k, of.map(now)));
    else if (kind === 'parity') made.set(id, simple.parity(of.map(now)));
    else made.set(id, simple.and(of.flatMap((literal) => (parents[literal >> 1] === 1 ? links(simple, now(literal)) : [now(literal)]))));
  }
  return { graph: simple, top: now(top) };
}

/** What may stand for a literal in an AND. */
function links(graph: Graph, literal: number): readonly number[] {
  const gate = graph.gateOf(literal);
  return gate?.kind === 'and' && (literal & 1) === 0 ? gate.of : [literal];
}
