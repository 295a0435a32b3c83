import { afterAll, beforeAll, describe } from 'vitest';
import { describeAborts } from './contract/aborts.ts';
import { describeDrafts } from './contract/drafts.ts';
import type { LocationHarness } from './contract/harness.ts';
import { describeListing } from './contract/listing.ts';
import { describeObjects } from './contract/objects.ts';
import { describeRaces } from './contract/races.ts';
import { describeRefusals } from './contract/refusals.ts';

export { type LocationHarness, memoryHarness } from './contract/harness.ts';

/**
 * What every location must do, whatever it is made of: run by each adapter's and each combinator's tests on the real thing. The harness must
 * be complete when this is called.
 */
export function describeLocationContract(name: string, harness: LocationHarness): void {
  describe(`${name} keeps the contract of a location`, () => {
    beforeAll(() => harness.start?.());
    afterAll(() => harness.stop?.());
    describe('objects', () => describeObjects(harness));
    describe('listing', () => describeListing(harness));
    describe('races', () => describeRaces(harness));
    describe('aborts', () => describeAborts(harness));
    describe('refusals', () => describeRefusals(harness));
  });
}

/** The same of a location that takes objects bit by bit. */
export function describeDraftContract(name: string, harness: LocationHarness): void {
  describe(`a draft in ${name}`, () => {
    beforeAll(() => harness.start?.());
    afterAll(() => harness.stop?.());
    describeDrafts(harness);
  });
}
