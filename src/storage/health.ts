import { hasCode, messageOf } from '../core/errors.ts';
import type { LocationStatus } from './location.ts';

/** What failures say of the place. Full or busy it may be of use all the same; what an object lacks was told by a place that answers. */
const states: Readonly<Record<string, LocationStatus['state']>> = {
  STORAGE_NOT_FOUND: 'ok',
  STORAGE_EXISTS: 'ok',
  STORAGE_DAMAGED: 'ok',
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
    this.#message = this.#state === 'ok' ? '' : messageOf(error);
  }

  status(): LocationStatus {
    return { name: this.#name, state: this.#state, message: this.#message, behindObjects: 0, behindBytes: 0, parts: [] };
  }
}
