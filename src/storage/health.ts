import { hasCode, messageOf } from '../core/errors.ts';
import type { LocationStatus } from './location.ts';

/** Failures that say something of the place, and whether it may be of use all the same; the others say something of an object or the caller. */
const states: Readonly<Record<string, LocationStatus['state']>> = {
  STORAGE_UNREACHABLE: 'away',
  STORAGE_UNSUITABLE: 'away',
  STORAGE_DENIED: 'away',
  STORAGE_FULL: 'degraded',
  STORAGE_BUSY: 'degraded',
};

/** What the last call tells of a location. */
export class Health {
  readonly #name: string;
  #state: LocationStatus['state'] = 'ok';
  #message = '';

  constructor(name: string) {
    this.#name = name;
  }

  succeeded(): void {
    this.#state = 'ok';
    this.#message = '';
  }

  failed(error: unknown): void {
    const code = Object.keys(states).find((one) => hasCode(error, one));
    if (code === undefined) return;
    this.#state = states[code]!;
    this.#message = messageOf(error);
  }

  status(): LocationStatus {
    return { name: this.#name, state: this.#state, message: this.#message, behindObjects: 0, behindBytes: 0, parts: [] };
  }
}
