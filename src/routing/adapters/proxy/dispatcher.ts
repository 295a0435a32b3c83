import type { Clock } from '../../../core/clock.ts';
import { messageOf } from '../../../core/errors.ts';
import { formatDurationMs } from '../../../core/units.ts';
import type { Target } from '../../router.ts';
import type { Route, RouteBoard } from './board.ts';
import type { ProxyConfig } from './config.ts';
import { type Backend, dial, greet, type Hello } from './dial.ts';
import { Gate } from './gate.ts';
import { deadline, linked } from '../../../core/deadline.ts';
import { chooseRoute, endpointOf, type Port } from './route.ts';

/** Why a client is sent away: for it to read. */
export class Refusal extends Error {
  readonly sqlState: string;
  readonly hint: string;

  constructor(sqlState: string, message: string, hint: string) {
    super(message);
    this.sqlState = sqlState;
    this.hint = hint;
  }
}

/** cannot_connect_now: clients and pools know it as "try again". */
const cannotConnectNow = '57P03';

/**
 * Finds a server for each new client: makes it wait while there is none, tries again while one does not take it, and gives up when the
 * hold is over. Nothing has reached the client until then, so that it can be sent anywhere.
 */
export class Dispatcher implements Disposable {
  readonly #service: string;
  readonly #board: RouteBoard;
  readonly #config: ProxyConfig;
  readonly #clock: Clock;
  readonly #gates = new Map<string, Gate>();
  readonly #connections = new Map<string, number>();
  readonly #held: Record<Port, number> = { write: 0, read: 0 };
  #turn = 0;

  constructor(service: string, board: RouteBoard, config: ProxyConfig, clock: Clock) {
    this.#service = service;
    this.#board = board;
    this.#config = config;
    this.#clock = clock;
  }

  /** Clients that wait for a server. */
  get held(): number {
    return this.#held.write + this.#held.read;
  }

  /**
   * Finds a server that answers `hello`, and gives it to `take` in the very moment in which the route to it still holds.
   * @throws Refusal, or the signal's reason
   */
  async acquire(port: Port, hello: Hello, take: (backend: Backend) => void, signal: AbortSignal): Promise<void> {
    let obstacle = port === 'write' ? 'it has no leader' : 'none of its members can be read from';
    using hold = deadline(this.#clock, this.#config.hold.for, () => this.#outOfTime(port, obstacle), signal);
    for (;;) {
      const route = await this.#route(port, hold.signal);
      const result = await this.#attempt(port, route, hello, take, hold.signal);
      if (result === 'taken') return;
      if (result.why) obstacle = `${route.as} ${route.target.node} does not take connections (${result.why})`;
    }
  }

  /** There is news of this server: it is tried again at once. */
  reopen(target: Target): void {
    this.#gates.get(endpointOf(target))?.open();
  }

  /** Forgets servers that are in no view any more. */
  retain(targets: readonly Target[]): void {
    const known = new Set(targets.map(endpointOf));
    for (const [endpoint, gate] of this.#gates) {
      if (known.has(endpoint) || this.#connections.has(endpoint) || gate.isWanted) continue;
      gate[Symbol.dispose]();
      this.#gates.delete(endpoint);
    }
  }

  [Symbol.dispose](): void {
    for (const gate of this.#gates.values()) gate[Symbol.dispose]();
  }

  async #route(port: Port, signal: AbortSignal): Promise<Route> {
    for (;;) {
      const candidate = this.#choose(port);
      if (candidate) return candidate;
      await this.#hold(port, () => this.#board.changed(signal));
    }
  }

  #choose(port: Port): Route | undefined {
    const policy = { lagBytesMax: this.#config.lagMax, readFromLeader: this.#config.readFromLeader };
    const loadOf = (target: Target) => {
      const endpoint = endpointOf(target);
      return { connections: this.#connections.get(endpoint) ?? 0, isOut: this.#gates.get(endpoint)?.closed ?? false };
    };
    const candidate = chooseRoute(port, this.#board.viewFor(port), policy, loadOf, this.#turn++);
    return candidate && this.#board.route(candidate);
  }

  /** One try. `why` is undefined when the route changed meanwhile, which says nothing about the server. */
  async #attempt(
    port: Port,
    route: Route,
    hello: Hello,
    take: (backend: Backend) => void,
    signal: AbortSignal,
  ): Promise<'taken' | { readonly why: string | undefined }> {
    const gate = this.#gateTo(route.target);
    using trying = linked(signal, route.validity);
    try {
      const enter = (): Promise<void> => gate.enter(trying.signal);
      await (gate.failing ? this.#hold(port, enter) : enter());
    } catch (error) {
      if (!route.validity.aborted || signal.aborted) throw error;
      return { why: undefined };
    }
    let outcome: 'answered' | 'failed' | 'abandoned' = 'abandoned';
    try {
      const backend = await this.#connect(route, hello, trying.signal);
      // Promises take their turns: much may have happened since it answered.
      if (trying.signal.aborted || backend.socket.destroyed) {
        backend.socket.destroy();
        throw new Error('it ended the connection at once');
      }
      take(backend);
      outcome = 'answered';
      return 'taken';
    } catch (error) {
      signal.throwIfAborted();
      if (route.validity.aborted) return { why: undefined };
      outcome = 'failed';
      return { why: messageOf(error) };
    } finally {
      gate.leave(outcome);
    }
  }

  async #connect(route: Route, hello: Hello, signal: AbortSignal): Promise<Backend> {
    const endpoint = endpointOf(route.target);
    this.#count(endpoint, 1);
    let backend: Backend;
    try {
      backend = await dial(route, this.#clock, this.#config.connectTimeout, signal);
    } catch (error) {
      this.#count(endpoint, -1);
      throw error;
    }
    backend.socket.once('close', () => this.#count(endpoint, -1));
    await greet(backend, hello, this.#clock, signal);
    return backend;
  }

  /** Waits as one of the held. @throws Refusal when there are too many */
  async #hold(port: Port, wait: () => Promise<void>): Promise<void> {
    if (this.#held[port] >= this.#config.hold.connections) {
      throw new Refusal(
        cannotConnectNow,
        `service '${this.#service}' can not be reached now, and ${this.#config.hold.connections} connections wait for it already`,
        'Try again later. The limit is hold.connections of the router.',
      );
    }
    this.#held[port]++;
    try {
      await wait();
    } finally {
      this.#held[port]--;
    }
  }

  #outOfTime(port: Port, obstacle: string): Refusal {
    const waited = formatDurationMs(this.#config.hold.for);
    const planned = port === 'write' && this.#board.isHolding ? 'its leadership is being handed over' : obstacle;
    return new Refusal(
      cannotConnectNow,
      `service '${this.#service}' can not be reached: ${planned}; waited ${waited}`,
      "Try again later; 'holdfast status' shows the state of the service.",
    );
  }

  #gateTo(target: Target): Gate {
    const endpoint = endpointOf(target);
    let gate = this.#gates.get(endpoint);
    if (gate === undefined) this.#gates.set(endpoint, (gate = new Gate(this.#clock)));
    return gate;
  }

  #count(endpoint: string, change: number): void {
    const count = (this.#connections.get(endpoint) ?? 0) + change;
    if (count === 0) this.#connections.delete(endpoint);
    else this.#connections.set(endpoint, count);
  }
}
