import { describeLocationContract, memoryHarness } from '../../contract.ts';

describeLocationContract('memory', memoryHarness());
