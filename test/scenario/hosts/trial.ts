import { expect } from 'vitest';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ServiceStatus } from '../../../src/api/schema.ts';
import { type Fault, Faults } from './faults.ts';
import { Hosts, type HostsOptions } from './hosts.ts';
import type { Load } from './load.ts';

/** All that a fault can do has been done after this: leases are 3 s. */
export const LASTS_MS = 3_500;
/** Until everything is as it was, after a fault has ended. */
const WHOLE_MS_MAX = 60_000;
const ANOTHER_MS_MAX = 30_000;

/** What a trial looks at while its fault lasts; `before`: the service just before it. */
export type During = (trials: Trials, before: ServiceStatus) => Promise<void>;

/** A running service under load that faults are tried on, one after the other. */
export class Trials implements AsyncDisposable {
  readonly hosts: Hosts;
  readonly faults: Faults;
  readonly load: Load;
  /** Whether rows that were acknowledged may be missing: in asynchronous mode those that no replica had. */
  readonly #mayLose: boolean;

  private constructor(hosts: Hosts, mayLose: boolean) {
    this.hosts = hosts;
    this.faults = new Faults(hosts);
    this.load = hosts.load();
    this.#mayLose = mayLose;
  }

  static async start(options: HostsOptions): Promise<Trials> {
    const trials = new Trials(await Hosts.start(options), options.acknowledge === 0);
    await trials.load.start();
    return trials;
  }

  /**
   * Makes a fault, looks at what it does, ends it. Then the service must become whole by itself, with no acknowledged row missing, and without two
   * primaries at any time.
   */
  async run(make: (faults: Faults, leader: string, replicas: readonly string[]) => Promise<Fault>, during: During): Promise<void> {
    const before = await this.hosts.agents.whole(WHOLE_MS_MAX);
    await this.load.flows();
    this.load.mark();
    await using fault = await make(this.faults, before.leader!, this.hosts.others(before.leader!));
    await during(this, before);
    await fault.undo();
    await this.recovered(fault.name);
  }

  async recovered(after: string): Promise<void> {
    await this.hosts.agents.whole(WHOLE_MS_MAX);
    await this.load.flows();
    const { missing, ...rest } = await this.load.verify();
    expect({ missing: this.#mayLose ? [] : missing, ...rest }, after).toEqual({ missing: [], repeated: [], invented: [], outlived: [] });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.faults.undoAll();
    await this.load[Symbol.asyncDispose]();
    await this.hosts[Symbol.asyncDispose]();
  }
}

/** Another member leads at a later term, and takes writes, while the fault lasts. */
export const another: During = async ({ hosts, load }, { leader, term }) => {
  const led = (service: ServiceStatus): boolean => service.leader !== null && service.leader !== leader && service.term > term;
  await hosts.agents.until('another leader', led, { timeoutMs: ANOTHER_MS_MAX });
  await load.flows();
};

/** The leader goes on taking writes at its term. */
export const same: During = async ({ hosts, load }, { leader, term }) => {
  await sleep(LASTS_MS);
  await load.flows();
  expect(await hosts.agents.status(leader!)).toMatchObject({ leader, term });
};

/** Whatever the service does, it is at the end that counts. */
export const whatever: During = async () => {
  await sleep(LASTS_MS);
};
