import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { historyName, parseHistory, type TimelineHistory } from '../../../core/timeline.ts';

/** The history of a timeline as kept in a data directory. Timeline 1 has none to read. */
export async function readHistory(dataDirectory: string, timeline: number): Promise<TimelineHistory | undefined> {
  if (timeline === 1) return { timeline, ancestors: [] };
  try {
    return parseHistory(timeline, await readFile(join(dataDirectory, 'pg_wal', historyName(timeline)), 'utf8'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** The newest timeline that a data directory knows of and that descends from `timeline`, as recovery to the latest one chooses it. */
export async function latestHistory(dataDirectory: string, timeline: number): Promise<TimelineHistory> {
  const names = await readdir(join(dataDirectory, 'pg_wal'));
  const known = names
    .flatMap((name) => /^([0-9A-F]{8})\.history$/.exec(name)?.[1] ?? [])
    .map((hex) => Number.parseInt(hex, 16))
    .filter((candidate) => candidate > timeline)
    .toSorted((a, b) => b - a);
  for (const candidate of known) {
    const history = await readHistory(dataDirectory, candidate);
    if (history?.ancestors.some((ancestor) => ancestor.timeline === timeline)) return history;
  }
  return (await readHistory(dataDirectory, timeline)) ?? { timeline, ancestors: [] };
}
