import type { Requirements } from './schema.ts';

/** One way to build a service: what a person decides. Times in hours. */
export interface Design {
  readonly members: number;
  /** Places that members and, where these are fewer, a witness stand in. */
  readonly sites: number;
  /** Replicas that a commit waits for. */
  readonly acknowledge: number;
  readonly store: 'embedded' | 'etcd' | 'zookeeper';
  /** Of the catalogue. */
  readonly copies: string;
  readonly backup: number;
  readonly journal: number;
  /** Undefined: never. */
  readonly drills: number | undefined;
}

/** Parts of the coordination store: a majority must be up. */
export const storeMembers = 3;

/** Where each member stands: in turn, so that every place has as many as the others, or one more. */
export function placesOf({ members, sites }: Pick<Design, 'members' | 'sites'>): readonly number[] {
  return Array.from({ length: members }, (_, member) => member % sites);
}

/** Members at each place where there are any. */
export function membersPerSite(design: Pick<Design, 'members' | 'sites'>): readonly number[] {
  const places = placesOf(design);
  return [...new Set(places)].map((site) => places.filter((place) => place === site).length);
}

/**
 * Voters that are kept even when they are lost (`failover.minimum`): none of two members, as otherwise one that is left alone could not go on.
 */
export function minimumOf({ members, acknowledge }: Pick<Design, 'members' | 'acknowledge'>): number {
  return acknowledge > 0 && members > 2 ? 1 : 0;
}

/** All designs to look at, each once. */
export function designsOf({ search, catalogue, data }: Pick<Requirements, 'search' | 'catalogue' | 'data'>): Design[] {
  // Base backups read everything: what takes longer than half of the time to the next would hardly do anything else.
  const backups = unique(search.backup).filter((interval) => data.size / catalogue.restore.write / 3600 <= interval / 2);
  const copies = search.copies ?? Object.keys(catalogue.copies);
  return unique(search.members).flatMap((members) =>
    unique(search.sites).flatMap((sites) =>
      unique(search.acknowledge)
        .filter((acknowledge) => isSound({ members, sites, acknowledge }))
        .flatMap((acknowledge) =>
          unique<Design['store']>(members === 1 ? ['embedded'] : search.stores).flatMap((store) =>
            unique(copies).flatMap((copy) =>
              backups.flatMap((backup) =>
                unique(search.journal).flatMap((journal) =>
                  unique(search.drills).map((drills): Design => ({
                    members,
                    sites,
                    acknowledge,
                    store,
                    copies: copy,
                    backup,
                    journal,
                    drills: drills === 'none' ? undefined : drills,
                  })),
                ),
              ),
            ),
          ),
        ),
    ),
  );
}

/**
 * Whether a topology does what it looks like. A single member is at one place and waits for nobody; at most all others can acknowledge; and where
 * a place with several members is lost, enough voters must be left to be sure of every commit: |voters| − k + 1 have to promise, so that no place may
 * hold more than k members.
 */
function isSound(design: Pick<Design, 'members' | 'sites' | 'acknowledge'>): boolean {
  const { members, sites, acknowledge } = design;
  if (members === 1) return sites === 1 && acknowledge === 0;
  if (acknowledge >= members) return false;
  return acknowledge === 0 || sites === 1 || Math.max(...membersPerSite(design)) <= acknowledge;
}

function unique<T>(list: readonly T[]): readonly T[] {
  return [...new Set(list)];
}

/** A short name that says all of it: `3m-3s-k1-etcd-cloud-b6h-j1s-d30d`. */
export function idOf({ members, sites, acknowledge, store, copies, backup, journal, drills }: Design): string {
  return [
    `${members}m`,
    `${sites}s`,
    `k${acknowledge}`,
    store,
    copies,
    `b${shortTime(backup)}`,
    `j${shortTime(journal)}`,
    drills === undefined ? 'd0' : `d${shortTime(drills)}`,
  ].join('-');
}

/** In words, for people. */
export function describe({ members, sites, acknowledge, store, copies, backup, journal, drills }: Design): string {
  const where = sites === 1 ? 'at one place' : members < sites ? `at ${members} places and a witness` : `at ${sites} places`;
  const cluster =
    members === 1
      ? 'one member'
      : `${members} members ${where}, ${acknowledge === 0 ? 'asynchronous' : `each commit on ${acknowledge === 1 ? 'a replica' : `${acknowledge} replicas`}`}, ${store}`;
  const rehearsed = drills === undefined ? 'no drills' : `a drill every ${shortTime(drills)}`;
  return `${cluster}; copies: ${copies}, every ${shortTime(backup)}, journal every ${shortTime(journal)}, ${rehearsed}`;
}

const steps = [
  { unit: 'd', hours: 24 },
  { unit: 'h', hours: 1 },
  { unit: 'm', hours: 1 / 60 },
  { unit: 's', hours: 1 / 3600 },
] as const;

/** `36h`, `7d`, `10s`: in the largest unit that leaves nothing over, as holdfast.yaml writes durations. */
export function shortTime(hours: number): string {
  const seconds = Math.round(hours * 3600);
  if (Math.abs(seconds - hours * 3600) > 1e-6) return `${Math.round(hours * 3_600_000)}ms`;
  const { unit, hours: size } = steps.find((step) => seconds % Math.round(step.hours * 3600) === 0)!;
  return `${seconds / Math.round(size * 3600)}${unit}`;
}
