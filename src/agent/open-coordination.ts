import type { HoldfastConfig } from '../config/schema.ts';
import { openStore } from '../coordination/registry.ts';
import type { CoordinationStore } from '../coordination/store.ts';
import { deadline } from '../core/deadline.ts';
import { HoldfastError, messageOf } from '../core/errors.ts';
import type { Runtime } from '../core/runtime.ts';

const RETRY_MS = 1_000;
const ATTEMPT_MS = 5_000;

/** Opens the store of the configuration; one that does not answer yet is waited for: the agent may start before it. @throws COORD_UNSUITABLE, COORD_DENIED */
export async function openCoordination(config: HoldfastConfig, runtime: Runtime): Promise<CoordinationStore> {
  for (;;) {
    const unanswered = (): Error => new HoldfastError('COORD_UNREACHABLE', 'The coordination store did not answer', { retryable: true });
    using limit = deadline(runtime.clock, ATTEMPT_MS, unanswered);
    try {
      return await openStore(config.coordination, runtime, { signal: limit.signal });
    } catch (error) {
      if (!(error instanceof HoldfastError && error.retryable)) throw error;
      runtime.logger.warn('coordination.unreachable', { error: messageOf(error), hint: error.hint });
      await runtime.clock.sleep(RETRY_MS);
    }
  }
}
