import type { Runtime } from '../core/runtime.ts';
import { createClock } from './clock.ts';
import { openLateLogger } from './late-logger.ts';
import { createRandom } from './random.ts';

/** The ports for a command that is soon done: of what this machine offers nothing is loaded that it may not need. Disposing of it writes the log. */
export function createCommandRuntime(): Runtime & AsyncDisposable {
  const { logger, [Symbol.asyncDispose]: dispose } = openLateLogger('error');
  return { clock: createClock(), random: createRandom(), logger, [Symbol.asyncDispose]: dispose };
}
