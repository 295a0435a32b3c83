export { phi, phiOfArrivals, momentsOf, type PhiOptions } from './phi.ts';
export { Arrivals, defaultArrivalOptions, type ArrivalOptions } from './arrivals.ts';
export { StallWatch } from './stall.ts';
export { judge, type PeerEvidence, type SuspicionPolicy, type Verdict } from './suspicion.ts';
