import { describe, expect, test } from 'vitest';
import type { EngineObservation } from '../engine/engine.ts';
import { EngineWatch } from './engine-watch.ts';
import type { Member } from './member.ts';

const well: EngineObservation = {
  data: 'present',
  running: true,
  accepting: true,
  role: 'replica',
  position: { timeline: 1, lsn: 7n },
  replicas: [],
  pendingRestart: false,
};

/** A watch, and one look of it at a database that is as said, so much later than the look before. */
function watch(): { watch: EngineWatch; look: (engine: EngineObservation, afterMs?: number) => boolean; wait: (ms: number) => boolean } {
  let nowMs = 0;
  const member = { engineState: well, now: () => nowMs, deps: { store: { leadership: null } } };
  const engineWatch = new EngineWatch(member as unknown as Member);
  return {
    watch: engineWatch,
    look: (engine, afterMs = 200) => {
      nowMs += afterMs;
      member.engineState = engine;
      engineWatch.notice();
      return engineWatch.isQuiet;
    },
    wait: (ms) => {
      nowMs += ms;
      return engineWatch.isQuiet;
    },
  };
}

describe('a database', () => {
  test('is quiet once several looks found it the same, for half a second each time', () => {
    const { look, wait } = watch();
    expect([1, 2, 3, 4, 5, 6].map(() => look({ ...well }))).toEqual([false, false, false, false, false, true]);
    expect([wait(499), wait(1)]).toEqual([true, false]);
    expect(look({ ...well })).toBe(true);
  });

  test('is not when anything in it moves', () => {
    const { look } = watch();
    for (let looks = 0; looks < 6; looks += 1) look(well);
    expect(look({ ...well, position: { timeline: 1, lsn: 8n } })).toBe(false);
  });

  test('is not while it does not answer, however long', () => {
    const { look } = watch();
    expect([1, 2, 3, 4, 5, 6, 7, 8].some(() => look({ ...well, accepting: false }))).toBe(false);
  });
});
