import { messageOf } from '../../core/errors.ts';
import { type Ensemble, roundsMax } from './ensemble.ts';
import type { Part } from './part.ts';
import { type Copy, planRepair, type RepairPlan } from './plan.ts';
import { stampWallMs } from './stamps.ts';

/** What differs between kinds of combined locations when they look and heal. */
export interface Scheme {
  /** Copies that make an object. */
  readonly needed: number;
  /** Whether each copy is the object as it is. */
  readonly holdsWholes: boolean;
  /**
   * What a part has of an object. `deep` reads and verifies all of it, otherwise as little as tells. Never throws but for the signal.
   * @param meter is told of the bytes to be read, and may take its time
   */
  observe(
    key: string,
    part: Part,
    options: { readonly deep: boolean; readonly signal: AbortSignal; readonly meter?: Meter | undefined },
  ): Promise<Copy>;
  /** Shards that wait to take the place of what there is. */
  observeStaged(key: string, signal: AbortSignal): Promise<readonly Copy[]>;
  /** Makes the targets have that version. @throws what went wrong; then it is looked at anew */
  write(key: string, plan: RepairPlan & { verdict: 'write' }, copies: readonly Copy[], signal: AbortSignal): Promise<void>;
  dropStaged(key: string, stamps: readonly string[], parts: readonly Part[], signal: AbortSignal): Promise<void>;
  /** Removes what waits and nothing tells of: it arrived when a removal had already dropped it, or was dropped without its writer, which died. */
  dropStrays(signal: AbortSignal): Promise<void>;
}

export type Meter = (sizeBytes: number, signal: AbortSignal) => Promise<void>;

export interface Repair {
  readonly key: string;
  readonly verdict: RepairPlan['verdict'];
  /** Parts that got or lost something. */
  readonly changed: readonly number[];
  /** Empty, or why it is not whole yet. */
  readonly why: string;
}

/**
 * Makes one object what it should be in every part that answers. Whatever is about to be written is noted first, and looked at again
 * afterwards together with what others have noted meanwhile; whoever removes does the same in the other order (removes, notes, looks). So of
 * two that meet, one at least sees the other, in whichever process it runs; and after a crash the note is still there.
 */
export async function repair(ensemble: Ensemble, scheme: Scheme, key: string, signal: AbortSignal): Promise<Repair> {
  return await ensemble.turns.run(key, async () => {
    const changed = new Set<number>();
    const end = (verdict: RepairPlan['verdict'], why = ''): Repair => ({ key, verdict, changed: [...changed], why });
    for (let round = 0; round < roundsMax; round += 1) {
      const { plan, copies, unknown } = await look(ensemble, scheme, key, changed, signal);
      if (unknown !== undefined) return end('wait', unknown);
      switch (plan.verdict) {
        case 'whole':
        case 'absent':
          await settle(ensemble, scheme, key, copies, signal);
          return end(plan.verdict, leftOut(ensemble, copies));
        case 'wait':
        case 'lost':
          return end(plan.verdict, plan.why);
        case 'conflict':
          return end('conflict', `${plan.versions.length} versions, and nothing tells which is right`);
        case 'remnant':
          ensemble.suspects.delete(key);
          return end('remnant', `only ${plan.targets.length} of ${scheme.needed} shards are there`);
        case 'write':
        case 'remove': {
          const targets = plan.targets.map(({ part }) => ensemble.parts[part]!);
          const failure = await perform(ensemble, scheme, key, plan, copies, signal);
          if (failure !== undefined) return end('wait', failure);
          for (const { number } of targets) {
            changed.add(number);
            ensemble.suspects.get(key)?.delete(number);
          }
        }
      }
    }
    return end('wait', 'it is being changed by others all the time');
  });
}

