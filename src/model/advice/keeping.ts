import type { Model } from '../file/schema.ts';
import { absorption } from '../chain/absorption.ts';
import { pointMass } from '../chain/chain.ts';
import { lossChain } from '../durability/loss-chain.ts';
import type { Catalogue, Copies, Location } from './catalogue-schema.ts';
import type { Design } from './design.ts';
import { membersPerSite } from './design.ts';
import type { Requirements } from './schema.ts';
import { skillOf } from './topology.ts';

const yearHours = 8760;
/** Nothing is filled anew in less than a minute: chains of copies do not get stiffer than that. */
const leastHours = 1 / 60;

/** Rate per hour of what happens with this probability within a year. */
const rateOfYear = (probability: number): number => -Math.log1p(-probability) / yearHours;

/** Names of the locations that a way to keep copies is made of. */
export function locationsOf(copies: Copies): readonly string[] {
  return copies.mirror ?? copies.parity?.over ?? [copies.location!];
}

/** How many of them must be there to read anything. */
export function neededOf(copies: Copies): number {
  return copies.parity?.data ?? 1;
}

/** Disasters after which copies bring the service back. */
export const disasters = ['error', 'intruder', 'disks', 'site'] as const;
export type Disaster = (typeof disasters)[number];

/** How often each happens, per hour. Those of hardware are exact for members that are mirrors of each other. */
export function disasterRates(input: Requirements, design: Pick<Design, 'members' | 'sites'>): Readonly<Record<Disaster, number>> {
  const { disasters: told, site } = input.catalogue;
  const perSite = membersPerSite(design);
  const alone = perSite.length === 1 ? site.destroyed : 0;
  return {
    error: told.error * skillOf(input, 'machine').mistakes,
    intruder: told.intruder,
    disks: Math.max(0, hardwareLoss(input, perSite) - alone),
    site: alone,
  };
}

/** Losses of all members' data by disks and places, per hour. */
function hardwareLoss({ catalogue: { machine, site }, data }: Requirements, perSite: readonly number[]): number {
  const members = perSite.reduce((sum, count) => sum + count, 0);
  const failureRate = rateOfYear(machine.disk.afr);
  if (failureRate === 0) return perSite.length === 1 ? site.destroyed : 0;
  const sites = site.destroyed === 0 ? {} : { sites: { fragments: perSite, lossRate: site.destroyed } };
  const code = { data: 1, parity: members - 1, failureRate, repairTime: cloneHours(machine, data.size), ...sites };
  const chain = lossChain(code);
  return 1 / absorption(chain, pointMass(chain.size, 0)).meanTime;
}

/** Until a lost member is there again, copied from another. */
function cloneHours(machine: Catalogue['machine'], bytes: number): number {
  return Math.max(leastHours, machine.provision + bytes / machine.clone / 3600);
}

/** Locations that are left after a disaster. */
export function survivors(input: Requirements, copies: Copies, disaster: Disaster): readonly Location[] {
  const found = locationsOf(copies).map((name) => input.catalogue.locations[name]!);
  if (disaster === 'intruder') return found.filter(({ locked }) => locked);
  return disaster === 'site' ? found.filter(({ place }) => place !== 'site') : found;
}

/** A place with data: members that are alike, or one location. */
interface Holder {
  readonly name: string;
  readonly count: number;
  readonly live: boolean;
  readonly lossRate: number;
  readonly refillHours: number;
  /** Number of the place that takes it along; undefined: elsewhere. */
  readonly site: number | undefined;
  readonly locked: boolean;
}

/** All that decides whether copies are kept. Plain data. */
export interface Keeping {
  readonly holders: readonly Holder[];
  /** Locations that must be there to read. */
  readonly needed: number;
  /** Until copies have brought back a first member. */
  readonly restoreHours: number;
  readonly destroyedRate: number;
  readonly errorRate: number;
  readonly intruderRate: number;
}

export function keepingOf(input: Requirements, design: Pick<Design, 'members' | 'sites' | 'copies'>, restoreHours: number): Keeping {
  const { site, disasters: told, copies } = input.catalogue;
  return {
    holders: holdersOf(input, design),
    needed: neededOf(copies[design.copies]!),
    restoreHours,
    destroyedRate: site.destroyed,
    errorRate: told.error * skillOf(input, 'machine').mistakes,
    intruderRate: told.intruder,
  };
}

