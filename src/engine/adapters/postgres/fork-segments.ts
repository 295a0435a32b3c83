import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { parseSegmentName, segmentName } from '../../../core/lsn.ts';
import type { Account } from '../../../core/processes.ts';
import type { TimelineHistory } from '../../../core/timeline.ts';
import { writeDurably } from './durable-file.ts';

/**
 * Gives each ancestor the segment in which it was left, where `pg_wal` has only the next timeline's: recovery fetches no other, as that one begins with the
 * same bytes. PostgreSQL's WAL summarizer (from 17 on) reads an ancestor from the ancestor's own files. Where one is missing, it fails for ever: WAL is kept
 * until the disk is full, and each shutdown waits for up to ten seconds, as between two tries it sleeps deaf to signals (WalSummarizerMain of walsummarizer.c).
 * The server must not run.
 * @returns the names of what was added
 */
export async function completeForks(
  data: string,
  { timeline, ancestors }: TimelineHistory,
  { segmentBytes, account }: { readonly segmentBytes: bigint; readonly account: Account | undefined },
): Promise<string[]> {
  const directory = join(data, 'pg_wal');
  const names = new Set(await readdir(directory));
  const segments = [...names].flatMap((name) => parseSegmentName(name, segmentBytes) ?? []);
  const line = [...ancestors.map((ancestor) => ancestor.timeline), timeline];
  const added: string[] = [];
  for (const [index, left] of ancestors.entries()) {
    const name = segmentName(left.timeline, left.end, segmentBytes);
    const before = line.slice(0, index + 1);
    const isPassed = segments.some((segment) => before.includes(segment.timeline) && segment.lsn < left.end);
    const source = line
      .slice(index + 1)
      .map((descendant) => segmentName(descendant, left.end, segmentBytes))
      .find((candidate) => names.has(candidate));
    if (names.has(name) || left.end % segmentBytes === 0n || !isPassed || source === undefined) continue;
    await writeDurably(join(directory, name), await beginning(join(directory, source), left.end % segmentBytes, segmentBytes), { account });
    added.push(name);
  }
  return added;
}

/** A segment's first bytes, and zeros. */
async function beginning(path: string, sizeBytes: bigint, segmentBytes: bigint): Promise<Buffer> {
  const segment = Buffer.alloc(Number(segmentBytes));
  await using file = await open(path, 'r');
  for (let at = 0; at < sizeBytes;) {
    const { bytesRead } = await file.read(segment, at, Number(sizeBytes) - at, at);
    if (bytesRead === 0) break;
    at += bytesRead;
  }
  return segment;
}
