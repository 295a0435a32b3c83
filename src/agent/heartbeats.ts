import type { Runtime } from '../core/runtime.ts';
import type { Timer } from '../core/clock.ts';
import { StallWatch } from '../detection/index.ts';
import type { Heartbeat, MemberState } from '../failover/messages.ts';
import type { Peers } from '../failover/peers.ts';

const STALL_MS = 300;
/** After a stall, so many heartbeats are heard before anybody is judged by silence again. */
const ABSTAIN_BEATS = 5;
/**
 * While nothing changes, every so many beats are enough from agents whose silence calls for nothing at once: those without members, and those
 * whose members all follow a leader. And for agents without members, which judge nobody.
 */
const SLOW_BEATS = 3;
/** So long a heartbeat that says nothing new keeps its time of day: then it is the same as the one before, and costs everybody less. */
const STAMP_MS = 10_000;
/** … and the figures of copies, which change all the time. */
const COPIES_MS = 1_000;

export interface HeartbeatOptions {
  readonly everyMs: number;
  readonly compose: () => Heartbeat;
  /** Called at every beat, before it is composed. */
  readonly onBeat: () => void;
  /** The agent itself did not run for a while: nobody is judged for `forMs`. */
  readonly stalled: (stalledMs: number, forMs: number) => void;
}

/** Tells all peers this agent's state: regularly, and at once when something changed that others wait for. */
export class Heartbeats implements Disposable {
  readonly #peers: Peers;
  readonly #runtime: Runtime;
  readonly #options: HeartbeatOptions;
  readonly #stalls = new StallWatch(STALL_MS);
  readonly #links: Disposable;
  #timer: Timer | undefined;
  #said: { readonly heartbeat: Heartbeat; readonly content: string; readonly atMs: number } | undefined;
  /** Beats since all were told. */
  #beats = 0;
  #soon = false;
  #stopped = false;
  #lastMs: number;

  constructor(peers: Peers, runtime: Runtime, options: HeartbeatOptions) {
    this.#peers = peers;
    this.#runtime = runtime;
    this.#options = options;
    this.#lastMs = runtime.clock.monotonicMs();
    // Whoever connects hears at once how things are.
    this.#links = peers.network.onLinkChange((link) => link.status === 'connected' && this.announce());
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
      if (!this.#stopped) this.#tellAll(this.#compose());
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
    this.#options.onBeat();
    this.#tell();
    this.#timer = clock.after(this.#options.everyMs, () => this.#beat());
  }

  #tell(): void {
    const before = this.#said?.content;
    const heartbeat = this.#compose();
    this.#beats += 1;
    if (this.#said?.content !== before || this.#beats >= SLOW_BEATS) this.#tellAll(heartbeat);
    else if (isWatched(heartbeat)) this.#peers.network.broadcast('heartbeat', heartbeat, this.#onlookers());
  }

  #tellAll(heartbeat: Heartbeat): void {
    this.#beats = 0;
    this.#peers.network.broadcast('heartbeat', heartbeat);
  }

  /** What there is to say now: the very same object while that is nothing new. */
  #compose(): Heartbeat {
    const { compose, everyMs } = this.#options;
    const composed = compose();
    const heartbeat = { ...composed, nextMs: isWatched(composed) ? everyMs : SLOW_BEATS * everyMs };
    const content = JSON.stringify([heartbeat.members, heartbeat.routers]);
    const nowMs = this.#runtime.clock.monotonicMs();
    const said = this.#said;
    const goodForMs = heartbeat.copies.length > 0 ? COPIES_MS : STAMP_MS;
    if (said?.content === content && nowMs - said.atMs < goodForMs) return said.heartbeat;
    this.#said = { heartbeat, content, atMs: nowMs };
    return heartbeat;
  }

  #onlookers(): ReadonlySet<string> {
    return new Set(this.#peers.reports().flatMap(({ node, heartbeat }) => (heartbeat.members.length === 0 ? [node] : [])));
  }

  [Symbol.dispose](): void {
    this.#stopped = true;
    this.#links[Symbol.dispose]();
    this.#timer?.[Symbol.dispose]();
  }
}

/** Whether others are to notice within a beat that it fell silent: it leads, or may soon. */
function isWatched({ members }: Heartbeat): boolean {
  return !members.every(follows);
}

function follows({ role, leader, streamingFrom, serving, suspects }: MemberState): boolean {
  return role === 'replica' && streamingFrom === leader && serving === 0 && suspects === 0;
}
