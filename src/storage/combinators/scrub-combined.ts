import type { ObjectInfo } from '../location.ts';
import { catchUp } from './catch-up.ts';
import type { CombinedLocation } from './combined.ts';
import { type Copy, planRepair } from './plan.ts';
import { type Meter, observeAll, type Repair, repair } from './repair.ts';
import { findLoss, findProblems } from './scrub-findings.ts';
import { type ScrubOptions, type ScrubReport, ScrubTally } from './scrub-report.ts';
import { stampWallMs } from './stamps.ts';

type Listings = ReadonlyMap<number, ReadonlyMap<string, ObjectInfo>>;

/** What a list tells and a look contradicts, and is looked at again in a second list. */
const doubtsMax = 10_000;

/** Every copy and shard of a combined location. */
export async function scrubbedCombined(location: CombinedLocation, limit: Meter, options: ScrubOptions): Promise<ScrubReport> {
  const { ensemble, scheme } = location.inside;
  const { signal, after = '', heal = true } = options;
  // What is known to be missing is no finding.
  if (heal) await catchUp(ensemble, scheme, signal);
  else await ensemble.opened(signal);
  const listings: Listings = await ensemble.listings('', 1, signal);
  const keys = [...new Set([...listings.values()].flatMap((listing) => [...listing.keys()]))].filter((key) => key > after).toSorted();
  const tally = new ScrubTally(keys.length, options);
  const meter: Meter = async (sizeBytes, own) => {
    await limit(sizeBytes, own);
    tally.read(sizeBytes);
  };
  const doubts: { part: number; key: string; listed: boolean }[] = [];
  for (const key of keys) {
    signal.throwIfAborted();
    const copies = await lookTwice(location, key, meter, signal);
    for (const [part, listing] of listings) {
      const { state } = copies[part]!;
      const odd = state === 'absent' ? listing.has(key) : state !== 'unreachable' && !listing.has(key);
      if (odd && doubts.length < doubtsMax) doubts.push({ part, key, listed: state === 'absent' });
    }
    await judge(location, key, copies, tally, options);
    tally.done(key);
  }
  await confirm(location, doubts, tally, options);
  // It costs room only: what can not be removed now is left to the next scrub.
  if (heal) await scheme.dropStrays(signal).catch(() => signal.throwIfAborted());
  return tally.report();
}

/** What seems damaged is read again: the line may have been at fault, not what is stored. */
async function lookTwice(
  { inside: { ensemble, scheme } }: CombinedLocation,
  key: string,
  meter: Meter,
  signal: AbortSignal,
): Promise<Copy[]> {
  const first = await observeAll(ensemble, scheme, key, signal, { meter });
  return await Promise.all(
    first.map(async (copy, part) =>
      copy.state === 'damaged' ? await scheme.observe(key, ensemble.parts[part]!, { deep: true, signal, meter }) : copy,
    ),
  );
}

async function judge(
  location: CombinedLocation,
  key: string,
  copies: readonly Copy[],
  tally: ScrubTally,
  options: ScrubOptions,
): Promise<void> {
  const { ensemble, scheme } = location.inside;
  const { signal, heal = true } = options;
  const { pending } = ensemble;
  const staged = pending.isStaged(key) ? await scheme.observeStaged(key, signal) : [];
  const plan = planRepair({ copies, staged, behind: pending.behind(key), doubtful: pending.doubtful }, scheme.needed);
  const problems = findProblems(copies, plan);
  for (const { part, problem } of problems) if (problem === 'damaged') ensemble.suspect(key, ensemble.parts[part]);
  const needed = problems.length > 0 || pending.has(key) || plan.verdict !== 'whole';
  const result: Omit<Repair, 'key'> =
    heal && needed
      ? await repair(ensemble, scheme, key, signal)
      : { verdict: plan.verdict, changed: [], why: 'why' in plan ? plan.why : '' };
  for (const { part, problem, message } of problems)
    tally.found({ key, location: ensemble.parts[part]!.name, problem, message, healed: result.changed.includes(part) });
  if (problems.length > 0)
    ensemble.runtime.logger.warn('storage.scrub.found', { location: location.name, key, problems, verdict: result.verdict });
  const loss = problems.length > 0 && !heal && result.verdict === 'write' ? undefined : findLoss(result.verdict, result.why);
  if (loss === undefined) return;
  const healed = loss.problem === 'remnant' && options.removeRemnants === true && (await removeRemnant(location, key, copies, signal));
  tally.found({ key, location: location.name, ...loss, healed });
}

/** Removes shards of which there are too few, unless one of them is so young that others may follow. */
async function removeRemnant(
  { inside: { ensemble, scheme } }: CombinedLocation,
  key: string,
  copies: readonly Copy[],
  signal: AbortSignal,
): Promise<boolean> {
  const nowMs = ensemble.runtime.clock.wallMs();
  const young = copies.some((copy) => copy.state === 'present' && nowMs - stampWallMs(copy.order) < ensemble.graceMs);
  if (young || copies.some(({ state }) => state === 'unreachable')) return false;
  await ensemble.turns.run(key, async () => {
    await Promise.all(ensemble.parts.map((part) => part.run((location) => location.remove(key, { signal }), signal)));
  });
  return (await repair(ensemble, scheme, key, signal)).verdict === 'absent';
}

/** What was put or removed between a list and a look is nothing odd; what a second list tells in the same way is. */
async function confirm(
  { inside: { ensemble, scheme } }: CombinedLocation,
  doubts: readonly { part: number; key: string; listed: boolean }[],
  tally: ScrubTally,
  { signal }: ScrubOptions,
): Promise<void> {
  if (doubts.length === 0) return;
  const again: Listings = await ensemble.listings('', 1, signal);
  for (const { part, key, listed } of doubts) {
    if (again.get(part)?.has(key) !== listed) continue;
    const copy = await scheme.observe(key, ensemble.parts[part]!, { deep: false, signal });
    if (copy.state === 'unreachable' || (copy.state === 'absent') !== listed) continue;
    const message = listed ? 'it is listed, and is not there' : 'it is there, and is not listed';
    tally.found({ key, location: ensemble.parts[part]!.name, problem: 'list-lies', message, healed: false });
  }
}
