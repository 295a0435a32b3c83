import type { EarlierBase, PageChanges } from '../../../core/base-source.ts';
import { formatLsn, parseLsn } from '../../../core/lsn.ts';
import { divergence, type TimelineHistory } from '../../../core/timeline.ts';
import { readHistory } from './history-files.ts';
import type { Member } from './member.ts';
import { judgePageChanges, type ForkChanges } from './page-changes.ts';
import { isServerError, type Session } from './session.ts';
import { queryTimeoutMs } from './sessions.ts';

/** Servers can summarise WAL from here on (`summarize_wal`). */
export const summaryVersionMin = 17;
/** The server gives a summarizer that gets nowhere as long (WaitForWalSummarization). */
const stalledMsMax = 60_000;
const pollMs = 20;
/** Summaries of days, on a slow disk. */
const readMsMax = 600_000;

/** WAL of one timeline. */
export interface Stretch {
  readonly timeline: number;
  readonly start: bigint;
  readonly end: bigint;
}

/**
 * WAL between the start of an earlier backup and that of one now; undefined when the earlier one is not of this one's past: then pages of it
 * could be ones that were never to be (PrepareForIncrementalBackup of basebackup_incremental.c).
 */
export function stretchesSince(earlier: EarlierBase, now: EarlierBase['start'], history: TimelineHistory): Stretch[] | undefined {
  if (divergence({ timeline: earlier.start.timeline, lsn: earlier.endLsn }, history) !== undefined) return undefined;
  if (earlier.endLsn > now.lsn) return undefined;
  const first = history.ancestors.findIndex(({ timeline }) => timeline === earlier.start.timeline);
  let start = earlier.start.lsn;
  const stretches: Stretch[] = [];
  for (const { timeline, end } of first < 0 ? [] : history.ancestors.slice(first)) {
    stretches.push({ timeline, start, end });
    start = end;
  }
  if (start > now.lsn) return undefined;
  return [...stretches, { timeline: now.timeline, start, end: now.lsn }].filter((stretch) => stretch.start < stretch.end);
}

/** Which summaries hold a stretch; undefined when there is a hole in them (WalSummariesAreComplete of walsummary.c). */
export function summariesOf(stretch: Stretch, available: readonly Stretch[]): readonly Stretch[] | undefined {
  const wanted = available
    .filter(({ timeline, start, end }) => timeline === stretch.timeline && start < stretch.end && end > stretch.start)
    .toSorted((a, b) => (a.start < b.start ? -1 : a.start > b.start ? 1 : 0));
  let reached = stretch.start;
  for (const { start, end } of wanted) {
    if (start > reached) return undefined;
    if (end > reached) reached = end;
  }
  return reached >= stretch.end ? wanted : undefined;
}

export interface ChangesOrder {
  readonly earlier: EarlierBase;
  readonly now: EarlierBase['start'];
  readonly pageBytes: number;
  readonly pieceBytes: number;
  readonly signal: AbortSignal;
}

/** What the server's summaries say changed since an earlier backup; undefined when they do not tell. */
export async function readPageChanges(member: Member, session: Session, order: ChangesOrder): Promise<PageChanges | undefined> {
  if (member.binaries.version.major < summaryVersionMin) return undefined;
  const history = await readHistory(member.places.data, order.now.timeline);
  const stretches = history === undefined ? undefined : stretchesSince(order.earlier, order.now, history);
  if (stretches === undefined) return undefined;
  try {
    if (!(await waitForSummaries(member, session, order))) return undefined;
    const available = await listSummaries(session, order.signal);
    const summaries = stretches.map((stretch) => summariesOf(stretch, available));
    if (!summaries.every((found) => found !== undefined)) return undefined;
    return await readSummaries(session, summaries.flat(), order);
  } catch (error) {
    // A summary may have been removed for its age meanwhile, or be damaged: all is read then.
    if (isServerError(error)) return undefined;
    throw error;
  }
}

/** The summarizer goes on by itself, a little later than the WAL. */
async function waitForSummaries(member: Member, session: Session, { now, signal }: ChangesOrder): Promise<boolean> {
  const { clock } = member.runtime;
  let pending = '';
  let movedMs = clock.monotonicMs();
  while (clock.monotonicMs() - movedMs < stalledMsMax) {
    const [state] = await session.query(
      `select summarized_lsn >= $1::pg_lsn as reached, pending_lsn::text as pending, summarizer_pid is not null as runs
         from pg_get_wal_summarizer_state()`,
      { timeoutMs: queryTimeoutMs, signal, values: [formatLsn(now.lsn)] },
    );
    if (state!['reached'] === true) return true;
    if (state!['runs'] !== true) return false;
    if (state!['pending'] !== pending) movedMs = clock.monotonicMs();
    pending = String(state!['pending']);
    await clock.sleep(pollMs, signal);
  }
  return false;
}

async function listSummaries(session: Session, signal: AbortSignal): Promise<Stretch[]> {
  const rows = await session.query('select tli, start_lsn::text as start, end_lsn::text as end from pg_available_wal_summaries()', {
    timeoutMs: queryTimeoutMs,
    signal,
  });
  return rows.map((row) => ({
    timeline: Number(row['tli']),
    start: parseLsn(String(row['start'])),
    end: parseLsn(String(row['end'])),
  }));
}

async function readSummaries(session: Session, summaries: readonly Stretch[], order: ChangesOrder): Promise<PageChanges> {
  const { pageBytes, pieceBytes, signal } = order;
  // Put together by the server: as many numbers as pieces come over, not as blocks.
  const rows = await session.query(
    `select reltablespace as space, reldatabase as database, relfilenode as relation, relforknumber as fork,
            min(relblocknumber) filter (where is_limit_block) as limit_block,
            coalesce(array_agg(distinct (relblocknumber / $4)::int) filter (where not is_limit_block), '{}') as pieces
       from unnest($1::bigint[], $2::pg_lsn[], $3::pg_lsn[]) as s (tli, start_lsn, end_lsn),
            pg_wal_summary_contents(s.tli, s.start_lsn, s.end_lsn)
      group by 1, 2, 3, 4`,
    {
      timeoutMs: readMsMax,
      signal,
      values: [
        summaries.map(({ timeline }) => timeline),
        summaries.map(({ start }) => formatLsn(start)),
        summaries.map(({ end }) => formatLsn(end)),
        pieceBytes / pageBytes,
      ],
    },
  );
  const [sizes] = await session.query("select setting::int as pages from pg_settings where name = 'segment_size'", {
    timeoutMs: queryTimeoutMs,
    signal,
  });
  const changes = rows.map((row): ForkChanges => ({
    space: Number(row['space']),
    database: Number(row['database']),
    relation: Number(row['relation']),
    fork: Number(row['fork']),
    limitBlock: row['limit_block'] === null ? null : Number(row['limit_block']),
    pieces: Int32Array.from(row['pieces'] as number[]).toSorted(),
  }));
  return judgePageChanges(changes, { pageBytes, pieceBytes, segmentPages: Number(sizes!['pages']) });
}
