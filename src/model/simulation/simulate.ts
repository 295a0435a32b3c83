import { HoldfastError } from '../../core/errors.ts';
import type { Random } from '../../core/random.ts';
import type { SystemDescription } from '../system/system.ts';
import { BlockRunner, type Block, type BlockResult, type SimulationJob } from './block.ts';
import { estimateMean, estimateProbability, type Estimate } from './estimate.ts';
import { streamKey } from './stream.ts';
import { FIELD, FIELDS } from './watch.ts';

export interface SimulationOptions {
  /** Times to look at, above `warmUp`. Empty: the time of the first failure instead. */
  readonly times: readonly number[];
  /** What happens before does not count: for long-run figures (replication and deletion: Law, Simulation Modeling and Analysis). Default 0. */
  readonly warmUp?: number;
  /** Of every interval. Default 0.95. */
  readonly confidence?: number;
  /** Stops when half the interval of `aim` at the last time is at most this part of it. Default 0.05. */
  readonly relativeHalfWidth?: number;
  /** What is to be that exact: default the mean time down. */
  readonly aim?: 'downTime' | 'failures' | 'failureProbability';
  /** Default 1,000 and 1,000,000. */
  readonly replicationsMin?: number;
  readonly replicationsMax?: number;
  /** Of all replications together, checked between rounds. Default 10⁹. */
  readonly eventsMax?: number;
  /** Of one replication; more are taken for endless. Default 10⁸. */
  readonly replicationEventsMax?: number;
}

export interface SimulatedPoint {
  readonly time: number;
  /** Probability of being down at that time. */
  readonly unavailability: Estimate;
  /** Probability of having been down at least once (since the warm-up). */
  readonly failureProbability: Estimate;
  /** Mean time down (since the warm-up), and as a share of the time. */
  readonly downTime: Estimate;
  readonly intervalUnavailability: Estimate;
  /** Mean number of failures (since the warm-up). */
  readonly failures: Estimate;
}

export interface SimulationAnswer {
  readonly points: readonly SimulatedPoint[];
  /** Mean time to the first failure; only where no times were asked. */
  readonly meanTimeToFailure: Estimate | undefined;
  readonly confidence: number;
  readonly replications: number;
  readonly events: number;
  /** Why it ended: what was asked for is exact enough, or a limit came first. */
  readonly stoppedBy: 'precision' | 'replications' | 'events';
}

/** Replications that one thread does at a time. Part of the answer's definition: with it the rounds, and so the stop, would change. */
const BLOCK = 50;

/**
 * Simulates a system in this thread, event by event, many times over. The same seed gives the same answer, here or in worker threads.
 *
 * @throws MODEL_SYSTEM_INVALID, MODEL_DISTRIBUTION_INVALID, MODEL_SIMULATION_INVALID, MODEL_SIMULATION_ENDLESS
 */
export function simulate(description: SystemDescription, options: SimulationOptions, random: Random): SimulationAnswer {
  const job = jobOf(description, options, random);
  const runner = new BlockRunner(job);
  const rounds = roundsOf(job, options);
  for (let step = rounds.next(); ; step = rounds.next(step.value.map((block) => runner.run(block))))
    if (step.done === true) return step.value;
}

/** What all threads need to know. Draws from `random` what decides everything. */
export function jobOf(
  description: SystemDescription,
  { times, warmUp = 0, replicationEventsMax = 1e8 }: SimulationOptions,
  random: Random,
): SimulationJob {
  if (!(warmUp >= 0 && warmUp < Infinity)) throw invalid(`the warm-up must be a finite time of 0 or more, but is ${warmUp}`);
  for (const time of times)
    if (!(time > warmUp && time < Infinity)) throw invalid(`a time must be finite and above ${warmUp}, but is ${time}`);
  return { description, times: times.toSorted((a, b) => a - b), warmUp, eventsMax: replicationEventsMax, key: streamKey(random) };
}

/** Hands out rounds of blocks until the answer is good enough; each round is half as long as all before it. */
export function* roundsOf(job: SimulationJob, options: SimulationOptions): Generator<Block[], SimulationAnswer, BlockResult[]> {
  const { confidence = 0.95, relativeHalfWidth = 0.05, replicationsMin = 1_000, replicationsMax = 1_000_000, eventsMax = 1e9 } = options;
  if (!(confidence > 0 && confidence < 1)) throw invalid(`the confidence must be between 0 and 1, but is ${confidence}`);
  if (!(replicationsMax >= 1)) throw invalid(`there must be at least one replication, but replicationsMax is ${replicationsMax}`);
  let sums = new Float64Array(Math.max(2, job.times.length * FIELDS));
  let replications = 0;
  let events = 0;
  for (;;) {
    const target = Math.min(replicationsMax, replications === 0 ? replicationsMin : Math.ceil(replications * 1.5));
    const results = yield blocksOf(replications, target);
    for (const result of results) {
      sums = sums.map((sum, at) => sum + result.sums[at]!);
      events += result.events;
    }
    replications = target;
    const answer = answerOf(job, sums, replications, confidence);
    const aimed = aimOf(answer, options.aim ?? 'downTime');
    const precise = aimed.useful && aimed.relativeHalfWidth <= relativeHalfWidth;
    const stoppedBy = precise ? 'precision' : replications >= replicationsMax ? 'replications' : events >= eventsMax ? 'events' : undefined;
    if (stoppedBy !== undefined) return { ...answer, confidence, replications, events, stoppedBy };
  }
}

function blocksOf(from: number, to: number): Block[] {
  const blocks: Block[] = [];
  for (let first = from; first < to; first += BLOCK) blocks.push({ first, count: Math.min(BLOCK, to - first) });
  return blocks;
}

type Estimates = Pick<SimulationAnswer, 'points' | 'meanTimeToFailure'>;

function aimOf({ points, meanTimeToFailure }: Estimates, aim: NonNullable<SimulationOptions['aim']>): Estimate {
  return meanTimeToFailure ?? points.at(-1)![aim];
}

function answerOf({ times, warmUp }: SimulationJob, sums: Float64Array, n: number, confidence: number): Estimates {
  if (times.length === 0) return { points: [], meanTimeToFailure: estimateMean(sums[0]!, sums[1]!, n, n, confidence) };
  const points = times.map((time, index): SimulatedPoint => {
    const field = (name: keyof typeof FIELD): number => sums[index * FIELDS + FIELD[name]]!;
    const seen = field('everDown');
    const downTime = estimateMean(field('down'), field('downSquared'), n, seen, confidence);
    return {
      time,
      unavailability: estimateProbability(n - field('up'), n, confidence),
      failureProbability: estimateProbability(seen, n, confidence),
      downTime,
      intervalUnavailability: scaled(downTime, 1 / (time - warmUp)),
      failures: estimateMean(field('failures'), field('failuresSquared'), n, seen, confidence),
    };
  });
  return { points, meanTimeToFailure: undefined };
}

function scaled(estimate: Estimate, factor: number): Estimate {
  return { ...estimate, mean: estimate.mean * factor, low: estimate.low * factor, high: estimate.high * factor };
}

function invalid(message: string): HoldfastError {
  return new HoldfastError('MODEL_SIMULATION_INVALID', message, { hint: 'Correct the options of the simulation.' });
}