/**
 * All places that hold the data as a Markov chain: members by place, and each location. They are lost one by one, with their place, by an error that
 * reaches every member, or by an intruder who reaches all that is not locked; and are filled anew from what is left. The data is lost when no member
 * has it and too few locations are left to read.
 */
export function copiesChain(keeping: Keeping): NonNullable<Model['chains']>[string] {
  const { holders, needed } = keeping;
  const isKept = (has: readonly number[]) =>
    holders.some(({ live }, index) => live && has[index]! > 0) ||
    holders.reduce((sum, { live }, index) => sum + (live ? 0 : has[index]!), 0) >= needed;
  const nameOf = (has: readonly number[]) => {
    if (!isKept(has)) return 'lost';
    const live = has.filter((_, index) => holders[index]!.live).join('');
    return [`live${live}`, ...holders.flatMap(({ live: isLive, name }, index) => (isLive ? [] : [`${name}${has[index]}`]))].join('_');
  };
  const states = new Map<string, readonly number[]>();
  const transitions = new Map<string, number>();
  const open: (readonly number[])[] = [holders.map(({ count }) => count)];
  for (let has = open.pop(); has !== undefined; has = open.pop()) {
    const from = nameOf(has);
    if (states.has(from)) continue;
    states.set(from, has);
    if (from === 'lost') continue;
    for (const { to, rate } of movesFrom(keeping, has)) {
      const name = nameOf(to);
      if (rate === 0 || name === from) continue;
      const key = `${from} -> ${name}`;
      transitions.set(key, (transitions.get(key) ?? 0) + rate);
      open.push(to);
    }
  }
  return {
    states: Object.fromEntries([...states.keys()].map((name) => [name, name === 'lost' ? 'down' : 'up'] as const)),
    transitions: Object.fromEntries(transitions),
    compute: ['transient'],
  };
}

function holdersOf(input: Requirements, design: Pick<Design, 'members' | 'sites' | 'copies'>): Holder[] {
  const { machine, copies, locations } = input.catalogue;
  const bytes = input.data.size;
  const live = membersPerSite(design).map((count, site): Holder => ({
    name: 'live',
    count,
    live: true,
    lossRate: rateOfYear(machine.disk.afr),
    refillHours: cloneHours(machine, bytes),
    site,
    locked: false,
  }));
  const kept = locationsOf(copies[design.copies]!).map((name): Holder => {
    const { place, loss, notice, rate, locked } = locations[name]!;
    return {
      name,
      count: 1,
      live: false,
      lossRate: rateOfYear(loss),
      // Found at the next check, and filled by the next backup.
      refillHours: Math.max(leastHours, notice + bytes / rate / 3600),
      site: place === 'site' ? 0 : undefined,
      locked,
    };
  });
  return [...live, ...kept];
}

function* movesFrom(keeping: Keeping, has: readonly number[]): Generator<{ readonly to: readonly number[]; readonly rate: number }> {
  const { holders, restoreHours, destroyedRate, errorRate, intruderRate } = keeping;
  const without = (hit: (holder: Holder) => boolean) => has.map((count, index) => (hit(holders[index]!) ? 0 : count));
  const served = holders.some(({ live }, index) => live && has[index]! > 0);
  for (const [index, { count, live, lossRate, refillHours }] of holders.entries()) {
    const here = has[index]!;
    if (here > 0) yield { to: has.with(index, here - 1), rate: here * lossRate };
    // Locations are filled from members; members from each other, the first of all from copies.
    if (here < count && served) yield { to: has.with(index, here + 1), rate: (count - here) / refillHours };
    if (index === 0 && live && !served) yield { to: has.with(0, 1), rate: 1 / restoreHours };
  }
  for (const place of new Set(holders.flatMap((holder) => holder.site ?? []))) {
    yield { to: without((holder) => holder.site === place), rate: destroyedRate };
  }
  if (!served) return;
  yield { to: without(({ live }) => live), rate: errorRate };
  yield { to: without(({ locked }) => !locked), rate: intruderRate };
}
