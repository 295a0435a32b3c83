import type { Random } from '../../src/core/random.ts';
import { boundStructure, cutSets, evaluate, importance, solveStructure } from '../../src/model/index.ts';
import type { Line } from './line.ts';
import { randomTree, type TreeShape } from './random-tree.ts';

const large = { gates: 1_000, events: 2_000, sharedEvents: 0.1, sharedGates: 0.05 };
/** Shared parts stand near: what serves several parts of a plant or a cluster. */
const near: TreeShape = { ...large, spread: 40 };
/** Anywhere: harder than what people draw. */
const anywhere: TreeShape = { ...large, spread: 1_000 };

export const structureLines: readonly Line[] = [
  {
    title: 'fault tree of 1,000 gates and 2,000 events, exact unavailability',
    run: (random) => {
      const solved = solveStructure(randomTree(near, random));
      const nodes = solved.modules.reduce((sum, { diagram }) => sum + diagram.level.length, 0);
      return `Q = ${evaluate(solved, 'steady').top.q.toPrecision(12)}, ${nodes} nodes`;
    },
  },
  {
    title: 'the same, with importance of every event',
    run: (random) => `first ${importance(solveStructure(randomTree(near, random)), 'steady')[0]!.event}`,
  },
  {
    title: 'the same, with all minimal cut sets',
    run: (random) => cutSetsOf(random),
  },
  {
    title: 'the same size, events shared anywhere: bounds',
    run: (random) => {
      const { low, high } = boundStructure(randomTree(anywhere, random), 'steady', { nodesMax: 50_000 }).unavailability;
      return `Q from ${low.toPrecision(6)} to ${high.toPrecision(6)}`;
    },
  },
];

function cutSetsOf(random: Random): string {
  const sets = cutSets(solveStructure(randomTree(near, random)));
  return `${Number(sets.count()).toPrecision(3)} sets`;
}
