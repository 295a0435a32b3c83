import { afterAll, beforeAll, describe } from 'vitest';
import type { Runtime } from '../../core/runtime.ts';
import { silentLogger } from '../../core/logger.ts';
import type { CoordinationStore } from '../store.ts';
import { describeBarriers } from './barriers.ts';
import { describeElections } from './elections.ts';
import type { StoreHarness } from './harness.ts';
import { describeLocks } from './locks.ts';
import { describeSemaphores } from './semaphores.ts';

export interface RecipeHarness extends StoreHarness {
  readonly runtime: Runtime;
  openMany(count: number): Promise<{ readonly stores: readonly CoordinationStore[] } & AsyncDisposable>;
}

/** Locks, semaphores, elections and barriers on a real store: run by each adapter's tests after its store contract. */
export function describeRecipesContract(name: string, harness: StoreHarness): void {
  const full: RecipeHarness = Object.assign(Object.create(harness) as StoreHarness, {
    // Chance only spreads retries here.
    runtime: { clock: harness.clock, random: { next: () => 0.5 }, logger: silentLogger },
    openMany: (count: number) => openMany(harness, count),
  });
  describe(`${name} carries the recipes`, () => {
    beforeAll(() => harness.start());
    afterAll(() => harness.stop());
    describe('locks', () => describeLocks(full));
    describe('semaphores', () => describeSemaphores(full));
    describe('elections', () => describeElections(full));
    describe('barriers', () => describeBarriers(full));
  });
}

async function openMany(harness: StoreHarness, count: number): Promise<{ stores: CoordinationStore[] } & AsyncDisposable> {
  const stack = new AsyncDisposableStack();
  const stores: CoordinationStore[] = [];
  for (let n = 0; n < count; n++) stores.push(stack.use(await harness.open()));
  return { stores, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}
