import { silentLogger } from '../../core/logger.ts';
import { segmentName } from '../../core/lsn.ts';
import { SimulatedTime, seededRandom } from '../../sim/index.ts';
import type { MemoryObjects } from '../../storage/adapters/memory/index.ts';
import type { Location } from '../../storage/location.ts';
import { FaultyLocation, type FaultRates } from '../../storage/testing/faulty.ts';
import { expect } from 'vitest';
import { foldJournal, type FoldFigures } from '../journal/fold.ts';
import { Journal } from '../journal/journal.ts';
import { WalFiles } from '../journal/wal-files.ts';
import { hastyRuntime, openMemoryRepository } from './repositories.ts';
import { SimulatedWal } from './simulated-wal.ts';

const { signal } = new AbortController();
export const service = 'orders';
/** Few, so that parts are put together often. */
const smallPartsMax = 6;

/** A database, its journal, and a location that fails as told, all in simulated time. */
export async function journalWorld(
  seed = 1,
  { slowMs = 1_000, intervalMs = 1_000, bufferedBytesMax }: { slowMs?: number; intervalMs?: number; bufferedBytesMax?: number } = {},
) {
  const time = new SimulatedTime();
  const clock = time.clock();
  const random = seededRandom(seed);
  const runtime = { clock, random, logger: silentLogger };
  const objects: MemoryObjects = new Map();
  let location!: FaultyLocation;
  const around = (inner: Location): Location => (location = new FaultyLocation(inner, { clock, random }, { rates: {}, slowMs }));
  const repository = await openMemoryRepository({ objects, around });
  const wal = new SimulatedWal(clock);
  const start = () => {
    const stop = new AbortController();
    const journal = new Journal(wal, repository, runtime, { service, intervalMs, ...(bufferedBytesMax && { bufferedBytesMax }) });
    const running = journal.run(stop.signal);
    return { journal, stop: () => (stop.abort(), running) };
  };
  const fold = async (): Promise<FoldFigures> => {
    const { systemId, segmentBytes } = wal;
    return await foldJournal(repository, hastyRuntime, { service, systemId, segmentBytes, host: 'test', smallPartsMax, signal });
  };
  const files = async () =>
    WalFiles.open(
      { repository: await openMemoryRepository({ objects }), service, systemId: wal.systemId, segmentBytes: wal.segmentBytes },
      { signal },
    );
  const healthy = location.rates;
  const fail = (rates: Partial<FaultRates>): void => void (location.rates = { ...healthy, ...rates });
  return { time, clock, runtime, random, fail, wal, start, files, fold, repository, objects };
}

/** That everything from `from` to the end is stored, byte for byte, as recovery along the present timeline reads it. */
export async function expectStored(
  { files, wal }: Pick<Awaited<ReturnType<typeof journalWorld>>, 'files' | 'wal'>,
  from: { timeline: number; lsn: bigint },
): Promise<void> {
  const stored = await files();
  const segmentBytes = BigInt(wal.segmentBytes);
  const { reached, missing } = stored.reach(from, wal.timeline);
  expect({ ...reached, missing }).toEqual({ timeline: wal.timeline, lsn: wal.lsn, missing: undefined });
  const ends = [...wal.ended, { timeline: wal.timeline, end: wal.lsn }];
  for (let begin = from.lsn - (from.lsn % segmentBytes); begin < wal.lsn; begin += segmentBytes) {
    // Every timeline that wrote into this segment has a file of it, which begins with what its ancestors wrote.
    const writers = ends.filter(({ end }, index) => {
      const own = ends[index - 1]?.end ?? 0n;
      return own < end && own < begin + segmentBytes && end > begin;
    });
    for (const { timeline } of writers) {
      const bytes = await stored.file(segmentName(timeline, begin, segmentBytes), { signal });
      const until = wal.ended.find((one) => one.timeline === timeline)?.end ?? wal.lsn;
      for (let at = begin < from.lsn ? from.lsn : begin; at < begin + segmentBytes && at < until; at += 37n)
        if (bytes?.[Number(at - begin)] !== wal.byteAt(at, timeline))
          throw new Error(`byte ${at} of timeline ${timeline} is ${bytes?.[Number(at - begin)]}`);
    }
  }
}
