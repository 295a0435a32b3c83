import { hasCode } from '../core/errors.ts';
import type { Engine } from '../engine/engine.ts';

/**
 * Ends the database at once. Once this returns it acknowledges nothing more; processes that a disk which stands still keeps in the kernel may be
 * left of it: they outlast their SIGKILL there, but nothing of their own is done by them any more.
 */
export async function endDatabase(engine: Engine, timeoutMs: number): Promise<void> {
  try {
    await engine.stop('immediate', { timeoutMs });
  } catch (error) {
    if (!hasCode(error, 'ENGINE_NOT_STOPPED')) throw error;
  }
}
