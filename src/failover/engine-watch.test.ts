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
  upstream: { node: 'a', streaming: true },
  replicas: [],
  pendingRestart: false,
};

/** A watch, and one look of it at a database that is as said, so much later than the look before. */
function watch(): { watch: EngineWatch; look: (engine: EngineObservation, afterMs?: number) => boolean; wait: (ms: number) => boolean } {
  let nowMs = 0;
  const leadership = { value: { leader: 'a', roster: [{ k: 1, voters: ['b'] }] } };
  const member = { engineState: well, now: () => nowMs, needs: () => {}, deps: { store: { leadership } } };
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

  test.each<[string, Partial<EngineObservation>]>([
    ['it does not answer', { accepting: false }],
    ['its disk is full', { impairment: 'full' }],
    ['it follows nobody', { upstream: { node: 'a', streaming: false } }],
    ['it leads, and a voter does not stream', { role: 'primary' }],
  ])('is not while %s, however long', (_, state) => {
    const { look } = watch();
    expect([1, 2, 3, 4, 5, 6, 7, 8].some(() => look({ ...well, ...state }))).toBe(false);
  });

  test('that leads is when its voters stream', () => {
    const { look } = watch();
    const leads = { role: 'primary', replicas: [{ node: 'b', state: 'streaming', flushLsn: 7n, replayLsn: 7n, sync: 'quorum' }] } as const;
    expect([1, 2, 3, 4, 5, 6].map(() => look({ ...well, ...leads }))).toEqual([false, false, false, false, false, true]);
  });
});
