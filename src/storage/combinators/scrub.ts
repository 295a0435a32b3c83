import { hasCode, messageOf } from '../../core/errors.ts';
import type { Runtime } from '../../core/runtime.ts';
import { TokenBucket } from '../decorators/token-bucket.ts';
import type { Location, ObjectInfo } from '../location.ts';
import { isCombined } from './combined.ts';
import { areOne } from './mirror/copies-of.ts';
import { type Verify, verifyResticKey } from './mirror/restic-keys.ts';
import { scrubbedCombined } from './scrub-combined.ts';
import type { Problem } from './scrub-findings.ts';
import { type ScrubOptions, type ScrubReport, ScrubTally } from './scrub-report.ts';

/**
 * Reads every object of a location, at a stated rate: of a combined one every copy and shard, heals what can be healed and says what can not;
 * of a plain one, with `verify`, finds only. Objects go by key, so that one that was ended can go on: `onProgress` tells where.
 * @throws the signal's reason, or what the location says when it can not be listed
 */
export async function scrub(location: Location, runtime: Runtime, options: ScrubOptions): Promise<ScrubReport> {
  const bucket = options.rateBytes === undefined ? undefined : new TokenBucket(options.rateBytes, runtime.clock);
  const meter = async (sizeBytes: number, signal: AbortSignal): Promise<void> => await bucket?.take(sizeBytes, signal);
  const report = isCombined(location)
    ? await scrubbedCombined(location, meter, {
        ...options,
        heal: options.heal !== false && (await areOne(location.inside, options.signal)),
      })
    : await scrubbedPlain(location, meter, options);
  const { objects, bytes, healed, open } = report;
  runtime.logger.info('storage.scrub.done', { location: location.name, objects, bytes, healed, open, counts: report.counts });
  return report;
}

async function scrubbedPlain(
  location: Location,
  meter: (sizeBytes: number, signal: AbortSignal) => Promise<void>,
  options: ScrubOptions,
): Promise<ScrubReport> {
  const { signal, after = '' } = options;
  const listed = await Array.fromAsync(location.list('', { signal }));
  const objects = listed.filter(({ key }) => key > after).toSorted((a, b) => (a.key < b.key ? -1 : 1));
  const tally = new ScrubTally(objects.length, options);
  for (const info of objects) {
    signal.throwIfAborted();
    await meter(info.sizeBytes, signal);
    const problem = await lookAt(location, info, options.verify ?? verifyResticKey, tally, signal);
    if (problem !== undefined) tally.found({ key: info.key, location: location.name, healed: false, ...problem });
    tally.done(info.key);
  }
  return tally.report();
}

async function lookAt(
  location: Location,
  { key, sizeBytes }: ObjectInfo,
  verify: Verify,
  tally: ScrubTally,
  signal: AbortSignal,
): Promise<{ problem: Problem; message: string } | undefined> {
  try {
    const bytes = await location.get(key, { signal });
    tally.read(bytes.byteLength);
    const verdict = verify(key, bytes);
    if (verdict === false) return { problem: 'damaged', message: 'its content is not what its key says' };
    if (verdict === undefined) tally.unverified += 1;
    return bytes.byteLength === sizeBytes
      ? undefined
      : { problem: 'list-lies', message: `${sizeBytes} bytes by the list, ${bytes.byteLength} in fact` };
  } catch (error) {
    signal.throwIfAborted();
    if (hasCode(error, 'STORAGE_DAMAGED')) return { problem: 'damaged', message: messageOf(error) };
    if (!hasCode(error, 'STORAGE_NOT_FOUND')) return { problem: 'unknown', message: messageOf(error) };
    // It may have been removed since it was listed.
    return undefined;
  }
}
