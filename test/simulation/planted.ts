import {
  changing,
  claimingLate,
  confirmedByNobody,
  hearing,
  hopeful,
  losing,
  misreading,
  outlasting,
  runFirst,
  withoutOneVoter,
} from './planted-bugs.ts';
import type { RunOptions } from './run.ts';
import { engineWith, faithful, storeWith, type Variation } from './variation.ts';

/** A bug put between the failover code and its ports, and how soon the simulation must find it. */
export interface Planted {
  readonly variation: Variation;
  /** Found by one of the seeds 1 to this. */
  readonly seedsMax: number;
  /** What then is said, where only one check can see it. */
  readonly tells?: RegExp;
  /** The kind of world that the bug needs. */
  readonly options: RunOptions;
}

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
    seedsMax: 100,
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
    seedsMax: 120,
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
  {
    seedsMax: 5,
    tells: /spoke of its promise/,
    options: quorumOfThree,
    variation: {
      ...faithful,
      name: 'a restarted agent has forgotten its promise',
      promise: (cell) => ({
        read: async () => {
          const kept = await cell.read();
          return kept && { ...kept, promised: 0 };
        },
        write: (record) => cell.write(record),
      }),
    },
  },
  {
    seedsMax: 10,
    options: quorumOfThree,
    variation: {
      ...faithful,
      name: 'a leader does not stop when another leads at a higher term',
      engine: (engine) =>
        engineWith(engine, { stop: (mode, options) => (mode === 'immediate' ? Promise.resolve(undefined) : engine.stop(mode, options)) }),
    },
  },
  {
    seedsMax: 5,
    tells: /which the roster does not have/,
    options: quorumOfThree,
    variation: {
      ...faithful,
      name: 'the database runs a quorum before the store knows of it',
      store: (store, node) => changing(store, node.name, (next) => runFirst(node, next)),
    },
  },
  {
    seedsMax: 10,
    tells: /which the roster does not have/,
    options: { ...quorumOfThree, faults: ['acknowledge changed'] },
    variation: {
      ...faithful,
      name: 'a change of `acknowledge` skips the joint step',
      store: (store, node) => changing(store, node.name, (next) => ({ ...next, roster: next.roster.slice(-1) })),
    },
  },
  {
    seedsMax: 60,
    options: quorumOfThree,
    variation: {
      ...faithful,
      name: 'the replica with less is promoted',
      network: (network) =>
        hearing(network, (reply) => (reply.granted && reply.position ? { ...reply, position: { timeline: 0, lsn: '0' } } : reply)),
    },
  },
  {
    seedsMax: 60,
    options: quorumOfThree,
    variation: {
      ...faithful,
      name: 'a refusal is taken for a promise',
      network: (network) =>
        hearing(network, (reply, term) => ({
          position: { timeline: 0, lsn: '0' },
          eligible: false,
          priority: 0,
          ...reply,
          granted: true,
          promised: term,
        })),
    },
  },
  {
    seedsMax: 80,
    options: quorumOfThree,
    variation: { ...faithful, name: 'a swap whose reply was lost is taken for won', store: (store) => hopeful(store) },
  },
  {
    seedsMax: 20,
    options: alone,
    variation: {
      ...faithful,
      name: 'nobody asks whether the lease has ended',
      store: (store) => storeWith(store, { isSessionAlive: () => Promise.resolve(false) }),
    },
  },
  {
    seedsMax: 80,
    options: alone,
    variation: {
      ...faithful,
      name: 'a leader without store goes on though nobody confirmed it',
      network: (network) => confirmedByNobody(network),
    },
  },
  {
    seedsMax: 10,
    tells: /a read from/,
    options: quorumOfThree,
    variation: { ...faithful, name: 'a new leader loses the end of what it had', engine: (engine, node) => losing(engine, node) },
  },
];
