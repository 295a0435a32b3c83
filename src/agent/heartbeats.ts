import type { Runtime } from '../core/runtime.ts';
import type { Timer } from '../core/clock.ts';
import { StallWatch } from '../detection/index.ts';
import type { Heartbeat } from '../failover/messages.ts';
import type { Peers } from '../failover/peers.ts';

const STALL_MS = 300;
/** After a stall, so many heartbeats are heard before anybody is judged by silence again. */
const ABSTAIN_BEATS = 5;

export interface HeartbeatOptions {
  readonly everyMs: number;
  readonly compose: () => Heartbeat;
  /** The agent itself did not run for a while: nobody is judged for `forMs`. */
  readonly stalled: (stalledMs: number, forMs: number) => void;
}

/** Tells all peers this agent's state: regularly, and at once when something changed that others wait for. */
export class Heartbeats implements Disposable {
  readonly #peers: Peers;
  readonly #runtime: Runtime;
  readonly #options: HeartbeatOptions;
  readonly #stalls = new StallWatch(STALL_MS);
  #timer: Timer | undefined;
  #soon = false;
  #stopped = false;
  #lastMs: number;

  constructor(peers: Peers, runtime: Runtime, options: HeartbeatOptions) {
    this.#peers = peers;
    this.#runtime = runtime;
    this.#options = options;
    this.#lastMs = runtime.clock.monotonicMs();
    this.#beat();
  }

  /** Monotonic time of the last turn. */
  get lastMs(): number {
    return this.#lastMs;
  }

  /** Sends soon: several changes in one turn of the event loop are told together. */
  announce(): void {
    if (this.#soon || this.#stopped) return;
    this.#soon = true;
    queueMicrotask(() => {
      this.#soon = false;
      if (!this.#stopped) this.#send();
    });
  }

  #beat(): void {
    if (this.#stopped) return;
    const { clock, logger } = this.#runtime;
    this.#lastMs = clock.monotonicMs();
    const stalledMs = this.#stalls.tick(this.#lastMs, clock.bootMs(), this.#options.everyMs);
    if (stalledMs > 0) {
      logger.warn('agent.stalled', { stalledMs: Math.round(stalledMs) });
      this.#peers.observerStalled();
      this.#options.stalled(stalledMs, this.#options.everyMs * ABSTAIN_BEATS);
    }
    this.#send();
    this.#timer = clock.after(this.#options.everyMs, () => this.#beat());
  }

  #send(): void {
    this.#peers.network.broadcast('heartbeat', this.#options.compose());
  }

  [Symbol.dispose](): void {
    this.#stopped = true;
    this.#timer?.[Symbol.dispose]();
  }
}
