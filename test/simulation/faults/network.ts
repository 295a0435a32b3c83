import type { World } from '../world.ts';
import { someNode, type FaultKinds } from './fault.ts';

export const networkFaults = {
  'cut off': {
    weight: 3,
    begin: (world, random) => {
      const node = someNode(world, random);
      const places = random.chance(0.7) ? [...world.names, 'store'] : world.names;
      return cut(
        world,
        places.flatMap((other) =>
          other === node.name
            ? []
            : [
                [node.name, other],
                [other, node.name],
              ],
        ),
      );
    },
  },
  'cut off one way': {
    weight: 2,
    begin: (world, random) => {
      const node = random.pick(world.nodes);
      const out = random.chance(0.5);
      return cut(
        world,
        [...world.names, 'store'].flatMap((other) => (other === node.name ? [] : [out ? [node.name, other] : [other, node.name]])),
      );
    },
  },
  'pair cut': {
    weight: 3,
    begin: (world, random) => {
      const a = random.pick(world.names);
      const b = random.pick([...world.names, 'store'].filter((name) => name !== a));
      return cut(
        world,
        random.chance(0.3)
          ? [[a, b]]
          : [
              [a, b],
              [b, a],
            ],
      );
    },
  },
  'split in two': {
    weight: 2,
    begin: (world, random) => {
      const left = new Set([...world.names, 'store'].filter(() => random.chance(0.5)));
      const places = [...world.names, 'store'];
      return cut(
        world,
        places.flatMap((a) => places.filter((b) => left.has(a) !== left.has(b)).map((b) => [a, b])),
      );
    },
  },
  'bad network': {
    weight: 2,
    begin: (world, random) => {
      const loss = random.chance(0.5) ? random.next() * 0.3 : 0;
      const delayMsMax = 1 + random.next() * 200;
      const places = [...world.names, 'store'];
      const ways = places.flatMap((a) => places.filter((b) => b !== a && random.chance(0.6)).map((b) => world.network.way(a, b)));
      world.trace.add('world', 'bad network', { loss, delayMsMax });
      for (const way of ways) Object.assign(way, { loss, delayMsMax });
      return () => {
        for (const way of ways) Object.assign(way, { loss: 0, delayMsMin: 0.2, delayMsMax: 1 });
        world.trace.add('world', 'good network');
      };
    },
  },
} as const satisfies FaultKinds;

export function cut(world: World, pairs: readonly (readonly string[])[]): () => void {
  const ways = pairs.map(([from, to]) => world.network.way(from!, to!));
  world.trace.add('world', 'cut', { ways: pairs.map((pair) => pair.join('>')).join(' ') });
  for (const way of ways) way.open = false;
  return () => {
    world.trace.add('world', 'mended', { ways: pairs.map((pair) => pair.join('>')).join(' ') });
    for (const way of ways) way.open = true;
  };
}
