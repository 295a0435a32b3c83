import { afterAll, beforeAll, describe } from 'vitest';
import { describeAborts } from './contract/aborts.ts';
import { describeFaults } from './contract/faults.ts';
import type { StoreHarness } from './contract/harness.ts';
import { describeKeys } from './contract/keys.ts';
import { describeQueues } from './contract/queues.ts';
import { describeSessions } from './contract/sessions.ts';
import { describeWatches } from './contract/watches.ts';

export { blockThread, type StoreHarness } from './contract/harness.ts';
export { describeRecipesContract } from './contract/recipes.ts';

/** What every store must do, whatever it is made of. Run by each adapter's tests on its real thing. */
export function describeStoreContract(name: string, harness: StoreHarness): void {
  describe(`${name} keeps the contract of a coordination store`, () => {
    beforeAll(() => harness.start());
    afterAll(() => harness.stop());
    describe('keys', () => describeKeys(harness));
    describe('sessions', () => describeSessions(harness));
    describe('watches', () => describeWatches(harness));
    describe('queues', () => describeQueues(harness));
    describe('aborts', () => describeAborts(harness));
    describe('faults', () => describeFaults(harness));
  });
}
