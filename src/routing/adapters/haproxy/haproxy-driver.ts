import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import type { Clock } from '../../../core/clock.ts';
import { HoldfastError } from '../../../core/errors.ts';
import type { Logger } from '../../../core/logger.ts';
import type { Runtime } from '../../../core/runtime.ts';
import type { Driver, Observed, Order } from '../../driven-router.ts';
import type { Target } from '../../router.ts';
import { readBackend, type ServerSlot } from './backend.ts';
import type { HaproxyConfig } from './config.ts';
import { RuntimeSocket } from './runtime-socket.ts';

/** An address that refuses connections: HAProxy then tries again and again on its client's behalf, which so waits. */
const nowhere = { host: '127.0.0.1', port: 1 };

/** What was read is acted upon within this time or read again: another agent may have written meanwhile. */
const FRESH_MS = 200;

/**
 * Tells HAProxy by its runtime socket where clients go. Writers' one server gets the leader's address, or one that refuses, so that new clients
 * wait. The term is kept in HAProxy itself, in a variable of the process: of several agents that drive one HAProxy the highest term wins.
 *
 * `set maxconn frontend`, the obvious way to hold clients back, is not used: HAProxy 2.6.12 deadlocks when sessions end at that moment, and its
 * watchdog kills it.
 */
export class HaproxyDriver implements Driver {
  readonly #socket: RuntimeSocket;
  readonly #config: HaproxyConfig;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #variable: string;
  /** Who served readers as leader when last seen: they go when another leads. */
  #formerLeader: { readonly term: number; readonly host: string; readonly port: number } | undefined;

  constructor(service: string, config: HaproxyConfig, { clock, logger }: Runtime) {
    this.#socket = new RuntimeSocket(config.socket);
    this.#config = config;
    this.#clock = clock;
    this.#logger = logger.child({ service });
    this.#variable = `proc.holdfast_${service.replaceAll('-', '_')}_term`;
  }

