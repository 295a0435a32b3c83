import { otherCluster, ownerOf } from '../../agent/open-coordination.ts';
import type { HoldfastConfig } from '../../config/schema.ts';
import { inspectStore, openStore } from '../../coordination/registry.ts';
import { HoldfastError, messageOf } from '../../core/errors.ts';
import type { Runtime } from '../../core/runtime.ts';
import type { Finding } from './finding.ts';
import { findingsOf } from './finding.ts';

const limitMs = 15_000;
const roundTrips = 5;
/** A renewal needs a few round trips within a fraction of the TTL. */
const roundTripsPerTtlMin = 50;

const levels = { ok: 'ok', warning: 'warn', problem: 'fail' } as const;

/** Whether the coordination store answers, how fast, and what an operator would find wrong with it. */
export async function inspectCoordination(config: HoldfastConfig, runtime: Runtime): Promise<readonly Finding[]> {
  const { coordination } = config;
  const { fail } = findingsOf('coordination');
  const controller = new AbortController();
  const late = runtime.clock.after(limitMs, () => controller.abort(new Error(`no answer within ${limitMs} ms`)));
  try {
    const { signal } = controller;
    const found = await inspectStore(coordination, runtime, { ttlMs: coordination.ttl, signal });
    const findings = found.map(({ level, message, hint }): Finding => ({ area: 'coordination', level: levels[level], message, hint }));
    return [...findings, ...(await measure(config, runtime, signal))];
  } catch (error) {
    return [fail(messageOf(error), error instanceof HoldfastError ? error.hint : 'See whether the store runs, and the network between.')];
  } finally {
    late[Symbol.dispose]();
  }
}

async function measure({ cluster, coordination }: HoldfastConfig, runtime: Runtime, signal: AbortSignal): Promise<readonly Finding[]> {
  const { ok, warn, fail } = findingsOf('coordination');
  await using store = await openStore(coordination, runtime, { signal });
  const owner = await ownerOf(store, signal);
  if (owner !== undefined && owner !== cluster) {
    const { message, hint } = otherCluster(owner, cluster);
    return [fail(message, hint)];
  }
  const times: number[] = [];
  for (let round = 0; round < roundTrips; round += 1) {
    const begunMs = runtime.clock.monotonicMs();
    await store.get('doctor', { signal });
    times.push(runtime.clock.monotonicMs() - begunMs);
  }
  const slowestMs = Math.max(...times);
  const text = `${store.capabilities.kind} answers in ${Math.min(...times).toFixed(1)} to ${slowestMs.toFixed(1)} ms`;
  if (slowestMs * roundTripsPerTtlMin <= coordination.ttl) return [ok(text)];
  return [warn(`${text}: much, for a TTL of ${coordination.ttl} ms`, 'Bring the store closer, or set a longer coordination.ttl.')];
}
