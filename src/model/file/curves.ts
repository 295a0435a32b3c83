import { hasCode } from '../../core/errors.ts';
import type { ChainAnswer, ModelAnswer, StorageAnswer, TimeAnswer } from './answer.ts';
import { evaluateModel } from './evaluate.ts';
import type { Model } from './schema.ts';

/** Answers at as many times as make a curve. What has none, or none that is cheap, is absent. */
export interface Curves {
  readonly structure?: readonly TimeAnswer[];
  readonly chains: Readonly<Record<string, ChainAnswer['at']>>;
  readonly storage: Readonly<Record<string, StorageAnswer['points']>>;
}

/** Times of each kind: evenly, and in powers of ten, over four of them. */
const timesOfKind = 40;
const decades = 4;
/** What is larger takes seconds for each time. */
const partsMax = 300;
const statesMax = 2000;

/** The model again at times from 0 to the last one that was asked for, or to its horizon. Not of simulations: each of their times has an interval of its own. */
export function curvesOf(model: Model, answer: ModelAnswer): Curves {
  const asked = [...(answer.structure?.at ?? []), ...Object.values(answer.chains ?? {}).flatMap(({ at }) => at)].map(({ hours }) => hours);
  const times = timesUpTo(Math.max(...asked, ...(model.at ?? []), asked.length === 0 ? answer.horizonHours : 0));
  const { chains: _, storage: __, recovery: ___, ...alone } = model;
  const { method, at, bounds } = answer.structure ?? {};
  const count = Object.values(model.components ?? {}).reduce((sum, { count: copies = 1 }) => sum + copies, 0);
  const timely = at !== undefined && (at.length > 0 || answer.structure?.longRun !== undefined);
  const over = <T>(name: string, solve: () => T): Record<string, T> => {
    try {
      return { [name]: solve() };
    } catch (error) {
      // What is too stiff for many times has been answered for those that were asked for.
      if (hasCode(error, 'MODEL_CHAIN_TOO_STIFF')) return {};
      throw error;
    }
  };
  return {
    ...(timely && method !== undefined && method !== 'simulation' && bounds === undefined && count <= partsMax
      ? over('structure', () => evaluateModel({ ...alone, at: times, compute: ['availability'] }, { method }).structure!.at)
      : {}),
    chains: Object.assign(
      {},
      ...Object.entries(model.chains ?? {})
        .filter(([name]) => answer.chains![name]!.states <= statesMax && answer.chains![name]!.at.length > 0)
        .map(([name, chain]) => over(name, () => evaluateModel({ chains: { [name]: chain }, at: times }).chains![name]!.at)),
    ) as Curves['chains'],
    storage: Object.fromEntries(
      Object.entries(model.storage ?? {}).map(([name, code]) => [
        name,
        evaluateModel({ storage: { [name]: code }, at: times }).storage![name]!.points,
      ]),
    ),
  };
}

function timesUpTo(last: number): number[] {
  const even = Array.from({ length: timesOfKind }, (_, index) => (last * (index + 1)) / timesOfKind);
  const early = Array.from({ length: timesOfKind }, (_, index) => last * 10 ** (-decades * (1 - index / timesOfKind)));
  return [...new Set([...early, ...even])].toSorted((a, b) => a - b);
}
