import { testSeeds } from './seeds.ts';

testSeeds(241, 80);
