import { HoldfastError, hasCode } from '../core/errors.ts';
import type { Runtime } from '../core/runtime.ts';
import { sayGoodbye } from './goodbye.ts';
import { type AcquireOptions, QueueHold } from './hold.ts';
import { anySignal, limitAfter, patiently } from './patience.ts';
import type { CoordinationStore, Entrance, OwnTicket, SessionOptions, Ticket } from './store.ts';

const ttlMsDefault = 10_000;

/** Longest pause before lining up again. */
const pauseMsMax = 200;

/** What is acquired, and by which rule. */
export interface Claim {
  /** What the caller calls it. */
  readonly name: string;
  readonly queue: string;
  readonly label: string;
  /** Done before lining up; its failure ends the attempt. */
  prepare?(signal: AbortSignal | undefined): Promise<void>;
  /** Done once it is held, before the caller gets it. Repeated while the store is away. */
  complete?(hold: QueueHold, signal: AbortSignal): Promise<void>;
  /** Of the places ahead, those of which one must go before it makes sense to look again; none: it is held. */
  blockers(ahead: readonly Ticket[]): readonly Ticket[];
}

/**
 * Waits in a queue until nothing ahead is in the way. Hand-over is in order of arrival. A waiter whose session is lost (cut off for longer
 * than its TTL) lines up again at the end. Whatever ends the wait, nothing of it stays behind.
 * @throws COORD_LOCK_TIMEOUT, COORD_DENIED, COORD_TTL_TOO_SHORT, COORD_BAD_KEY, the signal's reason; COORD_UNREACHABLE only with `waitMs: 0`
 */
export async function acquire(store: CoordinationStore, claim: Claim, runtime: Runtime, options: AcquireOptions): Promise<QueueHold> {
  const { waitMs } = options;
  if (waitMs === 0) return attempt(store, { ...claim, blockers: (ahead) => refuseToWait(claim, ahead) }, runtime, options, options.signal);
  const progress: Progress = { ahead: undefined };
  using limit = limitAfter(runtime.clock, waitMs, () => timedOut(claim, waitMs!, progress));
  const until = anySignal(options.signal, limit.signal);
  for (;;) {
    try {
      return await patiently(runtime, until, () => attempt(store, noting(claim, progress), runtime, options, until));
    } catch (error) {
      until.throwIfAborted();
      if (!hasCode(error, 'COORD_SESSION_LOST')) throw error;
      runtime.logger.info('coordination.wait.restarted', { name: claim.name, message: error.message });
      await runtime.clock.sleep(pauseMsMax * runtime.random.next(), until);
    }
  }
}

async function attempt(
  store: CoordinationStore,
  claim: Claim,
  runtime: Runtime,
  options: AcquireOptions,
  signal: AbortSignal | undefined,
): Promise<QueueHold> {
  const { ttlMs = ttlMsDefault, allowShortTtl = false, holder = claim.name } = options;
  await claim.prepare?.(signal);
  const entrance = await lineUp(store, claim, runtime, { ttlMs, allowShortTtl, name: holder }, signal);
  const { session, ticket } = entrance;
  try {
    const until = anySignal(session.signal, signal);
    await untilFront(store, claim, entrance, runtime, until);
    const hold = new QueueHold(claim.name, ticket, session);
    await patiently(runtime, until, async () => claim.complete?.(hold, until));
    until.throwIfAborted();
    session.assertValid();
    return hold;
  } catch (error) {
    await sayGoodbye(session, runtime);
    throw error;
  }
}

/** Takes a place at the end of the queue, with a session for it alone. */
async function lineUp(
  store: CoordinationStore,
  { queue, label }: Claim,
  runtime: Runtime,
  options: SessionOptions,
  signal: AbortSignal | undefined,
): Promise<Entrance> {
  if (store.enter !== undefined) return store.enter(queue, label, { ...options, ...(signal && { signal }) });
  const session = await store.openSession({ ...options, ...(signal && { signal }) });
  try {
    const ticket = await store.enqueue(queue, label, session, { signal: anySignal(session.signal, signal) });
    return { session, ticket, ahead: undefined };
  } catch (error) {
    await sayGoodbye(session, runtime);
    throw error;
  }
}

async function untilFront(
  store: CoordinationStore,
  claim: Claim,
  { ticket, ahead: aheadAtFirst }: Entrance,
  runtime: Runtime,
  signal: AbortSignal,
): Promise<void> {
  for (let ahead = aheadAtFirst; ; ahead = undefined) {
    ahead ??= await patiently(runtime, signal, () => lookAhead(store, claim, ticket, signal));
    const blockers = claim.blockers(ahead);
    if (blockers.length === 0) return;
    await patiently(runtime, signal, () => untilOneGone(store, blockers, signal));
  }
}

/** The places before ours. @throws COORD_SESSION_LOST when ours is gone */
async function lookAhead(store: CoordinationStore, claim: Claim, ticket: OwnTicket, signal: AbortSignal): Promise<readonly Ticket[]> {
  const queue = await store.queue(claim.queue, { signal });
  const place = queue.findIndex((other) => other.order === ticket.order);
  if (place === -1) throw new HoldfastError('COORD_SESSION_LOST', `the place in the queue for ${claim.name} is gone`);
  return queue.slice(0, place);
}

async function untilOneGone(store: CoordinationStore, tickets: readonly Ticket[], signal: AbortSignal): Promise<void> {
  const enough = new AbortController();
  const until = AbortSignal.any([signal, enough.signal]);
  try {
    await Promise.race(tickets.map((ticket) => store.untilGone(ticket, { signal: until })));
  } finally {
    enough.abort();
  }
}

interface Progress {
  /** How many were ahead when last looked; undefined: the store was never asked. */
  ahead: number | undefined;
}

function noting(claim: Claim, progress: Progress): Claim {
  return {
    ...claim,
    blockers: (ahead) => {
      progress.ahead = ahead.length;
      return claim.blockers(ahead);
    },
  };
}

function refuseToWait(claim: Claim, ahead: readonly Ticket[]): readonly Ticket[] {
  if (claim.blockers(ahead).length > 0) throw timedOut(claim, 0, { ahead: ahead.length });
  return [];
}

function timedOut(claim: Claim, waitMs: number, { ahead }: Progress): HoldfastError {
  const why = ahead === undefined ? 'the coordination store could not be reached' : `${ahead} ${ahead === 1 ? 'is' : 'are'} ahead`;
  return new HoldfastError('COORD_LOCK_TIMEOUT', `${claim.name} was not acquired within ${waitMs} ms: ${why}`, {
    retryable: true,
    hint:
      ahead === undefined
        ? 'Check that the store runs and that its address is right.'
        : 'Wait longer, or find out what the holder does for so long.',
  });
}
