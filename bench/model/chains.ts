import type { Random } from '../../src/core/random.ts';
import {
  chainOfEdges,
  pointMass,
  simulate,
  steadyState,
  transient,
  type Chain,
  type Distribution,
  type SystemDescription,
} from '../../src/model/index.ts';
import type { Line } from './line.ts';

/** Rows and columns of a grid: neighbours lead to each other. */
function grid(rows: number, columns: number, random: Random): Chain {
  const from: number[] = [];
  const to: number[] = [];
  const rate: number[] = [];
  const both = (a: number, b: number): void => {
    from.push(a, b);
    to.push(b, a);
    rate.push(0.5 + random.next(), 1 + random.next());
  };
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const state = row * columns + column;
      if (row + 1 < rows) both(state, state + columns);
      if (column + 1 < columns) both(state, state + 1);
    }
  }
  return chainOfEdges(rows * columns, from, to, rate);
}

/** Units that fail and are mended by themselves: every state leads to as many as there are units. */
function independentUnits(units: number, random: Random): Chain {
  const from: number[] = [];
  const to: number[] = [];
  const rate: number[] = [];
  const failure = Array.from({ length: units }, () => 1e-3 * (0.5 + random.next()));
  for (let state = 0; state < 2 ** units; state++) {
    for (let unit = 0; unit < units; unit++) {
      from.push(state);
      to.push(state ^ (1 << unit));
      rate.push((state >> unit) % 2 === 0 ? failure[unit]! : 1);
    }
  }
  return chainOfEdges(2 ** units, from, to, rate);
}

const solved = (chain: Chain): string => {
  const { method, residual, probabilities } = steadyState(chain);
  return `${chain.size} states by ${method}, residual ${residual.toExponential(1)}, first ${probabilities[0]!.toPrecision(12)}`;
};

const exponential = (rate: number): Distribution => ({ kind: 'exponential', rate });

function simulated(description: SystemDescription, random: Random): string {
  const limits = { replicationsMin: 100, replicationsMax: 100 };
  const { events, points } = simulate(description, { times: [1e5], ...limits }, random);
  const { low, high } = points[0]!.intervalUnavailability;
  return `${events} events; unavailability from ${low.toPrecision(5)} to ${high.toPrecision(5)}`;
}

export const chainLines: readonly Line[] = [
  { title: 'chain of 10⁵ states in a line, steady state', run: (random) => solved(grid(1, 100_000, random)) },
  { title: 'chain of 10⁵ states in a grid, steady state', run: (random) => solved(grid(316, 316, random)) },
  { title: 'chain of 131,072 states of 17 units, steady state', run: (random) => solved(independentUnits(17, random)) },
  {
    title: 'chain of 10⁴ states in a grid, at a time of 10⁶',
    run: (random) => {
      const { methods, steps } = transient(grid(100, 100, random), pointMass(10_000, 0), [1e6]);
      return `${steps} steps by ${methods.join(' and ')}`;
    },
  },
  {
    title: 'simulation of two units with a crew each, about 3.3·10⁶ × 2 events',
    run: (random) => simulated({ groups: [{ name: 'unit', count: 2, failure: exponential(0.2), repair: exponential(1) }] }, random),
  },
  {
    title: 'simulation of two warm standbys of three, about 10⁷ events',
    run: (random) =>
      simulated(
        {
          groups: [{ name: 'unit', count: 3, failure: exponential(0.2), repair: exponential(1) }],
          standby: [{ name: 'service', groups: ['unit'], working: 2, dormancy: 0.1, takeover: exponential(10) }],
        },
        random,
      ),
  },
];
