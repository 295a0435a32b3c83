import { z } from 'zod';
import { amount, delay, duration, factor, probability, rate, transferRate } from '../file/quantities.ts';
import { price, storagePrice, trafficPrice } from './quantities.ts';

// Building blocks with what they cost and how they fail. All of it may be overridden in a file of needs.

/** Short, as states of the chain of copies are made of them. */
const locationName = () =>
  z.string().regex(/^[a-z](?:[a-z0-9-]{0,10}[a-z0-9])?$/, 'must be a name of up to 12 characters a-z, 0-9 and -, beginning with a letter');
const name = () => z.string().regex(/^[a-z](?:[a-z0-9-]{0,30}[a-z0-9])?$/, 'must be a name: a-z, 0-9 and -, beginning with a letter');

const care = () => delay().describe('hours of work that it takes in a year, by a practised team');
const mistakes = () => rate().describe('outages by mistakes in working on it, by a practised team');

const machineSchema = z.strictObject({
  price: price().describe('of one machine for a member'),
  mtbf: duration().describe('mean time until a machine, or the system on it, fails'),
  mttr: duration().describe('until it serves again'),
  crash: rate().describe('crashes of the service alone'),
  restart: duration().describe('of the service in place'),
  upkeep: rate().describe('planned restarts: upgrades of system and service'),
  reboot: duration().describe('how long a planned restart takes'),
  disk: z.strictObject({ price: storagePrice(), afr: probability().describe('probability to lose a disk with its data in a year') }),
  provision: duration().describe('until there is a new machine at the same place'),
  clone: transferRate().describe('at which a member is copied from another'),
  care: care(),
  mistakes: mistakes(),
});

const siteSchema = z.strictObject({
  mtbf: duration().describe('mean time until all of a place is away'),
  mttr: duration(),
  destroyed: rate().describe('losses of a place for good'),
  rebuild: duration().describe('until there are machines at another place'),
  traffic: trafficPrice().describe('between places'),
  care: care().describe('hours of work in a year for each place after the first'),
  mistakes: mistakes(),
});

const locationSchema = z.strictObject({
  kind: z.enum(['path', 's3', 'sftp']),
  place: z.enum(['site', 'elsewhere']).describe('site: with the first member; elsewhere: a place of its own'),
  price: storagePrice(),
  put: amount().describe('price of one request that writes'),
  download: trafficPrice().describe('of what is read back'),
  rate: transferRate().describe('at which it is read back'),
  loss: probability().describe('probability to lose all that is in it within a year: its disk, its account, its place'),
  locked: z.boolean().describe('whether who breaks in can not remove what is in it'),
  notice: duration().describe('until a loss of it is noticed and it is filled anew'),
  care: care(),
});

const copiesSchema = z
  .strictObject({
    location: name().optional(),
    mirror: z.array(name()).min(2).max(6).optional(),
    parity: z.strictObject({ data: z.int().min(1).max(8), parity: z.int().min(1).max(8), over: z.array(name()).min(2).max(6) }).optional(),
  })
  .refine(
    (copies) => [copies.location, copies.mirror, copies.parity].filter((each) => each !== undefined).length === 1,
    'must have exactly one of location, mirror, parity',
  );

const skillSchema = z.strictObject({
  mistakes: factor().describe('times as many as by a practised team'),
  care: factor().describe('times as many hours'),
  time: factor().describe('times as long to find out and decide'),
});

export const catalogueSchema = z.strictObject({
  machine: machineSchema,
  witness: z.strictObject({ price: price().describe('of a small machine that only holds a part of the store') }),
  site: siteSchema,
  failover: z.strictObject({
    quorum: duration().describe('without a leader, where commits are acknowledged by replicas'),
    asynchronous: duration().describe('the same, where the lease has to run out'),
    switchover: duration().describe('planned'),
    lag: delay().describe('how far asynchronous replicas are behind'),
    voterLoss: duration().describe('how long commits stall when a replica is lost that each of them waits for'),
  }),
  stores: z.strictObject({
    etcd: z.strictObject({ care: care(), mistakes: mistakes() }),
    zookeeper: z.strictObject({ care: care(), mistakes: mistakes() }),
  }),
  locations: z.record(locationName(), locationSchema),
  copies: z.record(name(), copiesSchema).describe('ways to combine locations'),
  retention: z.strictObject({
    kept: duration().describe('how long changes are kept'),
    compression: factor().describe('stored size as a share of the size'),
  }),
  disasters: z.strictObject({
    error: rate().describe('data destroyed by a mistake or a bad program, on all replicas at once'),
    noticed: delay().describe('how much later: the work since then is lost with it'),
    intruder: rate().describe('everything destroyed that can be reached, copies too that are not locked'),
    mistake: duration().describe('how long an outage by a mistake lasts'),
  }),
  restore: z.strictObject({
    decide: delay().describe('to find out what happened and decide to restore'),
    start: delay(),
    verify: delay(),
    cutover: delay(),
    write: transferRate().describe('at which a machine writes what is restored'),
    retry: duration().describe('how long it takes when the first restore does not work'),
    lost: probability().describe('that no other way is found then'),
  }),
  drill: z.strictObject({
    care: delay().describe('hours of work for one'),
    halfLife: duration().describe('after which what a drill proves counts half'),
  }),
  skills: z.strictObject({ novice: skillSchema, practised: skillSchema, expert: skillSchema }),
});

/** As a person writes it: text with units. */
export type CatalogueInput = z.input<typeof catalogueSchema>;
/** Hours, rates per hour, bytes, money per year, per byte, per byte and year. */
export type Catalogue = z.output<typeof catalogueSchema>;
export type Location = Catalogue['locations'][string];
export type Copies = Catalogue['copies'][string];
