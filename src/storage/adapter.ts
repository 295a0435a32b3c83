import type { Runtime } from '../core/runtime.ts';
import type { Location } from './location.ts';

/** A location that may be away when it is opened. */
export interface ConnectedLocation extends Location {
  /**
   * Asks the store for the first time, and so learns its capabilities. Each call does so by itself until it has succeeded: what fails here
   * fails there again. @throws as every call
   */
  connect(signal: AbortSignal): Promise<void>;
}

/** What an adapter's folder exports. */
export interface LocationAdapter<Config> {
  readonly kind: string;
  /** Asks nobody anything. */
  create(name: string, config: Config, runtime: Runtime): ConnectedLocation;
}
