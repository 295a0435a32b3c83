import type { Model } from '../file/schema.ts';
import type { ExpressionInput } from '../file/expression.ts';
import type { Design } from './design.ts';
import { minimumOf, placesOf, storeMembers } from './design.ts';
import type { Area, Requirements } from './schema.ts';

/** What decides how members stand for each other. */
export type Topology = Pick<Design, 'members' | 'sites' | 'acknowledge' | 'store'>;

/** How a place is called in models and configurations. */
export const siteName = (site: number): string => `site-${'abc'[site]}`;

/**
 * When the service is away, as a model of components and sites: too few members, no majority of the store when it is needed, the gap of each
 * failover, lost voter and planned restart, mistakes of people, and (`restore`) recoveries from copies.
 */
export function topologyModel(input: Requirements, design: Topology, restore?: { readonly rate: number; readonly hours: number }): Model {
  const { machine, failover, disasters, site } = input.catalogue;
  const { members, sites } = design;
  const alone = members === 1;
  const witnesses = alone ? 0 : Math.max(0, storeMembers - members);
  const gap = design.acknowledge > 0 ? failover.quorum : failover.asynchronous;
  const failing = machine.crash + 1 / machine.mtbf + (sites > 1 ? 1 / site.mtbf : 0);
  // Where commits wait for all replicas, the loss of any stalls them until the roster is changed.
  const stalls = !alone && design.acknowledge === members - 1;
  const restores = restore !== undefined && restore.rate > 0;
  const held = heldSites(design, witnesses);
  return {
    components: {
      machine: { mtbf: machine.mtbf, mttr: machine.mttr, count: members },
      ...(witnesses > 0 ? { witness: { mtbf: machine.mtbf, mttr: machine.mttr, count: witnesses } } : {}),
      crash: alone ? { rate: machine.crash, mttr: machine.restart } : { rate: failing, mttr: gap },
      ...(stalls ? { stall: { rate: (members - 1) * failing, mttr: failover.voterLoss } } : {}),
      upkeep: { rate: machine.upkeep, mttr: alone ? machine.reboot : failover.switchover },
      mistake: { rate: mistakesOf(input, design), mttr: disasters.mistake * skillOf(input, 'machine').time },
      ...(restores ? { restore: { rate: restore.rate, mttr: restore.hours } } : {}),
    },
    parts: { service: serviceFails(design, witnesses) },
    structure: { series: ['service', 'crash', ...(stalls ? ['stall'] : []), 'upkeep', 'mistake', ...(restores ? ['restore'] : [])] },
    sites: Object.fromEntries(held.map((parts, index) => [siteName(index), { members: parts, mtbf: site.mtbf, mttr: site.mttr }] as const)),
  };
}

function heldSites(design: Topology, witnesses: number): string[][] {
  const held: string[][] = Array.from({ length: design.sites }, () => []);
  for (const [member, place] of placesOf(design).entries()) held[place]!.push(`machine.${member + 1}`);
  // A witness takes a place without a member, where there is one.
  for (let index = 0; index < witnesses; index++) held[(design.members + index) % design.sites]!.push(`witness.${index + 1}`);
  return held;
}

/**
 * Too few members: of a quorum a leader and the voters that are kept, else any. And without the store nobody can become leader or leave the
 * roster: a quorum serves on while its leader and k replicas are there, an asynchronous leader only while every member confirms it. Which member
 * leads makes no difference, as they are alike. A leader that fails while the store is there is replaced, and no longer needed when the store goes: states do
 * not tell which came first, and both count as a failure, so the answer is on the safe side.
 */
function serviceFails(design: Topology, witnesses: number): ExpressionInput {
  const { members, acknowledge } = design;
  if (members === 1) return 'machine.1';
  const all = Array.from({ length: members }, (_, index) => `machine.${index + 1}`);
  const [leader, ...others] = all as [string, ...string[]];
  const store = [...all.slice(0, storeMembers - witnesses), ...Array.from({ length: witnesses }, (_, index) => `witness.${index + 1}`)];
  const tooFew: ExpressionInput = { 'k-of-n': 1 + minimumOf(design), of: all };
  const stuck: ExpressionInput = acknowledge > 0 ? { series: [leader, { 'k-of-n': acknowledge, of: others }] } : { series: all };
  return { or: [tooFew, { and: [{ 'k-of-n': 2, of: store }, stuck] }] };
}

/** Outages by mistakes, per hour: each thing that people work on adds its own. */
export function mistakesOf(input: Requirements, { members, sites, store }: Topology): number {
  const { machine, site, stores } = input.catalogue;
  return (
    machine.mistakes * skillOf(input, 'machine').mistakes +
    (members > 1 && store !== 'embedded' ? stores[store].mistakes * skillOf(input, store).mistakes : 0) +
    (sites > 1 ? site.mistakes * skillOf(input, 'site').mistakes : 0)
  );
}

/** What the team's skill does to mistakes, hours and times of a kind of work. */
export function skillOf({ team, catalogue }: Requirements, area: Area): Requirements['catalogue']['skills']['novice'] {
  return catalogue.skills[team.skills[area] ?? team.skill];
}
