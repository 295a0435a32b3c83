import type { HoldfastConfig } from '../config/schema.ts';
import { openStore } from '../coordination/registry.ts';
import type { CoordinationStore } from '../coordination/store.ts';
import { deadline } from '../core/deadline.ts';
import { HoldfastError, messageOf } from '../core/errors.ts';
import type { Runtime } from '../core/runtime.ts';

const RETRY_MS = 1_000;
const ATTEMPT_MS = 5_000;
const OWNER_KEY = 'cluster';

/**
 * Opens the store of the configuration; one that does not answer yet is waited for: the agent may start before it.
 * @throws COORD_UNSUITABLE, COORD_DENIED, COORD_OTHER_CLUSTER
 */
export async function openCoordination(config: HoldfastConfig, runtime: Runtime): Promise<CoordinationStore> {
  for (;;) {
    const unanswered = (): Error => new HoldfastError('COORD_UNREACHABLE', 'The coordination store did not answer', { retryable: true });
    using limit = deadline(runtime.clock, ATTEMPT_MS, unanswered);
    try {
      await using stack = new AsyncDisposableStack();
      const store = stack.use(await openStore(config.coordination, runtime, { signal: limit.signal }));
      await claimStore(store, config.cluster, limit.signal);
      stack.move();
      return store;
    } catch (error) {
      if (!(error instanceof HoldfastError && error.retryable)) throw error;
      runtime.logger.warn('coordination.unreachable', { error: messageOf(error), hint: error.hint });
      await runtime.clock.sleep(RETRY_MS);
    }
  }
}

/**
 * Notes whose records lie below the prefix of a store. They bear the names of services and nodes only: agents of two clusters there would
 * take each other's leaderships for their own. Idempotent: a call whose answer was lost finds its own name.
 * @throws COORD_OTHER_CLUSTER, COORD_…
 */
async function claimStore(store: CoordinationStore, cluster: string, signal: AbortSignal): Promise<void> {
  const result = await store.swap(OWNER_KEY, cluster, 'absent', { signal });
  const owner = result.swapped ? cluster : result.current?.value;
  if (owner !== cluster) throw otherCluster(owner ?? '', cluster);
}

/** The cluster whose records the store holds; undefined before its first agent. @throws COORD_… */
export async function ownerOf(store: CoordinationStore, signal: AbortSignal): Promise<string | undefined> {
  return (await store.get(OWNER_KEY, { signal }))?.value;
}

export function otherCluster(owner: string, cluster: string): HoldfastError {
  return new HoldfastError(
    'COORD_OTHER_CLUSTER',
    `the records in the coordination store are those of cluster '${owner}', not of '${cluster}'`,
    {
      hint: `Give each cluster a prefix of its own in the store: prefix: /holdfast-${cluster}. Where the cluster was given another name, remove the key '${OWNER_KEY}' below its prefix.`,
    },
  );
}
