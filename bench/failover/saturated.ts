import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { cpus } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Race } from './race.ts';

const HOGS_PER_CORE = 2;
const LOOK_MS = 1_000;

export interface Saturated {
  readonly minutes: number;
  readonly hogs: number;
  /** Times that the leadership moved though nothing had happened to the leader. */
  readonly falseFailovers: number;
  /** The longest that the client waited between two rows. */
  readonly gapMs: number;
  readonly errors: number;
}

/** Keeps all cores busy with loops, and counts what the contenders take for a failure. */
export async function saturate(races: readonly Race[], minutes: number, signal: AbortSignal): Promise<Map<string, Saturated>> {
  const leaders = new Map<string, string>();
  for (const race of races) leaders.set(race.contender.name, await race.whole());
  const moves = new Map<string, number>();
  const beganMs = performance.now();
  {
    await using hogs = startHogs(cpus().length * HOGS_PER_CORE);
    void hogs;
    for (; performance.now() - beganMs < minutes * 60_000; await sleep(LOOK_MS, undefined, { signal })) {
      await Promise.all(races.map(({ contender }) => noteMove(contender.name, () => contender.leader())));
    }
  }
  for (const race of races) await noteMove(race.contender.name, () => race.whole());
  return new Map(
    races.map((race) => [
      race.contender.name,
      { minutes, hogs: cpus().length * HOGS_PER_CORE, falseFailovers: moves.get(race.contender.name) ?? 0, ...race.clientSince(beganMs) },
    ]),
  );

  async function noteMove(name: string, ask: () => Promise<string | undefined>): Promise<void> {
    const leader = await ask();
    // Nobody answers, or nobody leads for the moment: who leads next will tell.
    if (leader === undefined || leader === leaders.get(name)) return;
    leaders.set(name, leader);
    moves.set(name, (moves.get(name) ?? 0) + 1);
  }
}

function startHogs(count: number): AsyncDisposable {
  const hogs = Array.from({ length: count }, (): ChildProcess => spawn('/bin/sh', ['-c', 'while :; do :; done'], { stdio: 'ignore' }));
  return {
    async [Symbol.asyncDispose]() {
      await Promise.all(
        hogs.map(async (hog) => {
          if (hog.exitCode !== null || hog.signalCode !== null) return;
          const gone = once(hog, 'close');
          hog.kill('SIGKILL');
          await gone;
        }),
      );
    },
  };
}
