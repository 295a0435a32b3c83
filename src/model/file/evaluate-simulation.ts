import type { Random } from '../../core/random.ts';
import type { SimulationAnswer, SimulationOptions } from '../simulation/simulate.ts';
import { simulate } from '../simulation/simulate.ts';
import { Stream } from '../simulation/stream.ts';
import type { SystemDescription } from '../system/system.ts';
import type { StructureAnswer } from './answer.ts';
import type { Asked } from './evaluate-structure.ts';
import type { MethodChoice } from './method.ts';
import type { Model } from './schema.ts';
import { systemOf } from './to-system.ts';

/** Unless the file says otherwise: so that the same file gives the same answer. */
const defaultSeed = 1;
/** Events of one simulation: some seconds of one thread. */
const eventsMax = 50_000_000;
/** Half of the interval of the mean unavailability, as a share of it, at which a simulation may end. */
const defaultPrecision = 0.02;

/** What `simulate`, or `simulateInWorkers`, needs to play a model through. */
export interface SimulationTask {
  readonly system: SystemDescription;
  readonly options: SimulationOptions;
  readonly random: Random;
}

export function simulationTask(model: Model, asked: Asked): SimulationTask {
  const { seed = defaultSeed, runs, precision = defaultPrecision } = model.simulation ?? {};
  return {
    system: systemOf(model),
    options: {
      times: asked.at.length > 0 ? asked.at : [asked.horizon],
      relativeHalfWidth: precision,
      eventsMax,
      ...(runs === undefined ? {} : { replicationsMax: runs, replicationsMin: Math.min(runs, 1000) }),
    },
    random: seeded(seed),
  };
}

/** A system of any times, played through event by event until its mean unavailability is known well enough: here, unless it has been `played`. */
export function evaluateSimulation(
  model: Model,
  { method, because, assumptions }: MethodChoice,
  asked: Asked,
  played?: SimulationAnswer,
): StructureAnswer {
  const { system, options, random } = simulationTask(model, asked);
  const answer = played ?? simulate(system, options, random);
  return {
    method,
    because,
    assumptions: [
      ...assumptions,
      'all times are independent',
      `what is told lies in its interval with ${answer.confidence * 100}% confidence`,
    ],
    at: answer.points.map(({ time, unavailability, failureProbability }) => ({
      hours: time,
      unavailability: unavailability.mean,
      availability: 1 - unavailability.mean,
      survival: 1 - failureProbability.mean,
    })),
    simulation: { seed: model.simulation?.seed ?? defaultSeed, ...told(answer) },
  };
}

function told({
  points,
  replications,
  events,
  stoppedBy,
  confidence,
}: SimulationAnswer): Omit<NonNullable<StructureAnswer['simulation']>, 'seed'> {
  return {
    replications,
    events,
    stoppedBy,
    confidence,
    points: points.map(({ time, unavailability, intervalUnavailability, failureProbability, failures }) => ({
      hours: time,
      unavailability,
      meanUnavailability: intervalUnavailability,
      failureProbability,
      failures,
    })),
  };
}

function seeded(seed: number): Stream {
  const stream = new Stream();
  stream.begin([seed | 0, Math.floor(seed / 2 ** 32) | 0, 0x5eed, 0], 0);
  return stream;
}
