import { planOf } from '../system/plan.ts';
import type { SystemDescription } from '../system/system.ts';
import { Engine } from './engine.ts';
import { Stream, type StreamKey } from './stream.ts';
import { FailureWatch, HorizonWatch } from './watch.ts';

/** Everything that decides what a simulation draws; plain data, for worker threads. */
export interface SimulationJob {
  readonly description: SystemDescription;
  /** Ascending; empty: each replication runs to its first failure. */
  readonly times: readonly number[];
  readonly warmUp: number;
  /** Of one replication. */
  readonly eventsMax: number;
  readonly key: StreamKey;
}

/** Replications with consecutive numbers. */
export interface Block {
  readonly first: number;
  readonly count: number;
}

export interface BlockResult {
  /** As the watch of the job sums them. */
  readonly sums: Float64Array;
  readonly events: number;
}

/** Runs blocks of one job, in one thread. A block's result does not depend on what ran before. */
export class BlockRunner {
  private readonly job: SimulationJob;
  private readonly engine: Engine;
  private readonly stream = new Stream();

  /** @throws MODEL_SYSTEM_INVALID, MODEL_DISTRIBUTION_INVALID */
  constructor(job: SimulationJob) {
    this.job = job;
    this.engine = new Engine(planOf(job.description), job.eventsMax);
  }

  run({ first, count }: Block): BlockResult {
    const { times, warmUp, key } = this.job;
    const watch = times.length === 0 ? new FailureWatch() : new HorizonWatch(times, warmUp);
    let events = 0;
    for (let replication = first; replication < first + count; replication++) {
      this.stream.begin(key, replication);
      this.engine.run(this.stream, watch);
      events += this.engine.events;
    }
    return { sums: watch.sums, events };
  }
}