  async carryOut(order: Order, signal: AbortSignal): Promise<Observed> {
    const wanted = await resolveOrder(order, signal);
    for (;;) {
      const readMs = this.#clock.monotonicMs();
      const found = await this.#read(signal);
      const counted = { write: sum(found.write), read: sum(found.read), held: 0 };
      if (found.term > order.term) return { outdoneBy: found.term, connections: counted, cut: 0 };
      const isNews = found.term < order.term;
      const { commands, cut } = this.#plan(wanted, found, isNews);
      if (isNews) commands.unshift('experimental-mode on', `set var ${this.#variable} int(${order.term})`);
      if (commands.length === 0) return { connections: counted, cut: 0 };
      if (this.#clock.monotonicMs() - readMs > FRESH_MS) continue;
      await this.#tell(commands, signal);
      if (order.leader !== undefined) this.#formerLeader = { term: order.term, ...wanted.leader! };
      return { connections: counted, cut };
    }
  }

  /** Clients that wait in HAProxy wait no longer than its `retries` allow: there is nothing to let go. */
  async letGo(): Promise<void> {}

  async [Symbol.asyncDispose](): Promise<void> {}

  async #read(signal: AbortSignal): Promise<{ term: number; write: ServerSlot[]; read: ServerSlot[] }> {
    const { write, read } = this.#config;
    const answer = await this.#socket.ask([`get var ${this.#variable}`], signal);
    const term = Number(/value=<(\d+)>/.exec(answer)?.[1] ?? 0);
    const slots = write === undefined ? [] : await readBackend(this.#socket, write, signal);
    if (slots.length > 1) {
      throw new HoldfastError('ROUTER_PROGRAM_UNFIT', `HAProxy's backend '${write}' has ${slots.length} servers, and only one leads`, {
        retryable: true,
        hint: 'Give it one server, whose address the agent sets, as docs/router.md shows.',
      });
    }
    return { term, write: slots, read: read === undefined ? [] : await readBackend(this.#socket, read, signal) };
  }

  #plan(wanted: Wanted, found: { term: number; write: readonly ServerSlot[]; read: readonly ServerSlot[] }, isNews: boolean): Plan {
    const writers = found.write.map((slot) => this.#planWriter(wanted, slot, found.term > 0 && isNews));
    const readers = this.#planReaders(wanted, found.read);
    const all = [...writers, readers];
    return { commands: all.flatMap(({ commands }) => commands), cut: all.reduce((total, { cut }) => total + cut, 0) };
  }

  #planWriter(wanted: Wanted, slot: ServerSlot, isOver: boolean): Plan {
    const server = `${this.#config.write}/${slot.name}`;
    const target = wanted.leader === undefined || wanted.waiting ? nowhere : wanted.leader;
    const moves = !isSame(slot, target);
    // Connected to somebody who is not the leader. While it is not known who is, nothing says so.
    const strays = wanted.leader !== undefined && !isSame(slot, nowhere) && !isSame(slot, wanted.leader);
    const cuts = isOver || strays;
    return {
      commands: [
        ...(moves ? [`set server ${server} addr ${target.host} port ${target.port}`] : []),
        ...(slot.inMaintenance || slot.drains ? [`set server ${server} state ready`] : []),
        // Clients that are still waiting to be connected are not among those, and stay.
        ...(cuts ? [`shutdown sessions server ${server}`] : []),
      ],
      cut: cuts ? slot.sessions : 0,
    };
  }

  /** Every reader's server keeps its slot; free slots are given to those that have none. */
  #planReaders(wanted: Wanted, slots: readonly ServerSlot[]): Plan {
    const commands: string[] = [];
    let cut = 0;
    const backend = this.#config.read;
    const former = this.#formerLeader;
    const free: ServerSlot[] = [];
    const placed = new Set<Place>();
    for (const slot of slots) {
      const server = `${backend}/${slot.name}`;
      const reader = wanted.readers.find((one) => !placed.has(one) && isSame(one, slot));
      const isOver = former !== undefined && former.term < wanted.term && isSame(slot, former) && !isSame(former, wanted.leader ?? nowhere);
      const isGone = wanted.leader !== undefined && !wanted.present.some((one) => isSame(one, slot));
      if ((isOver || isGone) && slot.sessions > 0) {
        commands.push(`shutdown sessions server ${server}`);
        cut += slot.sessions;
      }
      if (reader !== undefined) {
        placed.add(reader);
        if (slot.inMaintenance || slot.drains) commands.push(`set server ${server} state ready`);
      } else if (isGone || isSame(slot, nowhere)) {
        free.push(slot);
      } else if (!slot.drains) commands.push(`set server ${server} state drain`);
    }
    const homeless = wanted.readers.filter((one) => !placed.has(one));
    for (const slot of free) {
      const server = `${backend}/${slot.name}`;
      const reader = homeless.shift();
      if (reader !== undefined)
        commands.push(`set server ${server} addr ${reader.host} port ${reader.port}`, `set server ${server} state ready`);
      else if (!slot.inMaintenance) commands.push(`set server ${server} state maint`);
    }
    if (backend !== undefined && homeless.length > 0) {
      this.#logger.warn('routing.haproxy.slots-lacking', { backend, slots: slots.length, readers: wanted.readers.length });
    }
    return { commands, cut };
  }

  async #tell(commands: readonly string[], signal: AbortSignal): Promise<void> {
    const answer = await this.#socket.ask(commands, signal);
    const complaint = answer.split('\n').find((line) => /^(?:No such|Invalid|Failed|Can't|This command|.*not supported)/i.test(line));
    if (complaint === undefined) return;
    throw new HoldfastError('ROUTER_PROGRAM_UNFIT', `HAProxy does not do as told: ${complaint.trim()}`, {
      retryable: true,
      hint: 'HAProxy 2.4 or newer is needed, configured as docs/router.md shows.',
    });
  }
}

interface Place {
  readonly host: string;
  readonly port: number;
}

interface Plan {
  readonly commands: string[];
  readonly cut: number;
}

/** An order in addresses: HAProxy takes no names. */
interface Wanted {
  readonly term: number;
  readonly waiting: boolean;
  readonly leader: Place | undefined;
  readonly readers: readonly Place[];
  readonly present: readonly Place[];
}

async function resolveOrder(order: Order, signal: AbortSignal): Promise<Wanted> {
  const all = (targets: readonly Target[]): Promise<Place[]> => Promise.all(targets.map((target) => resolveTarget(target, signal)));
  return {
    term: order.term,
    waiting: order.waiting,
    leader: order.leader && (await resolveTarget(order.leader, signal)),
    readers: await all(order.readers),
    present: await all(order.present),
  };
}

async function resolveTarget({ host, port }: Target, signal: AbortSignal): Promise<Place> {
  if (isIP(host) !== 0) return { host, port };
  const aborted = Promise.withResolvers<never>();
  const abort = (): void => aborted.reject(signal.reason as Error);
  signal.addEventListener('abort', abort, { once: true });
  try {
    return { host: (await Promise.race([lookup(host), aborted.promise])).address, port };
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

function isSame(a: Place, b: Place): boolean {
  return a.host === b.host && a.port === b.port;
}

function sum(slots: readonly ServerSlot[]): number {
  return slots.reduce((total, { sessions }) => total + sessions, 0);
}
