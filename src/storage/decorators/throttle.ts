import type { Runtime } from '../../core/runtime.ts';
import type { ByteRange, CallOptions, Location, LocationCapabilities, LocationStatus, ObjectInfo } from '../location.ts';
import { TokenBucket } from './token-bucket.ts';

/** Bytes per second; absent: no limit. */
export interface RateLimits {
  readonly upload?: number | undefined;
  readonly download?: number | undefined;
}

/**
 * The same location with limited bandwidth. An object goes at the line's own speed when its turn has come: the limit is that of the average
 * over some seconds. A whole object whose size nobody knows is asked for it first: one more request per such read.
 */
export function throttle(location: Location, limits: RateLimits, runtime: Pick<Runtime, 'clock'>): Location {
  return limits.upload === undefined && limits.download === undefined ? location : new ThrottledLocation(location, limits, runtime);
}

class ThrottledLocation implements Location {
  readonly name: string;
  readonly #inner: Location;
  readonly #upload: TokenBucket | undefined;
  readonly #download: TokenBucket | undefined;

  constructor(inner: Location, { upload, download }: RateLimits, { clock }: Pick<Runtime, 'clock'>) {
    this.name = inner.name;
    this.#inner = inner;
    this.#upload = upload === undefined ? undefined : new TokenBucket(upload, clock);
    this.#download = download === undefined ? undefined : new TokenBucket(download, clock);
  }

  get capabilities(): LocationCapabilities {
    return this.#inner.capabilities;
  }

  async put(key: string, data: readonly Uint8Array[], options: CallOptions & { readonly ifAbsent?: boolean }): Promise<void> {
    await this.#upload?.take(
      data.reduce((sum, part) => sum + part.byteLength, 0),
      options.signal,
    );
    await this.#inner.put(key, data, options);
  }

  async get(key: string, options: CallOptions & { readonly range?: ByteRange }): Promise<Uint8Array> {
    if (this.#download !== undefined) {
      const sizeBytes = options.range?.sizeBytes ?? (await this.#inner.stat(key, options))?.sizeBytes ?? 0;
      // What makes no sense is refused by the location itself.
      if (sizeBytes > 0) await this.#download.take(sizeBytes, options.signal);
    }
    return await this.#inner.get(key, options);
  }

  stat(key: string, options: CallOptions): Promise<ObjectInfo | undefined> {
    return this.#inner.stat(key, options);
  }

  list(prefix: string, options: CallOptions): AsyncIterable<ObjectInfo> {
    return this.#inner.list(prefix, options);
  }

  remove(key: string, options: CallOptions): Promise<void> {
    return this.#inner.remove(key, options);
  }

  status(): LocationStatus {
    return this.#inner.status();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#inner[Symbol.asyncDispose]();
  }
}
