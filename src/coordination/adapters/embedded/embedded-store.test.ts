import { describeStoreContract } from '../../contract.ts';
import { embeddedHarness } from './testing/harness.ts';

describeStoreContract('embedded', embeddedHarness());
