import type { Design } from './design.ts';
import { membersPerSite, storeMembers } from './design.ts';
import { locationsOf, neededOf } from './keeping.ts';
import type { Requirements } from './schema.ts';
import { skillOf } from './topology.ts';

const yearHours = 8760;

/** What a design costs in a year, by what for. In the file's money. */
export interface YearlyCost {
  readonly machines: number;
  readonly disks: number;
  readonly traffic: number;
  readonly copies: number;
  readonly requests: number;
  readonly work: number;
  readonly drills: number;
}

export function yearlyCost(input: Requirements, design: Design): YearlyCost {
  const { catalogue, data, team } = input;
  const { machine, witness, site } = catalogue;
  const { members, drills } = design;
  const witnesses = members === 1 ? 0 : Math.max(0, storeMembers - members);
  const kept = keptBytes(input);
  const rehearsals = drills === undefined ? 0 : yearHours / drills;
  // All changes go to every place once; at each place one member passes nothing on.
  const remote = membersPerSite(design).length - 1;
  const locations = locationsOf(catalogue.copies[design.copies]!).map((name) => catalogue.locations[name]!);
  const share = 1 / neededOf(catalogue.copies[design.copies]!);
  const writes = yearHours / design.backup + yearHours / design.journal;
  return {
    machines: members * machine.price + witnesses * witness.price,
    disks: members * data.size * machine.disk.price,
    traffic: remote * data.change * yearHours * site.traffic,
    copies: locations.reduce((sum, { price }) => sum + kept * share * price, 0),
    requests: locations.reduce((sum, { put }) => sum + writes * put, 0),
    work: team.hour * careHours(input, design),
    drills:
      rehearsals *
      (team.hour * catalogue.drill.care * skillOf(input, 'copies').care +
        readBack(locations, share, data.size * catalogue.retention.compression)),
  };
}

/** What a restore for a drill is charged: of a mirror it reads the cheapest copy, of parity all that is needed. */
function readBack(locations: readonly { readonly download: number }[], share: number, bytes: number): number {
  const prices = locations.map(({ download }) => download).toSorted((a, b) => a - b);
  return prices.slice(0, Math.round(1 / share)).reduce((sum, price) => sum + price * bytes * share, 0);
}

/** Stored once: the data, and what changed of it for as long as it is kept, in base backups and in the journal. */
function keptBytes({ data, catalogue: { retention } }: Requirements): number {
  return retention.compression * (data.size + 2 * data.change * retention.kept);
}

/** Hours of work a year. */
function careHours(input: Requirements, { members, sites, store, copies }: Design): number {
  const { machine, site, stores, locations, copies: ways } = input.catalogue;
  const at = (area: Parameters<typeof skillOf>[1]) => skillOf(input, area).care;
  const kept = locationsOf(ways[copies]!).reduce((sum, name) => sum + locations[name]!.care, 0);
  return (
    members * machine.care * at('machine') +
    (store === 'embedded' ? 0 : stores[store].care * at(store)) +
    (sites - 1) * site.care * at('site') +
    kept * at('copies')
  );
}

export function totalOf(items: object): number {
  return Object.values(items as Readonly<Record<string, number>>).reduce((sum, value) => sum + value, 0);
}
