import { HoldfastError } from '../core/errors.ts';
import type { Runtime } from '../core/runtime.ts';
import { abortable } from '../core/abortable.ts';
import { limitAfter } from './patience.ts';
import type { Session } from './store.ts';

/** How long a waiter that gives up waits for the store to be told; its place ends with its TTL otherwise. */
const goodbyeMsMax = 1_000;

/** Ends the session so that its place is gone when the caller hears of the failure; does not wait long for a store that is away. */
export async function sayGoodbye(session: Session, runtime: Runtime): Promise<void> {
  using limit = limitAfter(runtime.clock, goodbyeMsMax, () => new HoldfastError('COORD_UNREACHABLE', 'the store does not answer'));
  await abortable(Promise.resolve(session[Symbol.asyncDispose]()), limit.signal).catch(() => {});
}
