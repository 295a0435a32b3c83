import type { CoordinationStore } from '../../src/coordination/store.ts';
import type { DurableCell } from '../../src/core/durable-cell.ts';
import type { PeerNetwork } from '../../src/core/peer-network.ts';
import type { Engine } from '../../src/engine/engine.ts';
import type { Fence } from '../../src/failover/fencing.ts';
import { fenceReplySchema, fenceRequestSchema } from '../../src/failover/messages.ts';
import type { PromiseRecord } from '../../src/failover/records.ts';
import type { SimulatedNode } from './node.ts';

/** What stands between the failover code and the simulated world. The faithful one changes nothing; others plant a bug. */
export interface Variation {
  readonly name: string;
  store(store: CoordinationStore, node: SimulatedNode): CoordinationStore;
  network(network: PeerNetwork, node: SimulatedNode): PeerNetwork;
  engine(engine: Engine, node: SimulatedNode): Engine;
  promise(cell: DurableCell<PromiseRecord>, node: SimulatedNode): DurableCell<PromiseRecord>;
  fence(fence: Fence, node: SimulatedNode): Fence;
}

export const faithful: Variation = {
  name: 'faithful',
  store: (store) => store,
  network: (network) => network,
  engine: (engine) => engine,
  promise: (cell) => cell,
  fence: (fence) => fence,
};

/** A network of which some methods are replaced. */
export function networkWith(network: PeerNetwork, replaced: Partial<PeerNetwork>): PeerNetwork {
  return {
    self: network.self,
    links: () => network.links(),
    broadcast: (kind, body, except) => network.broadcast(kind, body, except),
    request: (node, kind, body, options) => network.request(node, kind, body, options),
    handle: (kind, handler) => network.handle(kind, handler),
    onLinkChange: (listener) => network.onLinkChange(listener),
    [Symbol.asyncDispose]: () => network[Symbol.asyncDispose](),
    ...replaced,
  };
}

/** Tells of every promise that a member gives to another. */
export function overhear(network: PeerNetwork, spoke: (term: number) => void): PeerNetwork {
  return networkWith(network, {
    handle: (kind, handler) =>
      network.handle(kind, async (from, body) => {
        const reply = await handler(from, body);
        if (kind === 'fence') {
          const request = fenceRequestSchema.parse(body);
          if (request.mode === 'promise' && fenceReplySchema.parse(reply).granted) spoke(request.term);
        }
        return reply;
      }),
  });
}

/** An engine of which some methods are replaced. */
export function engineWith(engine: Engine, replaced: Partial<Engine>): Engine {
  return new Proxy(engine, {
    get: (target, property) => {
      const own: unknown = Reflect.get(replaced, property);
      if (own !== undefined) return own;
      const value: unknown = Reflect.get(target, property, target);
      return typeof value === 'function' ? (value as (...args: unknown[]) => unknown).bind(target) : value;
    },
  });
}

/** A store of which some methods are replaced. */
export function storeWith(store: CoordinationStore, replaced: Partial<CoordinationStore>): CoordinationStore {
  return {
    capabilities: store.capabilities,
    openSession: (options) => store.openSession(options),
    isSessionAlive: (id, options) => store.isSessionAlive(id, options),
    get: (key, options) => store.get(key, options),
    list: (prefix, options) => store.list(prefix, options),
    swap: (key, value, expect, options) => store.swap(key, value, expect, options),
    remove: (key, expect, options) => store.remove(key, expect, options),
    watch: (key, options) => store.watch(key, options),
    enqueue: (queue, label, session, options) => store.enqueue(queue, label, session, options),
    queue: (queue, options) => store.queue(queue, options),
    leave: (ticket, options) => store.leave(ticket, options),
    untilGone: (ticket, options) => store.untilGone(ticket, options),
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
    ...replaced,
  };
}
