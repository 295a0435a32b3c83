import { hasCode, messageOf } from '../../core/errors.ts';
import type { Location, LocationStatus } from '../location.ts';

/** Say something of an object or of the call, not of the place. */
const codesOfTheObject = ['STORAGE_NOT_FOUND', 'STORAGE_EXISTS', 'STORAGE_DAMAGED', 'STORAGE_BAD_KEY'];

/** One of the locations that a location is made of, and how its last calls went. */
export class Part {
  readonly location: Location;
  /** Position among the parts. */
  readonly number: number;
  state: LocationStatus['state'] = 'ok';
  message = '';

  constructor(location: Location, number: number) {
    this.location = location;
    this.number = number;
  }

  get name(): string {
    return this.location.name;
  }

  /** Whether calls go there: what is away is left alone until a look found it back. */
  get present(): boolean {
    return this.state !== 'away';
  }

  /** Runs a call and remembers what it tells of the place. Being back is not for it to say: what was missed comes first. */
  async run<T>(call: (location: Location) => Promise<T>, signal: AbortSignal): Promise<T> {
    try {
      const result = await call(this.location);
      if (this.state === 'degraded') this.cameBack();
      return result;
    } catch (error) {
      if (!signal.aborted) this.#failed(error);
      throw error;
    }
  }

  cameBack(): void {
    this.state = 'ok';
    this.message = '';
  }

  leave(error: unknown): void {
    this.state = 'away';
    this.message = messageOf(error);
  }

  #failed(error: unknown): void {
    if (codesOfTheObject.some((code) => hasCode(error, code))) return;
    if (this.state !== 'away') this.state = hasCode(error, 'STORAGE_UNREACHABLE') ? 'away' : 'degraded';
    this.message = messageOf(error);
  }
}
