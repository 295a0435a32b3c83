import { linked } from '../../core/deadline.ts';
import { messageOf } from '../../core/errors.ts';
import type { Ensemble } from './ensemble.ts';
import { areOne } from './mirror/copies-of.ts';
import { type Repair, repair, type Scheme } from './repair.ts';

/** Objects healed at once. */
const repairsAtOnce = 4;
const backoffMsMin = 1_000;
/** Share of a wait that is left to chance, so that many processes do not come at once. */
const jitter = 0.25;

export interface CatchUp {
  /** Objects that every part which answers has, or has no more, as it should be. */
  readonly done: number;
  /** What is not so yet, or can not be. */
  readonly open: readonly Repair[];
}

/** What is noted and suspected now is healed as far as the parts that answer allow. One that was away and answers again is back. */
export async function catchUp(ensemble: Ensemble, scheme: Scheme, signal: AbortSignal): Promise<CatchUp> {
  await ensemble.opened(signal);
  await ensemble.meet(ensemble.parts, signal);
  const results: CatchUp[] = [];
  for (const number of ensemble.pending.doubtful) results.push(await resume(ensemble, scheme, number, signal));
  const known = new Set([...ensemble.pending.keys().filter((key) => mayBeHealed(ensemble, key)), ...ensemble.suspects.keys()]);
  results.push(await healAll(ensemble, scheme, known, signal));
  return { done: results.reduce((sum, { done }) => sum + done, 0), open: results.flatMap(({ open }) => open) };
}

/** Of what only parts that are away miss nothing can be done. */
function mayBeHealed({ pending, parts }: Ensemble, key: string): boolean {
  const behind = [...pending.behind(key)];
  return behind.length === 0 || pending.isStaged(key) || behind.some((number) => parts[number]!.present);
}

async function healAll(ensemble: Ensemble, scheme: Scheme, keys: Iterable<string>, signal: AbortSignal): Promise<CatchUp> {
  const todo = keys[Symbol.iterator]();
  const open: Repair[] = [];
  let done = 0;
  const worker = async (): Promise<void> => {
    for (let next = todo.next(); next.done !== true; next = todo.next()) {
      signal.throwIfAborted();
      const result = await healOne(ensemble, scheme, next.value, signal);
      if ((result.verdict === 'whole' || result.verdict === 'absent') && result.why === '') done += 1;
      else open.push(result);
    }
  };
  await Promise.all(Array.from({ length: repairsAtOnce }, worker));
  if (done > 0) ensemble.runtime.logger.info('storage.caught-up', { location: ensemble.name, objects: done, open: open.length });
  return { done, open };
}

async function healOne(ensemble: Ensemble, scheme: Scheme, key: string, signal: AbortSignal): Promise<Repair> {
  try {
    return await repair(ensemble, scheme, key, signal);
  } catch (error) {
    signal.throwIfAborted();
    return { key, verdict: 'wait', changed: [], why: messageOf(error) };
  }
}

/** A part that missed more than was noted, or was found empty: whatever any part has is looked at. */
async function resume(ensemble: Ensemble, scheme: Scheme, number: number, signal: AbortSignal): Promise<CatchUp> {
  if (!ensemble.parts.every((part) => part.present) || !(await areOne({ ensemble, scheme }, signal))) return { done: 0, open: [] };
  const listings = await ensemble.listings('', ensemble.parts.length, signal);
  const keys = new Set([...listings.values()].flatMap((listing) => [...listing.keys()]));
  const result = await healAll(ensemble, scheme, keys, signal);
  if (result.open.every(({ verdict }) => verdict !== 'wait')) await ensemble.pending.clearFull(ensemble.parts[number]!, signal);
  return result;
}

/** Catches up in the background, as soon as there is something to do and later and later while it does not succeed. */
export class CatchUpLoop implements AsyncDisposable {
  readonly #ensemble: Ensemble;
  readonly #scheme: Scheme;
  readonly #stop = linked();
  #running: Promise<void> | undefined;
  #wake: (() => void) | undefined;

  constructor(ensemble: Ensemble, scheme: Scheme) {
    this.#ensemble = ensemble;
    this.#scheme = scheme;
    ensemble.onWork = () => this.#wake?.();
  }

  /** From the first use on. */
  start(): void {
    this.#running ??= this.#run(this.#stop.signal).catch(() => {});
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new Error('the location is closed'));
    await this.#running;
    this.#stop[Symbol.dispose]();
  }

  async #run(signal: AbortSignal): Promise<void> {
    let failures = 0;
    for (;;) {
      await this.#wait(failures, signal);
      const before = this.#openWork();
      try {
        await catchUp(this.#ensemble, this.#scheme, signal);
      } catch (error) {
        signal.throwIfAborted();
        this.#ensemble.runtime.logger.warn('storage.catch-up.failed', { location: this.#ensemble.name, message: messageOf(error) });
      }
      const after = this.#openWork();
      failures = after === 0 || after < before ? 0 : failures + 1;
    }
  }

  /** Notes, suspicions and parts that are away. */
  #openWork(): number {
    const { pending, suspects, parts } = this.#ensemble;
    return pending.keys().length + suspects.size + pending.doubtful.size + parts.filter((part) => !part.present).length;
  }

  /** With work to do: 1 s, then twice as long each time in vain, at most as long as without. Without: until there is some, or others may have noted some. */
  async #wait(failures: number, signal: AbortSignal): Promise<void> {
    const { runtime, refreshMs } = this.#ensemble;
    const spread = (ms: number): number => ms * (1 - jitter + 2 * jitter * runtime.random.next());
    if (this.#openWork() === 0) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      using _timer = runtime.clock.after(spread(refreshMs), resolve);
      using _end = onAbort(signal, resolve);
      await promise;
      this.#wake = undefined;
      signal.throwIfAborted();
      if (this.#openWork() === 0) return;
    }
    await runtime.clock.sleep(spread(Math.min(refreshMs, backoffMsMin * 2 ** Math.min(failures, 20))), signal);
  }
}

function onAbort(signal: AbortSignal, act: () => void): Disposable {
  signal.addEventListener('abort', act, { once: true });
  return { [Symbol.dispose]: () => signal.removeEventListener('abort', act) };
}
