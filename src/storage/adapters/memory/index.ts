export { MemoryLocation, type MemoryObjects } from './memory-location.ts';
