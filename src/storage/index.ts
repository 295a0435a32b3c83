export type { ByteRange, CallOptions, Location, LocationCapabilities, LocationStatus, ObjectInfo } from './location.ts';
export { assertKey, KEY_LENGTH_MAX, OBJECT_BYTES_MAX } from './key.ts';
export { openLocation, openMemoryLocation } from './registry.ts';
export { locationSchema, type LocationConfig, type LocationConfigInput } from './config.ts';
export { retry, type RetryPolicy, retryPolicyDefault } from './decorators/retry.ts';
export { type RateLimits, throttle } from './decorators/throttle.ts';
