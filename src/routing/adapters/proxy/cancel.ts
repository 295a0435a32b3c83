import type { Clock } from '../../../core/clock.ts';
import type { Target } from '../../router.ts';
import type { RouteBoard } from './board.ts';
import { dial } from './dial.ts';
import { deadline } from '../../../core/deadline.ts';
import { endpointOf, type Port } from './route.ts';

/** A server has so long to deal with a cancellation. */
const deliveryTimeoutMs = 5_000;
/** Servers that a request of unknown origin is passed to. */
const unknownTargetsMax = 16;

/**
 * Which server each open session's cancellation key belongs to. A request comes on a connection of its own and names only the key.
 * Sessions under TLS keep theirs to themselves: a request that is not known is passed to every server of the port, and those that do not
 * know the key ignore it.
 */
export class CancelKeys {
  readonly #targets = new Map<string, Target>();
  readonly #board: RouteBoard;
  readonly #clock: Clock;
  readonly #connectTimeoutMs: number;

  constructor(board: RouteBoard, clock: Clock, connectTimeoutMs: number) {
    this.#board = board;
    this.#clock = clock;
    this.#connectTimeoutMs = connectTimeoutMs;
  }

  add(key: string, target: Target): void {
    this.#targets.set(key, target);
  }

  delete(key: string): void {
    this.#targets.delete(key);
  }

  /** Resolves when the servers are done with it, or did not take it: there is nobody to tell. */
  async deliver(packet: Buffer, key: string, port: Port, signal: AbortSignal): Promise<void> {
    const known = this.#targets.get(key);
    const targets = known ? [known] : this.#everyone(port);
    await Promise.all(targets.map((target) => this.#send(packet, target, signal)));
  }

  #everyone(port: Port): Target[] {
    const { leader, replicas } = this.#board.view;
    const all = [...(leader ? [leader] : []), ...(port === 'read' ? replicas : [])];
    const distinct = new Map(all.map((target) => [endpointOf(target), target]));
    return [...distinct.values()].slice(0, unknownTargetsMax);
  }

  async #send(packet: Buffer, target: Target, parent: AbortSignal): Promise<void> {
    using limit = deadline(this.#clock, deliveryTimeoutMs, () => new Error('the server does not deal with it'), parent);
    try {
      const route = { ...this.#board.route({ target, as: 'replica' }) };
      const { socket, inlet } = await dial(route, this.#clock, this.#connectTimeoutMs, limit.signal);
      try {
        socket.write(packet);
        while (!inlet.ended) await inlet.more(limit.signal);
      } finally {
        socket.destroy();
      }
    } catch {
      // Not delivered: the query goes on, which is what a cancellation can always end in.
    }
  }
}
