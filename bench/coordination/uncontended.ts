import { acquireLock } from '../../src/coordination/lock.ts';
import type { CoordinationStore } from '../../src/coordination/store.ts';
import type { Runtime } from '../../src/core/runtime.ts';
import { type Summary, summarize } from '../kit/statistics.ts';
import type { Subject } from './stores.ts';
import type { WireCounts } from '../../test/scenario/servers/wire.ts';

/** Before anything counts: connections are made, queues created, code compiled. */
const warmUps = 20;
/** Long enough that no renewal falls into what is counted. */
export const ttlMs = 60_000;
/** Over so many the counts are averaged. */
const counted = 10;

export interface Uncontended {
  /** One write on an open connection, ms. */
  readonly write: Summary;
  /** A lock acquired that nobody else wants, and released, ms. */
  readonly acquireAndRelease: Summary;
  readonly roundTripsNeeded: number;
  /** Those round trips made by hand, ms. */
  readonly byHand: Summary;
  /** Median of `acquireAndRelease` ÷ median of `byHand`. */
  readonly ratio: number;
  /** Per acquire and release, on the wire. */
  readonly counts: WireCounts;
}

/** What is compared alternates, so that what the machine does meanwhile meets both alike. */
export async function measureUncontended(subject: Subject, runtime: Runtime, repetitions: number): Promise<Uncontended> {
  await using raw = await subject.openRaw();
  await using store = await subject.open();
  const writes: number[] = [];
  const hands: number[] = [];
  const locks: number[] = [];
  for (let n = -warmUps; n < repetitions; n += 1) {
    const write = await timed(runtime, () => raw.write());
    const hand = await timed(runtime, () => raw.roundTrips());
    const lock = await timed(runtime, () => acquireAndRelease(store, runtime));
    if (n < 0) continue;
    writes.push(write);
    hands.push(hand);
    locks.push(lock);
  }
  const [write, byHand, acquired] = [summarize(writes)!, summarize(hands)!, summarize(locks)!];
  const { roundTripsNeeded } = subject;
  return {
    write,
    byHand,
    acquireAndRelease: acquired,
    roundTripsNeeded,
    ratio: acquired.median / byHand.median,
    counts: await countOnWire(subject, runtime),
  };
}

async function countOnWire(subject: Subject, runtime: Runtime): Promise<WireCounts> {
  await using wire = await subject.openWire();
  await using store = await subject.open({ wire });
  for (let n = 0; n < warmUps; n += 1) await acquireAndRelease(store, runtime);
  wire.take();
  for (let n = 0; n < counted; n += 1) await acquireAndRelease(store, runtime);
  const { requests, answers, roundTrips, connections } = wire.take();
  return {
    requests: requests / counted,
    answers: answers / counted,
    roundTrips: roundTrips / counted,
    connections: connections / counted,
  };
}

async function acquireAndRelease(store: CoordinationStore, runtime: Runtime): Promise<void> {
  const lock = await acquireLock(store, 'uncontended', runtime, { ttlMs });
  await lock.release();
}

async function timed(runtime: Runtime, work: () => Promise<void>): Promise<number> {
  const startMs = runtime.clock.monotonicMs();
  await work();
  return runtime.clock.monotonicMs() - startMs;
}