/** Looks at all parts, then at what is noted, and plans. Parts that were just written are judged by the others, even if somebody has cleared their notes. */
async function look(
  ensemble: Ensemble,
  scheme: Scheme,
  key: string,
  written: ReadonlySet<number>,
  signal: AbortSignal,
): Promise<{ plan: RepairPlan; copies: Copy[]; unknown?: string }> {
  const copies = await observeAll(ensemble, scheme, key, signal);
  const loaded = await ensemble.readNotes(key, ensemble.present, signal);
  const failed = loaded.find((outcome) => 'error' in outcome);
  const staged = ensemble.pending.isStaged(key) ? await scheme.observeStaged(key, signal) : [];
  const behind = new Set([...ensemble.pending.behind(key), ...written]);
  const plan = planRepair({ copies, staged, behind, doubtful: ensemble.pending.doubtful }, scheme.needed);
  // Without all notes it might bring back what was removed.
  return { plan, copies, ...(failed !== undefined && { unknown: `${failed.part.name} did not tell its notes` }) };
}

export async function observeAll(
  ensemble: Ensemble,
  scheme: Scheme,
  key: string,
  signal: AbortSignal,
  deep?: { readonly meter: Meter },
): Promise<Copy[]> {
  const suspected = ensemble.suspects.get(key);
  return await Promise.all(
    ensemble.parts.map(async (part): Promise<Copy> => {
      if (!part.present) return { state: 'unreachable', why: part.message };
      return await scheme.observe(key, part, {
        deep: deep !== undefined || suspected?.has(part.number) === true,
        signal,
        meter: deep?.meter,
      });
    }),
  );
}

/** Undefined when it was done; else what was in the way. @throws the signal's reason */
async function perform(
  ensemble: Ensemble,
  scheme: Scheme,
  key: string,
  plan: RepairPlan & { verdict: 'write' | 'remove' },
  copies: readonly Copy[],
  signal: AbortSignal,
): Promise<string | undefined> {
  const targets = plan.targets.map(({ part }) => ensemble.parts[part]!);
  const behind = ensemble.pending.behind(key);
  const unnoted = targets.filter((part) => !behind.has(part.number));
  const holders = ensemble.present.filter((part) => !targets.includes(part));
  // Of whom nobody is left to be believed, nobody is noted.
  const judges = ensemble.parts.some((part) => !targets.includes(part) && !behind.has(part.number));
  try {
    if (unnoted.length > 0 && holders.length > 0 && judges) await ensemble.pending.addFound(key, unnoted, holders, signal);
    if (plan.verdict === 'write') await scheme.write(key, plan, copies, signal);
    else await Promise.all(targets.map((part) => part.run((location) => location.remove(key, { signal }), signal)));
    return undefined;
  } catch (error) {
    signal.throwIfAborted();
    return messageOf(error);
  }
}

/** Forgets what was noted of parts that have been seen to be as they should. */
async function settle(ensemble: Ensemble, scheme: Scheme, key: string, copies: readonly Copy[], signal: AbortSignal): Promise<void> {
  const seen = ensemble.parts.filter((part) => copies[part.number]!.state !== 'unreachable');
  const staged = ensemble.pending.staged(key).filter((stamp) => isOver(ensemble, stamp));
  if (staged.length > 0) {
    // Each part loses the note after what is noted, and not without it.
    const parts = ensemble.present;
    await scheme.dropStaged(key, staged, parts, signal);
    await ensemble.pending.clearStaged(key, staged, parts, signal);
  }
  await ensemble.pending.clear(key, seen, signal);
  ensemble.suspects.delete(key);
}

/** A write of this process is over, as it has its turn to itself; that of another one may be under way and need what waits. */
function isOver({ stamps, runtime, graceMs }: Ensemble, stamp: string): boolean {
  return stamps.isOwn(stamp) || runtime.clock.wallMs() - stampWallMs(stamp) > graceMs;
}

function leftOut(ensemble: Ensemble, copies: readonly Copy[]): string {
  const out = ensemble.parts.filter((part) => copies[part.number]!.state === 'unreachable').map(({ name }) => name);
  return out.length === 0 ? '' : `${out.join(', ')} did not answer`;
}
