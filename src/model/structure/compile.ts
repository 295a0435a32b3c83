import { HoldfastError } from '../../core/errors.ts';
import { assertStructure } from './check.ts';
import { expandGroup, shared, type CommonCauseEvent } from './common-cause.ts';
import { stateOf, type EventState, type When } from './event.ts';
import { FALSE, Graph, simplify, TRUE } from './graph.ts';
import type { Expression, Structure } from './structure.ts';

/** A structure as a function of independent events. */
export interface Compiled {
  readonly graph: Graph;
  /** Literal of the system's failure. */
  readonly top: number;
  /** Events by id − 1: those of the structure, and in the place of members of groups what `expandGroup` makes of them. */
  readonly events: readonly CompiledEvent[];
  /** Events that nothing depends on. */
  readonly idle: readonly string[];
}

export interface CompiledEvent {
  readonly name: string;
  /** The parts that it takes: more than one of a common cause. */
  readonly members: readonly string[];
  /** @throws MODEL_NO_STEADY_STATE */
  readonly stateAt: (when: When) => EventState;
}

/** @throws MODEL_STRUCTURE_INVALID */
export function compile(structure: Structure): Compiled {
  assertStructure(structure);
  const { events, failed } = independentEvents(structure);
  const raw = new Graph(events.length);
  const top = new Translation(structure, raw, failed).literalOf(structure.top);
  // Merging makes links where there were none before; three passes are enough for all but oddities, which cost time, not truth.
  let simple = { graph: raw, top };
  for (let pass = 0; pass < 3; pass++) simple = simplify(simple.graph, simple.top);
  return { ...simple, events, idle: idleEvents(simple, events) };
}

/** Events after the expansion of groups, and for each name of the structure the ids that fail it. */
function independentEvents(structure: Structure): { events: CompiledEvent[]; failed: Map<string, readonly number[]> } {
  const events: CompiledEvent[] = [];
  const failed = new Map<string, number[]>();
  const add = (event: CompiledEvent): void => {
    events.push(event);
    for (const member of event.members) failed.set(member, [...(failed.get(member) ?? []), events.length]);
  };
  const groupOf = new Map(
    Object.values(structure.groups ?? {}).flatMap((group) => group.members.map((member) => [member, group] as const)),
  );
  const expanded = new Set<object>();
  for (const [name, event] of Object.entries(structure.events)) {
    const group = groupOf.get(name);
    const stateAt = (when: When): EventState => known(name, stateOf(event, when));
    if (group === undefined) add({ name, members: [name], stateAt });
    else if (!expanded.has(group)) {
      expanded.add(group);
      for (const part of expandGroup(group)) add(ofGroup(part, stateAt));
    }
  }
  return { events, failed };
}

function ofGroup(part: CommonCauseEvent, stateAt: (when: When) => EventState): CompiledEvent {
  return { name: part.name, members: part.members, stateAt: (when) => shared(stateAt(when), part) };
}

function known(name: string, state: EventState | undefined): EventState {
  if (state !== undefined) return state;
  throw new HoldfastError('MODEL_NO_STEADY_STATE', `'${name}' is never repaired, so in the long run it has failed for certain.`, {
    hint: 'ask for a time instead of the steady state, or give the part a repair time or tests',
  });
}

function idleEvents({ graph, top }: { graph: Graph; top: number }, events: readonly CompiledEvent[]): string[] {
  const used = new Uint8Array(events.length + 1);
  if (top >> 1 <= events.length) used[top >> 1] = 1;
  for (const { of } of graph.gates) for (const literal of of) if (literal >> 1 <= events.length) used[literal >> 1] = 1;
  return events.filter((_, index) => used[index + 1] === 0).map(({ name }) => name);
}

type Compound = Exclude<Expression, string | boolean>;

/** From expressions to literals, each expression and name once, without recursion: names may nest as deep as they like. */
class Translation {
  readonly #structure: Structure;
  readonly #graph: Graph;
  readonly #failed: ReadonlyMap<string, readonly number[]>;
  readonly #byName = new Map<string, number>();
  readonly #byObject = new Map<Compound, number>();

  constructor(structure: Structure, graph: Graph, failed: ReadonlyMap<string, readonly number[]>) {
    this.#structure = structure;
    this.#graph = graph;
    this.#failed = failed;
  }

  literalOf(root: Expression): number {
    const open: Expression[] = [root];
    const entered = new Set<Expression>();
    for (let next = open.at(-1); next !== undefined; next = open.at(-1)) {
      if (this.#known(next) !== undefined) open.pop();
      else {
        const missing = this.#parts(next).filter((part) => this.#known(part) === undefined);
        if (missing.length === 0) this.#translate(next);
        else if (entered.has(next)) throw selfReference();
        else {
          entered.add(next);
          open.push(...missing);
        }
      }
    }
    return this.#known(root)!;
  }

  #known(expression: Expression): number | undefined {
    if (typeof expression === 'boolean') return expression ? TRUE : FALSE;
    return typeof expression === 'string' ? this.#byName.get(expression) : this.#byObject.get(expression);
  }

  #parts(expression: Expression): readonly Expression[] {
    if (typeof expression === 'boolean') return [];
    if (typeof expression !== 'string') return expression.of;
    const { gates = {} } = this.#structure;
    return Object.hasOwn(gates, expression) ? [gates[expression]!] : [];
  }

  #translate(expression: Expression): void {
    if (typeof expression === 'boolean') return;
    if (typeof expression !== 'string') {
      this.#byObject.set(
        expression,
        gateLiteral(
          this.#graph,
          expression,
          expression.of.map((part) => this.#known(part)!),
        ),
      );
      return;
    }
    const [definition] = this.#parts(expression);
    const literal =
      definition === undefined ? this.#graph.or((this.#failed.get(expression) ?? []).map((id) => 2 * id)) : this.#known(definition)!;
    this.#byName.set(expression, literal);
  }
}

function gateLiteral(graph: Graph, expression: Compound, of: readonly number[]): number {
  switch (expression.op) {
    case 'series':
    case 'or':
      return graph.or(of);
    case 'parallel':
    case 'and':
      return graph.and(of);
    case 'nor':
      return graph.not(graph.or(of));
    case 'nand':
      return graph.not(graph.and(of));
    case 'not':
      return graph.not(of[0]!);
    case 'xor':
      return graph.parity(of);
    case 'iff':
      return graph.or([graph.and(of), graph.and(of.map((literal) => graph.not(literal)))]);
    case 'imply':
      return graph.or([graph.not(of[0]!), of[1]!]);
    case 'atleast':
      return graph.atleast(expression.k, of);
    case 'k-of-n':
      return graph.atleast(of.length - expression.k + 1, of);
    case 'cardinality':
      return graph.and([graph.atleast(expression.min, of), graph.not(graph.atleast(expression.max + 1, of))]);
  }
}

function selfReference(): HoldfastError {
  return new HoldfastError('MODEL_STRUCTURE_INVALID', 'The structure can not be solved: an expression contains itself.', {
    hint: 'let one of them end in events',
  });
}
