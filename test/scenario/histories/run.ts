import type { Clock } from '../../../src/core/clock.ts';
import { seededRandom } from '../../../src/sim/index.ts';
import { clientFaults, linkFaults } from './client-faults.ts';
import type { ClientSettings } from './client.ts';
import { Client, type Reach } from './clients.ts';
import { injectAll } from './faults.ts';
import { type Finding, Histories } from './histories.ts';
import { Resource } from './resource.ts';
import { type Servers, serverFaults } from './server-faults.ts';

/** How much is done: HOLDFAST_HISTORY_ROUNDS (each fault once per round; default 1), HOLDFAST_HISTORY_SEED, HOLDFAST_HISTORY_CLIENTS. */
export const amount = {
  rounds: Number(process.env['HOLDFAST_HISTORY_ROUNDS'] ?? 1),
  seed: process.env['HOLDFAST_HISTORY_SEED'] ?? '1',
  clients: Number(process.env['HOLDFAST_HISTORY_CLIENTS'] ?? 4),
};

/** How long clients go on after the last fault, so that what it left behind is seen. */
const afterMs = 1_500;

type Workload = Pick<ClientSettings, 'keyUsers' | 'holders' | 'candidates' | 'pauseMs' | 'acts'>;
const workload: Workload = { keyUsers: 3, holders: 2, candidates: 1, pauseMs: 25, acts: 5 };

export interface RunReport {
  readonly findings: readonly Finding[];
  readonly faults: readonly string[];
  /** What clients ended with that they should not have. */
  readonly problems: readonly string[];
  readonly acts: { readonly accepted: number; readonly refused: number };
}

/** Several clients on one store, while its servers (if it has any), the clients and what is between them fail; then what they recorded is judged. */
export async function runUnderFaults(clock: Clock, name: string, reach: Reach, servers: Servers | undefined): Promise<RunReport> {
  await using histories = new Histories(clock);
  const random = seededRandom(`${name} ${amount.seed}`);
  const resource = new Resource();
  let started = 0;
  const start = async (): Promise<Client> => {
    const client = `c${(started += 1)}`;
    return Client.start(clock, reach, resource, {
      ...workload,
      name: client,
      directory: histories.directory,
      seed: `${amount.seed}/${name}`,
    });
  };
  const clients = await Promise.all(Array.from({ length: amount.clients }, start));
  try {
    await Promise.all(clients.map((client) => client.ready()));
    const targets = { clock, random: random.fork('clients'), clients, replace: start };
    // All are through before anything ends: who still injects would start clients that nobody stops.
    const injected = await Promise.allSettled([
      injectAll(clock, random.fork('client faults'), amount.rounds, [
        ...clientFaults(targets),
        ...(reach.ports.length > 0 ? linkFaults(targets) : []),
      ]),
      servers === undefined
        ? []
        : injectAll(clock, random.fork('server faults'), amount.rounds, serverFaults(clock, random.fork('servers'), servers)),
    ]);
    const faults = injected.flatMap((outcome) => {
      if (outcome.status === 'rejected') throw outcome.reason;
      return outcome.value;
    });
    await clock.sleep(afterMs);
    const problems = (await Promise.all(clients.map((client) => client.stop()))).filter((problem) => problem !== undefined);
    const findings = await histories.check();
    if (problems.length > 0) histories.keep();
    return { findings, faults, problems, acts: { accepted: resource.accepted, refused: resource.refused } };
  } catch (error) {
    histories.keep();
    throw error;
  } finally {
    await Promise.all(clients.map((client) => client.kill()));
  }
}

/** One line for people. */
export function summarize(name: string, { findings, faults, acts }: RunReport): string {
  const counts = findings.map(({ recording, counts: of }) => {
    const kinds = Object.entries(of).map(([kind, count]) => `${kind} ${count}`);
    return `${recording}: ${kinds.toSorted().join(', ')}`;
  });
  return `${name}, seed ${amount.seed}: ${faults.length} faults; ${counts.join('; ')}; acts: ${acts.accepted} accepted, ${acts.refused} refused\n`;
}
