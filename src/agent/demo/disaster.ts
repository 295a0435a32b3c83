import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ServiceStatus } from '../../api/schema.ts';
import { findBases } from '../../backup/index.ts';
import { loadForCopies } from '../../config/load.ts';
import type { CopiesConfig } from '../../config/schema.ts';
import type { MachineRuntime } from '../../core/runtime.ts';
import { openCopies } from '../copies/open-copies.ts';
import { restoreService } from '../copies/restore.ts';
import type { DemoCluster } from './cluster.ts';
import { DEMO_SERVICE } from './layout.ts';
import type { CheckingLoad, LoadPosition } from './load.ts';

const BASE_MS = 60_000;
const HELD_MS = 60_000;
const BACK_MS = 60_000;
const LOOK_MS = 250;
/** Before the moment to go back to, between it and the disaster, and for the journal to be stored. */
const CALM_MS = 1_500;

/** What the loss of everything came to. */
export interface DisasterResult {
  /** From the order to restore to the first row that was acknowledged again. */
  readonly rtaMs: number;
  /** Work that would have been lost by going back to the newest state in the copies: from its last transaction to the disaster. */
  readonly rpaMs: number;
  /** Every row acknowledged before the moment asked for is there, and none that was sent after it. */
  readonly verified: boolean;
  readonly location_lost: true;
  readonly rowsBefore: number;
  readonly rowsAfter: number;
}

/** Waits for the first base backup: before it nothing can be restored. */
export async function untilCopied(cluster: DemoCluster, runtime: MachineRuntime, signal: AbortSignal): Promise<void> {
  const config = configOf(cluster);
  const untilMs = runtime.clock.monotonicMs() + BASE_MS;
  for (;;) {
    const bases = await basesOf(config, runtime, signal).catch((error: unknown) => {
      if (runtime.clock.monotonicMs() > untilMs) throw error;
      return 0;
    });
    if (bases > 0) return;
    await runtime.clock.sleep(LOOK_MS, signal);
  }
}

async function basesOf(config: CopiesConfig, runtime: MachineRuntime, signal: AbortSignal): Promise<number> {
  await using copies = await openCopies(config, config.services[DEMO_SERVICE]!.backup!.to, runtime, { signal });
  return (await findBases(copies.repository, { service: DEMO_SERVICE, signal })).length;
}

/**
 * Destroys one location of the copies and every node at once, under load; brings the service back to a moment between two known rows, from
 * what is left; and asks the service itself what it has.
 */
export async function playDisaster(
  cluster: DemoCluster,
  load: CheckingLoad,
  runtime: MachineRuntime,
  tell: (line: string) => void,
  signal: AbortSignal,
): Promise<DisasterResult> {
  const { clock } = runtime;
  const config = configOf(cluster);
  await clock.sleep(CALM_MS, signal);
  const atMoment = load.position;
  const momentMs = clock.wallMs();
  await clock.sleep(CALM_MS * 2, signal);
  const isHeld = ({ copies }: ServiceStatus): boolean => heldUntilMs(copies, clock.wallMs()) > momentMs;
  await cluster.until('copied up to the moment to go back to', isHeld, HELD_MS, signal);

  tell('destroying a location of the copies, and every node with its data …');
  const disasterMs = clock.wallMs();
  await cluster.powerOff(runtime.processes);
  const atDisaster = load.position;
  await rm(cluster.layout.copies[0]!, { recursive: true, force: true });
  for (const { data, state } of cluster.members) for (const lost of [data, state]) await rm(lost, { recursive: true, force: true });

  const newestMs = await newestOf(cluster, config, runtime, signal);
  const rpaMs = Math.max(0, Math.round(disasterMs - newestMs));

  const moment = new Date(momentMs).toISOString();
  tell(`restoring to ${moment} from the two locations that are left …`);
  const orderedMs = clock.monotonicMs();
  await cluster.powerOn(moment);
  await cluster.until('writing again', () => load.lastAcknowledgedMs > orderedMs, BACK_MS, signal);
  const rtaMs = Math.round(load.lastAcknowledgedMs - orderedMs);
  const verified = await isAsOf(load, atMoment, atDisaster);

  tell(
    `  writing again after ${rtaMs} ms; the newest copy was ${rpaMs} ms behind; ${verified ? 'every row as it was then' : 'NOT as it was then'}`,
  );
  return {
    rtaMs,
    rpaMs,
    verified,
    location_lost: true,
    rowsBefore: atMoment.acknowledged,
    rowsAfter: atDisaster.next - atMoment.next,
  };
}

/** Up to when the copies have everything, as their status said lately. Of a leader that is new they begin to follow only after some time. */
function heldUntilMs(copies: ServiceStatus['copies'], nowMs: number): number {
  return copies?.journal?.state === 'running' ? nowMs - copies.journal.lagMs - CALM_MS : -Infinity;
}

/** When the last transaction was made that the copies still have: brought back, not guessed. */
async function newestOf(cluster: DemoCluster, config: CopiesConfig, runtime: MachineRuntime, signal: AbortSignal): Promise<number> {
  const directory = join(cluster.layout.directory, 'newest');
  const order = { service: DEMO_SERVICE, target: { kind: 'latest' as const }, directory, overwrite: true, signal };
  const { base, recovered } = await restoreService(config, runtime, order);
  await rm(directory, { recursive: true, force: true });
  return recovered.lastTransactionMs ?? base.facts.endMs;
}

async function isAsOf(load: CheckingLoad, moment: LoadPosition, disaster: LoadPosition): Promise<boolean> {
  return (await load.lost(0, moment.acknowledged)) === 0 && (await load.count(moment.next, disaster.next)) === 0;
}

/** As the node that only routes has it: it knows the locations, too. */
function configOf(cluster: DemoCluster): CopiesConfig {
  return loadForCopies(cluster.layout.nodes.at(-1)!.configFile);
}
