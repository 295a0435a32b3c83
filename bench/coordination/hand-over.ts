import type { Hold } from '../../src/coordination/hold.ts';
import { acquireLock } from '../../src/coordination/lock.ts';
import type { CoordinationStore } from '../../src/coordination/store.ts';
import type { Runtime } from '../../src/core/runtime.ts';
import { type Summary, summarize } from '../kit/statistics.ts';
import type { Subject } from './stores.ts';
import { ttlMs } from './uncontended.ts';
import type { Wire, WireCounts } from '../../test/scenario/servers/wire.ts';

/** Programs that the waiters belong to: each is a client with connections of its own. */
const clientCount = 8;
/** How long the last waiter is waited for to have lined up. */
const settleMs = 30;
const settleChecksMax = 1_000;

export interface HandOver {
  readonly waiters: number;
  /** From one holder's holding to the next one's, ms; each holder releases at once. */
  readonly perHandOver: Summary;
  /** Holders that came before one that had lined up earlier. */
  readonly outOfOrder: number;
  /** On the wire, per hand-over. */
  readonly counts: WireCounts;
}

/** So many waiters line up behind a holder; then the lock goes through all their hands. */
export async function measureHandOver(subject: Subject, runtime: Runtime, waiters: number, repetitions: number): Promise<HandOver> {
  const times: number[] = [];
  let outOfOrder = 0;
  for (let n = 0; n < repetitions; n += 1) {
    const round = await handThrough(subject, runtime, waiters, `round-${n}`, undefined);
    times.push(...round.times);
    outOfOrder += round.outOfOrder;
  }
  await using wire = await subject.openWire();
  const counted = await handThrough(subject, runtime, waiters, 'counted', wire);
  outOfOrder += counted.outOfOrder;
  const { requests, answers, roundTrips, connections } = counted.counts!;
  return {
    waiters,
    perHandOver: summarize(times)!,
    outOfOrder,
    counts: {
      requests: requests / waiters,
      answers: answers / waiters,
      roundTrips: roundTrips / waiters,
      connections: connections / waiters,
    },
  };
}

async function handThrough(
  subject: Subject,
  runtime: Runtime,
  waiters: number,
  name: string,
  wire: Wire | undefined,
): Promise<{ times: number[]; outOfOrder: number; counts: WireCounts | undefined }> {
  await using stack = new AsyncDisposableStack();
  const clients: CoordinationStore[] = [];
  for (let n = 0; n < clientCount; n += 1) clients.push(stack.use(await subject.open(wire && { wire })));
  const observer = stack.use(await subject.open());
  const first = await acquireLock(clients[0]!, name, runtime, { ttlMs });
  const held: { readonly token: bigint; readonly atMs: number }[] = [];
  const through: Promise<void>[] = [];
  for (let n = 0; n < waiters; n += 1) {
    const waiting = acquireLock(clients[n % clientCount]!, name, runtime, { ttlMs, holder: `waiter ${n}` });
    through.push(waiting.then((hold) => takeAndGive(hold, held, runtime)));
  }
  await untilLinedUp(observer, name, waiters + 1, runtime);
  wire?.take();
  const startMs = runtime.clock.monotonicMs();
  await first.release();
  await Promise.all(through);
  const counts = wire?.take();
  const times = held.map(({ atMs }, n) => atMs - (held[n - 1]?.atMs ?? startMs));
  // The token is the order of arrival.
  const outOfOrder = held.filter(({ token }, n) => n > 0 && token < held[n - 1]!.token).length;
  return { times, outOfOrder, counts };
}

async function takeAndGive(hold: Hold, held: { token: bigint; atMs: number }[], runtime: Runtime): Promise<void> {
  held.push({ token: hold.token, atMs: runtime.clock.monotonicMs() });
  await hold.release();
}

async function untilLinedUp(store: CoordinationStore, name: string, places: number, runtime: Runtime): Promise<void> {
  for (let checks = 0; (await store.queue(`locks/${name}`)).length < places; checks += 1) {
    if (checks === settleChecksMax) throw new Error(`${places} did not line up`);
    await runtime.clock.sleep(settleMs);
  }
  // The last ones are still to set their watches.
  await runtime.clock.sleep(settleMs * 10);
}
