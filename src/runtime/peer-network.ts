export { openPeerNetwork, type PeerNetworkOptions, type PeerTiming } from './peer-network/network.ts';
