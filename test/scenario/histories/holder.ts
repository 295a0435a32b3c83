import type { AcquireOptions, Hold } from '../../../src/coordination/hold.ts';
import type { Clock } from '../../../src/core/clock.ts';
import { hasCode } from '../../../src/core/errors.ts';
import type { SeededRandom } from '../../../src/sim/index.ts';
import { nowUs, type Recorder } from './recorder.ts';
import type { FarResource } from './resource.ts';

const ttlMs = 2_000;
/** How long one waits in line before trying anew. */
const waitMs = 8_000;
const actPauseMs = 25;
const restMs = 30;

export interface Holding {
  readonly clock: Clock;
  readonly random: SeededRandom;
  readonly recorder: Recorder;
  readonly resource: FarResource;
  readonly label: string;
  /** What is held, as recorded and as the resource knows it. */
  readonly key: string;
  readonly acts: number;
  readonly stop: AbortSignal;
  /** Acts without looking whether it may. */
  readonly careless: boolean;
  readonly acquire: (options: AcquireOptions) => Promise<Hold>;
}

/** Acquires, acts on the resource while it may, releases; until `stop`. */
export async function holdAgainAndAgain(holding: Holding): Promise<void> {
  const { clock, random, stop } = holding;
  while (!stop.aborted) {
    try {
      await holdOnce(holding);
    } catch (error) {
      // Away, too long in line, or lost: what the caller of a lock has to live with.
      const expected = ['COORD_UNREACHABLE', 'COORD_LOCK_TIMEOUT', 'COORD_SESSION_LOST'] as const;
      if (!stop.aborted && !expected.some((code) => hasCode(error, code))) throw error;
    }
    await clock.sleep(random.next() * restMs, stop).catch(() => {});
  }
}

async function holdOnce(holding: Holding): Promise<void> {
  const { clock, random, recorder, label, key, resource, stop } = holding;
  const attempt = recorder.begin(label, 'acquire', key, null);
  let hold: Hold;
  try {
    hold = await holding.acquire({ ttlMs, waitMs, signal: stop });
  } catch (error) {
    attempt.unknown();
    throw error;
  }
  await using _released = hold;
  attempt.ok(hold.token);
  for (let acts = random.integer(holding.acts); acts >= 0 && !stop.aborted; acts -= 1) {
    const at = validAt(hold, holding);
    recorder.begin(label, 'holds', key, hold.token, at).ok(null, at);
    // A refusal says that a later holder has acted: then this hold must be over, which the next look records.
    await resource.act(key, hold.token);
    await clock.sleep(random.next() * actPauseMs);
  }
  const release = recorder.begin(label, 'release', key, hold.token, validAt(hold, holding));
  try {
    await hold.release();
  } catch (error) {
    release.unknown();
    throw error;
  }
  release.ok();
}

/**
 * A moment at which it was certainly valid: taken before it is looked, for this process may be stopped in between, and what is over stays so.
 * @throws COORD_SESSION_LOST
 */
function validAt(hold: Hold, { careless }: Holding): number {
  const at = nowUs();
  if (!careless) hold.assertValid();
  return at;
}
