// A client of a store as a process of its own, which records all that it does: node client.ts SETTINGS (JSON of ClientSettings). Ends by the
// message `stop`, or with an error that no client may see.
import { campaign, observeLeader } from '../../../src/coordination/election.ts';
import { acquireLock } from '../../../src/coordination/lock.ts';
import { openStore } from '../../../src/coordination/registry.ts';
import { storeConfigSchema, type StoreConfigInput } from '../../../src/coordination/config.ts';
import type { CoordinationStore } from '../../../src/coordination/store.ts';
import { hasCode } from '../../../src/core/errors.ts';
import { createRuntime } from '../../../src/runtime/index.ts';
import { seededRandom } from '../../../src/sim/index.ts';
import { type Holding, holdAgainAndAgain } from './holder.ts';
import { useKeys } from './key-user.ts';
import { Recorder } from './recorder.ts';
import { FarResource } from './resource.ts';

export interface ClientSettings {
  readonly name: string;
  readonly store: StoreConfigInput;
  /** Where recordings are kept. */
  readonly directory: string;
  readonly seed: string;
  /** How many of each work at the same time. */
  readonly keyUsers: number;
  readonly holders: number;
  readonly candidates: number;
  /** Longest pause between two operations on keys. */
  readonly pauseMs: number;
  /** Acts per hold. */
  readonly acts: number;
  /** A mistake, to see that it is found: `careless` holders do not look whether they still hold, `hasty` users of keys take no answer for a no. */
  readonly mistake?: 'careless' | 'hasty';
}

/** Pause after a store that could not be reached. */
const awayMs = 50;

const settings = JSON.parse(process.argv[2]!) as ClientSettings;
const { name, directory, seed, mistake } = settings;
const stop = new AbortController();
process.on('message', (message) => message === 'stop' && stop.abort(new Error('the run is over')));
// The test has died.
process.on('disconnect', () => stop.signal.aborted || process.exit(3));

const runtime = createRuntime({ log: { level: 'error' } });
const { clock } = runtime;
const resource = new FarResource();
await using store = await reach(() => openStore(storeConfigSchema.parse(settings.store), runtime, { signal: stop.signal }));
process.send!('ready');

const many = (count: number, what: string, work: (label: string) => Promise<void>): Promise<void>[] =>
  Array.from({ length: count }, (_, n) => work(`${name}/${what}${n + 1}`));
const keys = new Recorder(directory, name, 'keys');
const locks = new Recorder(directory, name, 'locks');
const elections = new Recorder(directory, name, 'elections');

await Promise.all([
  ...many(settings.keyUsers, 'key', (label) =>
    useKeys({
      store,
      clock,
      random: seededRandom(`${seed}/${label}`),
      recorder: keys,
      label,
      stop: stop.signal,
      pauseMs: settings.pauseMs,
      hasty: mistake === 'hasty',
    }),
  ),
  ...many(settings.holders, 'lock', (label) =>
    hold(label, 'lock', locks, (options) => acquireLock(store, 'lock', runtime, { ...options, holder: label })),
  ),
  ...many(settings.candidates, 'candidate', (label) =>
    hold(label, 'election', elections, (options) => campaign(store, 'election', runtime, { ...options, value: label })),
  ),
  ...many(Math.min(1, settings.candidates), 'observer', (label) => watchLeaders(store, label)),
]);
await store[Symbol.asyncDispose]();
process.disconnect();

function hold(label: string, key: string, recorder: Recorder, acquire: Holding['acquire']): Promise<void> {
  const random = seededRandom(`${seed}/${label}`);
  const { acts } = settings;
  return holdAgainAndAgain({
    clock,
    random,
    recorder,
    resource,
    label,
    key,
    acts,
    stop: stop.signal,
    careless: mistake === 'careless',
    acquire,
  });
}

/** No observer ever sees an earlier leader after a later one. */
async function watchLeaders(from: CoordinationStore, label: string): Promise<void> {
  let highest = 0n;
  for await (const leader of observeLeader(from, 'election', { signal: stop.signal })) {
    if (leader === undefined) continue;
    if (leader.token < highest) throw new Error(`${label} saw leader ${leader.token} after ${highest}`);
    highest = leader.token;
  }
}

/** The servers may just be away. */
async function reach<T>(call: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await call();
    } catch (error) {
      // It may be told to stop before it has reached the store.
      if (stop.signal.aborted) process.exit(0);
      if (!hasCode(error, 'COORD_UNREACHABLE')) throw error;
      await clock.sleep(awayMs);
    }
  }
}
