export type { ByteRange, CallOptions, Location, LocationCapabilities, LocationStatus, ObjectInfo } from './location.ts';
export { assertKey, KEY_LENGTH_MAX, OBJECT_BYTES_MAX } from './key.ts';
