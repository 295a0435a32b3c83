import type { Position } from '../../engine.ts';
import type { ControlFile } from './control-file.ts';
import { latestHistory } from './history-files.ts';
import { WalPages, timelinesNewestFirst } from './wal-pages.ts';
import { readRecord, recordBefore } from './wal-records.ts';

/**
 * Where the WAL on this disk really ends: after the last whole, valid record. Data pages never run ahead of it (WAL is flushed first),
 * and every commit that a replica ever confirmed as flushed lies before it. After a crash the control file alone knows only a lower bound.
 *
 * Method: the records are read from the last checkpoint's on; the first that is not valid is the end.
 *
 * @param replayed end of a record that a server has replayed, from where to look on instead
 */
export async function endOfWal(dataDirectory: string, control: ControlFile, replayed?: Position): Promise<Position> {
  const start = replayed ?? { timeline: control.timeline, lsn: control.checkpointLsn };
  const history = await latestHistory(dataDirectory, start.timeline);
  await using pages = new WalPages(dataDirectory, history, control.segmentBytes, control.systemId);
  let previous = replayed === undefined ? undefined : await recordBefore(pages, replayed.lsn, control.segmentBytes);
  // Without its back pointer a left-over of a recycled file could pass for the next record.
  if (replayed !== undefined && previous === undefined) return await endOfWal(dataDirectory, control);
  const timelines = timelinesNewestFirst(history);
  let end: Position = start;
  for (;;) {
    const record = await readRecord(pages, end.lsn, previous, control.segmentBytes);
    if (record === undefined) return end;
    const byLsn = timelines.find(({ begin }) => begin <= record.start)!.timeline;
    end = { timeline: Math.min(byLsn, record.fileTimeline), lsn: record.end };
    previous = record.start;
  }
}
