import type { CallOptions, Draft, Location } from '../../storage/index.ts';
import { release } from '../documents/bytes.ts';

/** The bytes of a pack that is being filled. */
export interface PackBody {
  /** Takes bytes over, in the order of the calls. Resolves when there is room for more. @throws what kept those before from being written */
  add(bytes: Uint8Array, options: CallOptions): Promise<void>;
  /** Stores all of it: durable when it resolves. Nothing is added any more. */
  store(key: string, options: CallOptions): Promise<void>;
  /** Leaves nothing behind of what was not stored. */
  giveUp(): Promise<void>;
}

/** Where the location takes objects bit by bit, nothing of it stays in memory. */
export function packBody(location: Location, options: CallOptions): PackBody {
  return location.draft === undefined ? new CollectedBody(location) : new DraftedBody(location.draft(options));
}

class CollectedBody implements PackBody {
  readonly #location: Location;
  readonly #parts: Uint8Array[] = [];

  constructor(location: Location) {
    this.#location = location;
  }

  async add(bytes: Uint8Array): Promise<void> {
    this.#parts.push(bytes);
  }

  async store(key: string, options: CallOptions): Promise<void> {
    await this.#location.put(key, this.#parts, options);
    for (const part of this.#parts) release(part);
  }

  async giveUp(): Promise<void> {}
}

class DraftedBody implements PackBody {
  readonly #draft: Promise<Draft>;
  /** Until all that was added is written. */
  #written: Promise<unknown>;

  constructor(draft: Promise<Draft>) {
    this.#draft = draft;
    this.#written = draft;
    this.#written.catch(() => {});
  }

  async add(bytes: Uint8Array, options: CallOptions): Promise<void> {
    const before = this.#written;
    this.#written = this.#append(bytes, before, options);
    // Whoever adds or stores next hears of it.
    this.#written.catch(() => {});
    // Not until its own are: whoever adds does something else meanwhile.
    await before;
  }

  async #append(bytes: Uint8Array, before: Promise<unknown>, options: CallOptions): Promise<void> {
    await before;
    await (await this.#draft).append(bytes, options);
    release(bytes);
  }

  async store(key: string, options: CallOptions): Promise<void> {
    await this.#written;
    await (await this.#draft).put(key, options);
    await this.giveUp();
  }

  async giveUp(): Promise<void> {
    await this.#written.catch(() => {});
    const draft = await this.#draft.catch(() => undefined);
    await draft?.[Symbol.asyncDispose]();
  }
}
