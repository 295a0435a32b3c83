export type { ByteRange, CallOptions, Location, LocationCapabilities, LocationStatus, ObjectInfo } from './location.ts';
