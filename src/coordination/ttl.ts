import { HoldfastError } from '../core/errors.ts';
import type { StoreCapabilities } from './store.ts';

/** Longest TTL: beyond it a dead holder blocks the others for longer than anybody waits. One hour. */
export const TTL_MS_MAX = 3_600_000;

/** @throws COORD_TTL_TOO_SHORT when `ttlMs` is under the store's least without `allowShort`; COORD_BAD_TTL when it is no TTL at all */
export function assertTtl(ttlMs: number, capabilities: StoreCapabilities, allowShort: boolean | undefined): void {
  if (!(ttlMs > 0 && ttlMs <= TTL_MS_MAX)) {
    throw new HoldfastError('COORD_BAD_TTL', `a TTL of ${ttlMs} ms: it must be above 0 and at most ${TTL_MS_MAX} ms`);
  }
  if (ttlMs >= capabilities.ttlMsMin || allowShort === true) return;
  throw new HoldfastError(
    'COORD_TTL_TOO_SHORT',
    `a TTL of ${ttlMs} ms is under the least that a store of kind ${capabilities.kind} keeps reliably: ${capabilities.ttlMsMin} ms`,
    {
      hint: 'Use a longer TTL; a short one (allowShortTtl) makes a busy machine lose its holds without need.',
    },
  );
}
