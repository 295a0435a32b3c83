import type { AgentEvent } from '../api/control.ts';
import type { Runtime } from '../core/runtime.ts';

const EVENTS_MAX = 1_000;

/** The last events of this agent, and whoever follows them. */
export class EventLog {
  readonly #runtime: Runtime;
  readonly #node: string;
  readonly #events: AgentEvent[] = [];
  #wakers: (() => void)[] = [];
  #nextId = 1;

  constructor(runtime: Runtime, node: string) {
    this.#runtime = runtime;
    this.#node = node;
  }

  add(service: string | undefined, kind: string, data: Readonly<Record<string, unknown>>): void {
    const at = new Date(this.#runtime.clock.wallMs()).toISOString();
    this.#events.push({ id: this.#nextId++, at, node: this.#node, service, kind, data });
    if (this.#events.length > EVENTS_MAX) this.#events.shift();
    const wakers = this.#wakers;
    this.#wakers = [];
    for (const wake of wakers) wake();
  }

  /** All events after `afterId` that are still remembered, then each as it happens, until `signal` aborts. */
  async *follow(options: { afterId?: number; signal: AbortSignal }): AsyncIterable<AgentEvent> {
    const newest = this.#nextId - 1;
    // A position beyond the newest is one of an earlier life of this agent: all of this life is news.
    let last = options.afterId === undefined ? newest : options.afterId > newest ? 0 : options.afterId;
    while (!options.signal.aborted) {
      for (const event of this.#events.filter((one) => one.id > last)) {
        last = event.id;
        yield event;
      }
      if (this.#nextId - 1 > last || options.signal.aborted) continue;
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          options.signal.removeEventListener('abort', wake);
          resolve();
        };
        this.#wakers.push(wake);
        options.signal.addEventListener('abort', wake, { once: true });
      });
    }
  }
}
