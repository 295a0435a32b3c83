import type { Clock } from '../core/clock.ts';
import type { AgentControl, AgentEvent } from './control.ts';

/** Something is sent at least so often, so that both sides notice a dead connection. */
const heartbeatMs = 15_000;
/** A reader that takes nothing for so long is let go. */
const stuckMs = 60_000;
/** How long a browser waits before it connects again. */
const retryMs = 2_000;

export interface EventStreamOptions {
  /** The last event that the reader has. */
  readonly afterId: number | undefined;
  readonly clock: Clock;
  /** Ends the stream. */
  readonly signal: AbortSignal;
  /** The reader takes nothing any more: only ending its connection helps. */
  readonly onStuck: () => void;
}

/**
 * The agent's events as a text/event-stream (HTML standard, "Server-sent events"). A slow reader holds nobody up; it misses what the
 * agent has forgotten meanwhile.
 */
export async function* eventStream(control: AgentControl, { afterId, clock, signal, onStuck }: EventStreamOptions): AsyncGenerator<string> {
  const events = control.events({ ...(afterId === undefined ? {} : { afterId }), signal })[Symbol.asyncIterator]();
  for await (const chunk of chunks(events, clock, signal)) {
    const timer = clock.after(stuckMs, onStuck);
    try {
      yield chunk;
    } finally {
      timer[Symbol.dispose]();
    }
  }
}

async function* chunks(events: AsyncIterator<AgentEvent>, clock: Clock, signal: AbortSignal): AsyncGenerator<string> {
  yield `retry: ${retryMs}\n\n`;
  let next = events.next();
  while (!signal.aborted) {
    const result = await nextOrHeartbeat(next, clock, signal);
    if (result === 'ended') return;
    if (result === 'heartbeat') {
      yield ':\n\n';
      continue;
    }
    if (result.done) return;
    yield frame(result.value);
    next = events.next();
  }
}

async function nextOrHeartbeat(
  next: Promise<IteratorResult<AgentEvent>>,
  clock: Clock,
  signal: AbortSignal,
): Promise<IteratorResult<AgentEvent> | 'heartbeat' | 'ended'> {
  const silence = new AbortController();
  const stop = (): void => silence.abort();
  signal.addEventListener('abort', stop, { once: true });
  try {
    const silent = clock.sleep(heartbeatMs, silence.signal).then(
      () => 'heartbeat' as const,
      () => 'ended' as const,
    );
    return await Promise.race([next, silent]);
  } finally {
    signal.removeEventListener('abort', stop);
    stop();
  }
}

/** JSON has no line breaks, so that one `data` line holds it. */
function frame(event: AgentEvent): string {
  return `id: ${event.id}\nevent: ${event.kind.replaceAll(/[\r\n]/g, ' ')}\ndata: ${JSON.stringify(event)}\n\n`;
}
