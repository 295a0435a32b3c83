import type { CoordinationStore, Entry, WatchEvent } from '../../src/coordination/store.ts';
import type { Engine } from '../../src/engine/engine.ts';
import type { PeerNetwork } from '../../src/core/peer-network.ts';
import { fenceReplySchema, type FenceReply } from '../../src/failover/messages.ts';
import { leadershipSchema, type LeadershipRecord } from '../../src/failover/records.ts';
import { service, type SimulatedNode } from './node.ts';
import { engineWith, networkWith, storeWith } from './variation.ts';

/* Bugs between the failover code and its ports: see planted.ts. */

const leadershipKey = `services/${service}/leadership`;

export function withoutOneVoter(record: LeadershipRecord, self: string): LeadershipRecord {
  const roster = record.roster.map((configuration) => {
    const left = configuration.voters.findLast((voter) => voter !== self);
    return configuration.voters.length > configuration.k
      ? { ...configuration, voters: configuration.voters.filter((voter) => voter !== left) }
      : configuration;
  });
  return { ...record, roster };
}

/** Reads another leadership than is there. */
export function misreading(store: CoordinationStore, change: (record: LeadershipRecord) => LeadershipRecord): CoordinationStore {
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
export function claimingLate(store: CoordinationStore, self: string): CoordinationStore {
  return storeWith(store, {
    swap: async (key, value, expect, options) => {
      const done = store.swap(key, value, expect, options);
      if (key !== leadershipKey || expect === 'absent' || leadershipSchema.parse(JSON.parse(value)).leader !== self) return done;
      done.catch(() => {});
      return { swapped: true, revision: expect + 1n };
    },
  });
}

export function outlasting(session: Awaited<ReturnType<CoordinationStore['openSession']>>): typeof session {
  return new Proxy(session, {
    get: (target, property) => {
      if (property === 'validUntilMs') return target.validUntilMs + target.ttlMs;
      const value: unknown = Reflect.get(target, property, target);
      return typeof value === 'function' ? (value as (...args: unknown[]) => unknown).bind(target) : value;
    },
  });
}

/** Changes what this member writes over its own leadership, once something else is done. */
export function changing(
  store: CoordinationStore,
  self: string,
  change: (next: LeadershipRecord) => LeadershipRecord | Promise<LeadershipRecord>,
): CoordinationStore {
  return storeWith(store, {
    swap: async (key, value, expect, options) => {
      if (key !== leadershipKey || expect === 'absent') return store.swap(key, value, expect, options);
      const before = await store.get(key, options);
      const leads = before !== undefined && leadershipSchema.parse(JSON.parse(before.value)).leader === self;
      if (!leads || before.revision !== expect) return store.swap(key, value, expect, options);
      return store.swap(key, JSON.stringify(await change(leadershipSchema.parse(JSON.parse(value)))), expect, options);
    },
  });
}

/** Has the database run a quorum first, and then says so to the store. */
export async function runFirst(node: SimulatedNode, next: LeadershipRecord): Promise<LeadershipRecord> {
  const wanted = next.roster.at(-1)!;
  if (node.database.server?.role === 'primary') await node.database.acknowledge(wanted.k === 0 ? null : wanted).catch(() => {});
  return next;
}

/** Takes a swap of which it heard nothing for done. */
export function hopeful(store: CoordinationStore): CoordinationStore {
  return storeWith(store, {
    swap: async (key, value, expect, options) => {
      try {
        return await store.swap(key, value, expect, options);
      } catch (error) {
        if (key !== leadershipKey || expect === 'absent') throw error;
        return { swapped: true, revision: expect + 1n };
      }
    },
  });
}

/** Changes what it hears of others' answers to a request for their promise. */
export function hearing(network: PeerNetwork, change: (reply: FenceReply, term: number) => FenceReply): PeerNetwork {
  return networkWith(network, {
    request: async (node, kind, body, options) => {
      const reply = await network.request(node, kind, body, options);
      return kind === 'fence' ? change(fenceReplySchema.parse(reply), (body as { term: number }).term) : reply;
    },
  });
}

/** Takes every member for one that has confirmed, whatever it said. */
export function confirmedByNobody(network: PeerNetwork): PeerNetwork {
  return networkWith(network, {
    request: (node, kind, body, options) =>
      kind === 'confirm' ? Promise.resolve({ confirmed: true }) : network.request(node, kind, body, options),
  });
}

/** Loses the end of what it had, when it has been promoted and looked at. */
export function losing(engine: Engine, node: SimulatedNode): Engine {
  return engineWith(engine, {
    promote: async (options) => {
      const position = await engine.promote(options);
      node.database.data?.wal.splice(-4, 4);
      return position;
    },
  });
}
