import type { World } from '../world.ts';
import type { FaultKinds } from './fault.ts';

/** Of the coordination store. */
export const storeFaults = {
  'store away': {
    weight: 3,
    begin: (world, random) => {
      const how = random.pick(['crash', 'pause'] as const);
      world.trace.add('store', how);
      world.store[how]();
      return () => {
        world.trace.add('store', 'starts');
        world.store.start();
      };
    },
  },
  'store forgets': {
    weight: 1,
    begin: (world) => {
      world.store.compact();
      return undefined;
    },
  },
  'store leader changes': {
    weight: 3,
    begin: (world, random) => {
      const replies = world.names.map((name) => world.network.way('store', name));
      const lose = (loss: number): void => replies.forEach((way) => Object.assign(way, { loss }));
      // What the old leader did last is done, and nobody is told: whoever swapped then does not know.
      const silentMs = 20 + random.next() * 400;
      world.trace.add('store', 'leader changes', { silentMs });
      lose(1);
      let over = false;
      world.clock.after(silentMs, () => {
        if (over) return;
        lose(0);
        world.store.crash();
      });
      return () => {
        over = true;
        lose(0);
        world.store.start();
        world.trace.add('store', 'has a leader');
      };
    },
  },
  'session lost': {
    weight: 1,
    begin: (world, random) => {
      const { agent } = random.pick(world.nodes);
      const session = agent?.sessions.current?.id;
      if (session === undefined || !isQuorumFenced(world)) return undefined;
      world.trace.add('store', 'ends a session', { session });
      world.store.endSession(session);
      world.sessionsBreak = true;
      return undefined;
    },
  },
  'watch lags': {
    weight: 2,
    begin: (world, random) => {
      world.weather.watchLagMs = 100 + random.next() ** 2 * 4_000;
      world.trace.add('store', 'watches lag', { watchLagMs: world.weather.watchLagMs });
      return () => {
        world.weather.watchLagMs = 0;
      };
    },
  },
  'store shows the past': {
    weight: 1,
    begin: (world, random) => {
      world.weather.pastShare = random.next();
      world.trace.add('store', 'shows the past', { share: world.weather.pastShare });
      return () => {
        world.weather.pastShare = 0;
      };
    },
  },
} as const satisfies FaultKinds;

/** Where commits wait for nobody the lease is the fence: a store that ends one early breaks its word, and a loss is its doing. */
function isQuorumFenced(world: World): boolean {
  const alone = [world.policy, ...world.nodes.flatMap((node) => node.agent?.policy ?? [])].some(
    (policy) => policy.acknowledge === 0 || policy.minimum === 0,
  );
  return !alone && world.observer.leadership?.roster.every((configuration) => configuration.k > 0) === true;
}
