import { existsSync, readFileSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Account } from '../../../core/processes.ts';
import { writeDurably } from './durable-file.ts';
import { historyName } from '../../../core/timeline.ts';

/*
 * A promoted server takes the number after the last timeline, counted from that which it recovers, for which it finds a history file
 * (findNewestTimeLine of timeline.c). To make it take a higher one, the numbers between get a file that says nothing: a reservation. It
 * stays with the primary, whose replicas fetch the history files of all timelines between theirs and its own.
 */

/** Comments only: readTimeLineHistory finds no ancestor in it. */
const content = '# holdfast: taken by a promotion elsewhere\n';
/** A promotion that is so far behind is none that anybody has lost count of. */
const timelinesMax = 10_000;

/** Makes the next promotion take the timeline `wanted`, or the next free one when that is higher. */
export async function reserveTimelines(data: string, wanted: number, account: Account | undefined): Promise<void> {
  if (wanted > timelinesMax) throw new RangeError(`timeline ${wanted} is beyond ${timelinesMax}`);
  for (let timeline = 2; timeline < wanted; timeline++) {
    const path = join(data, 'pg_wal', historyName(timeline));
    if (!existsSync(path)) await writeDurably(path, content, { account });
  }
}

/**
 * Takes back those beyond the last real timeline: left by a promotion that was not finished, or fetched without what was to follow. A replica that
 * is started would recover towards the newest timeline of all, and a reservation is nobody's descendant.
 */
export async function dropReservations(data: string): Promise<void> {
  const names = (await readdir(join(data, 'pg_wal'))).filter((name) => /^[0-9A-F]{8}\.history$/.test(name));
  for (const name of names.toSorted((a, b) => (a < b ? 1 : -1))) {
    const path = join(data, 'pg_wal', name);
    if (readFileSync(path, 'utf8') !== content) return;
    await rm(path, { force: true });
  }
}
