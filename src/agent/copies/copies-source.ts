import type { HoldfastConfig } from '../../config/schema.ts';
import { readTarget } from '../../core/read-target.ts';
import type { MachineRuntime } from '../../core/runtime.ts';
import type { CopiesSource } from '../../failover/copies-source.ts';
import type { CopiesOrder, PlannedCopies } from './data-copies.ts';

/** A location that has just failed is left alone for so long: members try again more often than that. */
const failedForMs = 10_000;

/** A service's copies for its member, where any are configured. Loads what opens them when that is asked for. */
export function copiesSource(config: HoldfastConfig, runtime: MachineRuntime, service: string): CopiesSource | undefined {
  const { backup, bootstrap } = config.services[service]!;
  if (backup === undefined && bootstrap === undefined) return undefined;
  let failure: { readonly error: unknown; readonly atMs: number } | undefined;
  const open = async (order: CopiesOrder): Promise<PlannedCopies> => {
    if (failure !== undefined && runtime.clock.monotonicMs() - failure.atMs < failedForMs) throw failure.error;
    const { openDataCopies } = await import('./data-copies.ts');
    try {
      return await openDataCopies(config, runtime, order);
    } catch (error) {
      if (!order.signal.aborted) failure = { error, atMs: runtime.clock.monotonicMs() };
      throw error;
    }
  };
  const restore = bootstrap?.restore;
  return {
    open: ({ systemId, timeline }, { anew = false, signal }) => {
      if (anew) failure = undefined;
      return open({ service, systemId, ...(timeline > 0 && { timelineMax: timeline }), target: { kind: 'latest' }, signal });
    },
    ...(restore !== undefined && {
      restore: {
        order: JSON.stringify(restore, Object.keys(restore).toSorted()),
        open: async ({ signal }) => {
          const { from, timeline, system: systemId } = restore;
          const target = readTarget(restore);
          const wishes = { ...(from && { from }), ...(timeline && { timeline }), ...(systemId && { systemId }) };
          const copies = await open({ service, target, ...wishes, signal });
          return { copies, target, [Symbol.asyncDispose]: () => copies[Symbol.asyncDispose]() };
        },
      },
    }),
  };
}
