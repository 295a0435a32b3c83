import type { CoordinationStore, Entry, WatchEvent } from '../../src/coordination/store.ts';
import { leadershipSchema, type LeadershipRecord } from '../../src/failover/records.ts';
import type { RunOptions } from './run.ts';
import { service } from './node.ts';
import { engineWith, faithful, storeWith, type Variation } from './variation.ts';

/** A bug put between the failover code and its ports, and how soon the simulation must find it. */
export interface Planted {
  readonly variation: Variation;
  /** Found by one of the seeds 1 to this. */
  readonly seedsMax: number;
  /** The kind of world that the bug needs. */
  readonly options: RunOptions;
}

const leadershipKey = `services/${service}/leadership`;
const quorumOfThree: RunOptions = { members: 3, policy: { acknowledge: 1, minimum: 1 } };
const alone: RunOptions = { members: 3, policy: { acknowledge: 0 } };

export const planted: readonly Planted[] = [
  {
    seedsMax: 3,
    options: quorumOfThree,
    variation: {
      ...faithful,
      name: 'a promise is spoken of before it is on disk',
      promise: (cell) => ({ read: () => cell.read(), write: () => Promise.resolve() }),
    },
  },
  {
    seedsMax: 60,
    options: { members: 5, policy: { acknowledge: 2, minimum: 2 } },
    variation: {
      ...faithful,
      name: 'one promise fewer than needed is enough',
      store: (store, node) => misreading(store, (record) => (record.leader === node.name ? record : withoutOneVoter(record, node.name))),
    },
  },
  {
    seedsMax: 20,
    options: quorumOfThree,
    variation: {
      ...faithful,
      name: 'the database is promoted before the claim is made',
      store: (store, node) => claimingLate(store, node.name),
    },
  },
  {
    seedsMax: 60,
    options: { ...quorumOfThree, faults: ['two leaders die in a row, a replica far behind'] },
    variation: {
      ...faithful,
      name: 'of a joint roster only the newest counts',
      store: (store, node) =>
        misreading(store, (record) => (record.leader === node.name ? record : { ...record, roster: record.roster.slice(-1) })),
    },
  },
  {
    seedsMax: 30,
    options: quorumOfThree,
    variation: {
      ...faithful,
      name: 'a member promises and goes on receiving',
      engine: (engine) =>
        engineWith(engine, { freeze: async (options) => (await engine.inspect(options)).position ?? { timeline: 0, lsn: 0n } }),
    },
  },
  {
    seedsMax: 30,
    options: alone,
    variation: {
      ...faithful,
      name: 'no guard ends the database of a stalled agent',
      fence: () => ({
        pid: undefined,
        arm: () => Promise.resolve(),
        renew: () => {},
        end: () => Promise.resolve(),
        [Symbol.asyncDispose]: () => Promise.resolve(),
      }),
    },
  },
  {
    seedsMax: 60,
    options: alone,
    variation: {
      ...faithful,
      name: 'a lease is believed in for twice its time',
      store: (store) => storeWith(store, { openSession: async (options) => outlasting(await store.openSession(options)) }),
    },
  },
];

// ---------------------------------------------------------------- bugs

function withoutOneVoter(record: LeadershipRecord, self: string): LeadershipRecord {
  const roster = record.roster.map((configuration) => {
    const left = configuration.voters.findLast((voter) => voter !== self);
    return configuration.voters.length > configuration.k
      ? { ...configuration, voters: configuration.voters.filter((voter) => voter !== left) }
      : configuration;
  });
  return { ...record, roster };
}

/** Reads another leadership than is there. */
function misreading(store: CoordinationStore, change: (record: LeadershipRecord) => LeadershipRecord): CoordinationStore {
  const read = <T extends Entry | undefined>(entry: T): T =>
    entry === undefined || entry.key !== leadershipKey
      ? entry
      : { ...entry, value: JSON.stringify(change(leadershipSchema.parse(JSON.parse(entry.value)))) };
  const readEvent = (event: WatchEvent): WatchEvent => {
    if (event.type === 'snapshot') return { ...event, entries: event.entries.map(read) };
    return event.type === 'put' ? { ...event, entry: read(event.entry) } : event;
  };
  return storeWith(store, {
    get: async (key, options) => read(await store.get(key, options)),
    async *watch(key, options) {
      for await (const event of store.watch(key, options)) yield readEvent(event);
    },
  });
}

/** Takes the leadership for its own as soon as it has asked for it. */
function claimingLate(store: CoordinationStore, self: string): CoordinationStore {
  return storeWith(store, {
    swap: async (key, value, expect, options) => {
      const done = store.swap(key, value, expect, options);
      if (key !== leadershipKey || expect === 'absent' || leadershipSchema.parse(JSON.parse(value)).leader !== self) return done;
      done.catch(() => {});
      return { swapped: true, revision: expect + 1n };
    },
  });
}

function outlasting(session: Awaited<ReturnType<CoordinationStore['openSession']>>): typeof session {
  return new Proxy(session, {
    get: (target, property) => {
      if (property === 'validUntilMs') return target.validUntilMs + target.ttlMs;
      const value: unknown = Reflect.get(target, property, target);
      return typeof value === 'function' ? (value as (...args: unknown[]) => unknown).bind(target) : value;
    },
  });
}
