import { describeRecipesContract } from '../../contract.ts';
import { embeddedHarness } from './testing/harness.ts';

describeRecipesContract('embedded', embeddedHarness());
