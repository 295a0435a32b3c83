import { availableParallelism } from 'node:os';
import { numberOption, parseOptions, UsageError } from '../kit/command-line.ts';
import { planted } from './planted.ts';

const seedMax = 2 ** 52;
const workersMax = 256;
const seedsDefault = 1_000;

export interface SimulationArguments {
  /** Replay this one. */
  readonly seed: number | undefined;
  readonly from: number;
  readonly seeds: number;
  readonly workers: number;
  readonly json: boolean;
  /** Name of a planted bug. */
  readonly planted: string | undefined;
  readonly help: boolean;
}

export const usage = `Runs whole simulated clusters, each seed another one, and checks that nothing acknowledged is lost.

  npm run sim -- [--seeds N] [--from S] [--workers W] [--json]   run N seeds (${seedsDefault}), beginning with S (1)
  npm run sim -- --seed S [--json]                               run one again and print its trace

  --workers W      threads; default: one per core
  --planted NAME   with one of the planted bugs; --planted list names them
  --json           for machines

Exit code 0: no violation; 1: a violation, and the command that replays it; 2: wrong usage; 130: interrupted. See docs/simulation.md.
`;

/** @throws UsageError */
export function readArguments(args: readonly string[]): SimulationArguments {
  const values = parseOptions(args, {
    seed: { type: 'string' },
    seeds: { type: 'string' },
    from: { type: 'string' },
    workers: { type: 'string' },
    planted: { type: 'string' },
    json: { type: 'boolean' },
    help: { type: 'boolean', short: 'h' },
  });
  const seed = numberOption('seed', values.seed, { min: 0, max: seedMax });
  if (seed !== undefined) {
    for (const other of ['seeds', 'from', 'workers'] as const) {
      if (values[other] !== undefined) throw new UsageError(`--seed runs one seed again: --${other} has no meaning beside it`);
    }
  }
  const bug = values.planted;
  if (bug !== undefined && bug !== 'list' && !planted.some((one) => one.variation.name === bug))
    throw new UsageError(`--planted: there is no planted bug "${bug}"; --planted list names those that there are`);
  return {
    seed,
    from: numberOption('from', values.from, { min: 0, max: seedMax }) ?? 1,
    seeds: numberOption('seeds', values.seeds, { min: 1, max: seedMax }) ?? seedsDefault,
    workers: numberOption('workers', values.workers, { min: 1, max: workersMax }) ?? availableParallelism(),
    json: values.json === true,
    planted: bug,
    help: values.help === true,
  };
}
