// What a lock costs beside the round trips that it needs, and how it goes through many hands. See --help.
import { parseArgs } from 'node:util';
import { createRuntime } from '../../src/runtime/index.ts';
import { describeMachine } from '../kit/machine.ts';
import { formatMs, formatTable } from '../kit/table.ts';
import { type HandOver, measureHandOver } from './hand-over.ts';
import { startEtcd, startZooKeeper } from './stores.ts';
import { measureUncontended, type Uncontended } from './uncontended.ts';

const help = `npm run bench -- coordination [options]

A lock on real etcd and real ZooKeeper: acquired and released when nobody else wants it, beside the round trips that it needs, made by hand
on the same server in the same run; and handed over among many waiters.

  --repetitions N   locks, and a twentieth as many rounds of waiters (200)
  --waiters N       in line for one lock (64)
  --servers N       1 or 3 (3)
  --only NAME       etcd or zookeeper
  --json            JSON instead of tables

Exit 0: the ratio is at most 1.3 on every store, and all hand-overs were in order; 1: not; 2: it could not run.`;

/** Times what the round trips that are needed take alone. */
const ratioMax = 1.3;
const roundsShare = 1 / 20;

interface Result {
  readonly store: string;
  readonly uncontended: Uncontended;
  readonly handOver: HandOver;
}

/** What is to be ended when the benchmark is. */
let running: AsyncDisposable | undefined;
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => void Promise.resolve(running?.[Symbol.asyncDispose]()).finally(() => process.exit(2)));

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      help: { type: 'boolean' },
      json: { type: 'boolean', default: false },
      repetitions: { type: 'string', default: '200' },
      waiters: { type: 'string', default: '64' },
      servers: { type: 'string', default: '3' },
      only: { type: 'string' },
    },
  });
  if (values.help === true) return say(help);
  const repetitions = positive('--repetitions', values.repetitions);
  const waiters = positive('--waiters', values.waiters);
  if (values.servers !== '1' && values.servers !== '3') throw new Error(`--servers is 1 or 3, not '${values.servers}'`);
  const servers = values.servers === '1' ? 1 : 3;
  const starts = { etcd: startEtcd, zookeeper: startZooKeeper };
  const names = values.only === undefined ? Object.keys(starts) : [values.only];
  await using runtime = createRuntime({ log: { level: 'error' } });
  const results: Result[] = [];
  for (const name of names) {
    if (name !== 'etcd' && name !== 'zookeeper') throw new Error(`--only is etcd or zookeeper, not '${name}'`);
    await using subject = await starts[name](runtime, servers);
    running = subject;
    results.push({
      store: name,
      uncontended: await measureUncontended(subject, runtime, repetitions),
      handOver: await measureHandOver(subject, runtime, waiters, Math.max(1, Math.round(repetitions * roundsShare))),
    });
  }
  const machine = await describeMachine();
  say(values.json ? JSON.stringify({ machine, servers, repetitions, results }, undefined, 2) : tables(results));
  return results.every(({ uncontended, handOver }) => uncontended.ratio <= ratioMax && handOver.outOfOrder === 0) ? 0 : 1;
}

function tables(results: readonly Result[]): string {
  const lock = results.map(({ store, uncontended: { write, byHand, acquireAndRelease, roundTripsNeeded, ratio, counts } }) => [
    store,
    formatMs(write.median),
    formatMs(byHand.median),
    formatMs(acquireAndRelease.median),
    formatMs(acquireAndRelease.p90),
    String(roundTripsNeeded),
    String(counts.roundTrips),
    String(counts.requests),
    `${ratio.toFixed(2)}×`,
  ]);
  const hands = results.map(({ store, handOver: { waiters, perHandOver, outOfOrder, counts } }) => [
    store,
    String(waiters),
    formatMs(perHandOver.median),
    formatMs(perHandOver.p90),
    formatMs(perHandOver.worst),
    String(outOfOrder),
    counts.requests.toFixed(1),
    counts.roundTrips.toFixed(1),
  ]);
  return [
    formatTable(
      ['uncontended', 'one write', 'by hand', 'acquire+release', 'p90', 'round trips needed', 'made', 'requests', 'of by hand'],
      lock,
    ),
    '',
    formatTable(['hand-over', 'waiters', 'median', 'p90', 'worst', 'out of order', 'requests each', 'round trips each'], hands),
  ].join('\n');
}

function positive(option: string, text: string): number {
  const value = Number(text);
  if (!(value > 0) || !Number.isInteger(value)) throw new Error(`${option}: '${text}' is no positive number`);
  return value;
}

function say(text: string): number {
  process.stdout.write(`${text}\n`);
  return 0;
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`error: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 2;
}
