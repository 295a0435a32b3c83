import { rename } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { createRuntime } from '../../../src/runtime/index.ts';
import { temporaryDirectory } from '../demo-process.ts';
import { JournalledCluster } from './journalled.ts';

/** Commits wait for so long, with the location away. */
const patience = '6s';

test(
  'journal: sync loses nothing acknowledged when all nodes die at once; commits wait while the location is away, for as long as is configured',
  { timeout: 300_000 },
  async () => {
    await using runtime = createRuntime({ log: { level: 'error' } });
    await using directory = await temporaryDirectory();
    await using cluster = await JournalledCluster.start(directory.path, { sync: patience }, runtime);
    const { agents, disk } = cluster;
    const leftOut = (text: string): boolean => text.includes('Commits do not wait for the journal');
    // On a slow machine a leader's journal may begin so late that commits go on without it for a while.
    const counted = () => agents.until('commits wait for the journal', ({ copies }) => copies?.alarms.some(leftOut) === false);
    const acked: number[] = [];
    const killAndCompare = async (load: Awaited<ReturnType<typeof cluster.load>>): Promise<void> => {
      await sleep(500 + Math.floor(Math.random() * 1_000));
      await cluster.kill();
      await load.done;
      acked.push(...load.acked.keys());
      const there = await cluster.restoredRows();
      expect(acked.filter((id) => !there.has(id))).toEqual([]);
    };

    {
      const load = await cluster.load(100_000_000);
      await load.untilAcked();
      await counted();
      await rename(disk, `${disk}.away`);
      // What was on its way is let through.
      await sleep(500);
      const [fromMs, from] = [performance.now(), load.acked.size];
      await sleep(1_000);
      const during = load.acked.size - from;
      await counted();
      expect(during).toBe(0);
      await rename(`${disk}.away`, disk);
      await load.untilAcked(fromMs);
      await killAndCompare(load);
    }

    cluster.restart();
    const load = await cluster.load(200_000_000);
    // Whoever has just begun to lead waits for the journal first.
    await load.untilAcked();
    await counted();
    await rename(disk, `${disk}.away`);
    await agents.until('commits go on without the journal', ({ copies }) => copies?.alarms.some(leftOut) === true);
    await load.untilAcked(performance.now());
    await rename(`${disk}.away`, disk);
    await counted();
    await load.untilAcked(performance.now());
    await killAndCompare(load);
  },
);
