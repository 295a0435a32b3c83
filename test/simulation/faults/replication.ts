import type { SimulatedNode } from '../node.ts';
import { leaderOf, type FaultKinds } from './fault.ts';
import { cut } from './network.ts';

/** That leave replicas behind, and then take the leader. */
export const replicationFaults = {
  'leader dies ahead of a replica': {
    weight: 4,
    begin: (world, random) => {
      const leader = leaderOf(world);
      const behind = random.pick(world.nodes);
      if (leader === undefined || leader === behind) return undefined;
      const mend = cut(world, [[leader.name, behind.name]]);
      let over = false;
      world.clock.after(random.next() * 2_500, () => {
        if (over) return;
        const how = random.integer(3);
        if (how === 0) leader.killDatabase();
        else leader.crash(how === 1 ? 'on' : 'off');
        if (random.chance(0.7)) mend();
      });
      return () => {
        over = true;
        mend();
        leader.restart();
      };
    },
  },
  'two leaders die in a row, a replica far behind': {
    weight: 2,
    begin: (world, random) => {
      const first = leaderOf(world);
      const others = world.nodes.filter((node) => node !== first);
      if (first === undefined) return undefined;
      const behind = random.pick(others);
      const delayMsMax = 300 + random.next() * 600;
      const ways = world.nodes.flatMap((node) => (node === behind ? [] : [world.network.way(node.name, behind.name)]));
      for (const way of ways) Object.assign(way, { delayMsMin: 300, delayMsMax });
      world.trace.add('world', 'lags', { node: behind.name, delayMsMax });
      const { clock } = world;
      let over = false;
      const strike = (leader: SimulatedNode): void => {
        if (!over) leader.crash('on');
      };
      const strikeNext = (): void => {
        const next = leaderOf(world);
        if (next === undefined || next === first || next.database.server?.role !== 'primary') {
          if (!over) clock.after(20, strikeNext);
        } else if (next !== behind) clock.after(random.next() * 600, () => strike(next));
      };
      clock.after(500 + random.next() * 500, () => {
        strike(first);
        strikeNext();
      });
      return () => {
        over = true;
        for (const way of ways) Object.assign(way, { delayMsMin: 0.2, delayMsMax: 1 });
        for (const node of world.nodes) node.restart();
      };
    },
  },
  'replica lags': {
    weight: 2,
    begin: (world, random) => {
      const leader = leaderOf(world);
      const behind = random.pick(world.nodes);
      if (leader === undefined || leader === behind) return undefined;
      const way = world.network.way(leader.name, behind.name);
      Object.assign(way, { delayMsMin: 100, delayMsMax: 100 + random.next() * 500 });
      world.trace.add('world', 'lags', { node: behind.name, delayMsMax: way.delayMsMax });
      return () => Object.assign(way, { delayMsMin: 0.2, delayMsMax: 1 });
    },
  },
} as const satisfies FaultKinds;
