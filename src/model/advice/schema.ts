import { z } from 'zod';
import { amount, bytes, delay, duration, probability } from '../file/quantities.ts';
import { lawSchema } from '../file/law.ts';
import { catalogueSchema } from './catalogue-schema.ts';
import { shippedCatalogue } from './catalogue.ts';
import { flow, hourly, price } from './quantities.ts';

// The file of needs that `holdfast advise` reads.

const skills = ['novice', 'practised', 'expert'] as const;
const configName = () =>
  z
    .string()
    .regex(
      /^[a-z](?:[a-z0-9-]{0,38}[a-z0-9])?$/,
      'must be a name of 1 to 40 characters a-z, 0-9 and -, that begins with a letter and does not end in -',
    );

/** Work that is learnt apart from the rest. */
export const areas = ['machine', 'site', 'etcd', 'zookeeper', 'copies'] as const;
export type Area = (typeof areas)[number];

const needsSchema = z
  .strictObject({
    availability: probability().optional(),
    rto: duration().optional().describe('how long it may be away when a machine fails'),
    rpo: delay().optional().describe('how much of the newest work may be lost then'),
    restore: z
      .strictObject({ rto: duration().optional(), rpo: delay().optional() })
      .optional()
      .describe('the same when data or a whole place is lost and copies have to bring it back; 19 of 20 times'),
    durability: probability().optional().describe('probability to still have the data after a year'),
    budget: price().optional().describe('what it may cost'),
  })
  .describe('what must hold; designs that miss any of it are left out');

const searchSchema = z
  .strictObject({
    members: z.array(z.int().min(1).max(9)).min(1).max(9).default([1, 2, 3, 5]),
    sites: z
      .array(z.union([z.literal(1), z.literal(3)], 'must be 1 or 3: of two places none can tell whether the other is gone or only cut off'))
      .min(1)
      .max(2)
      .default([1, 3])
      .describe('places; of three, the third may hold no more than a small witness'),
    acknowledge: z.array(z.int().min(0).max(4)).min(1).max(5).default([0, 1, 2]),
    stores: z
      .array(z.enum(['etcd', 'zookeeper']))
      .min(1)
      .max(2)
      .default(['etcd', 'zookeeper']),
    copies: z.array(z.string()).min(1).max(50).optional().describe('of the catalogue; default: all'),
    backup: z.array(duration()).min(1).max(10).prefault(['1h', '6h', '1d', '7d']),
    journal: z.array(duration()).min(1).max(10).prefault(['1s', '10s', '1min', '5min']),
    drills: z
      .array(z.union([z.literal('none'), duration()]))
      .min(1)
      .max(10)
      .prefault(['none', '7d', '30d', '90d', '365d']),
  })
  .describe('which designs are looked at');

/** What stands in the file beside the catalogue. */
const asked = {
  name: z.string().max(200).optional(),
  service: configName().default('service').describe('its name in holdfast.yaml'),
  currency: z.string().min(1).max(10).default('USD').describe('of all money in the file: a word, nothing is converted'),
  needs: needsSchema.prefault({}),
  data: z.strictObject({
    size: bytes(),
    change: flow().describe('how much of it is written'),
    rampup: amount().prefault(0.25).describe('time of replay per time of history'),
  }),
  worth: z
    .strictObject({
      downtime: hourly().describe('what it costs while the service is away'),
      history: hourly().describe('what it costs to lose the newest work, per time of it'),
      data: amount().describe('what it costs to lose the data for good'),
    })
    .describe('without it nothing could be weighed against what a design costs'),
  team: z.strictObject({
    skill: z.enum(skills).default('practised'),
    skills: z.partialRecord(z.enum(areas), z.enum(skills)).default({}).describe('where it differs'),
    hour: amount().describe('what an hour of its work costs'),
    response: lawSchema.prefault('15min').describe('until somebody is at work on a failure'),
  }),
  search: searchSchema.prefault({}),
} as const;

/** The whole input, with a complete catalogue. */
export const requirementsSchema = z.strictObject({ ...asked, catalogue: catalogueSchema });

/** As a person writes it: of the catalogue only what is to be different. */
export type RequirementsInput = z.input<z.ZodObject<typeof asked>> & { readonly catalogue?: unknown };
/** Hours, bytes, money. */
export type Requirements = z.output<typeof requirementsSchema>;

/** What a file holds, on top of the catalogue that ships. Anything but mappings is taken as it is: the schema judges it. */
export function withCatalogue(written: unknown): unknown {
  if (!isMapping(written)) return written;
  return { ...written, catalogue: overlay(shippedCatalogue, written['catalogue']) };
}

/** Mappings key by key, everything else replaced. One way to combine copies takes the place of another. */
function overlay(base: unknown, over: unknown): unknown {
  if (over === undefined) return base;
  if (!isMapping(base) || !isMapping(over) || isChoice(base)) return over;
  const keys = [...new Set([...Object.keys(base), ...Object.keys(over)])];
  return Object.fromEntries(keys.map((key) => [key, Object.hasOwn(over, key) ? overlay(base[key], over[key]) : base[key]]));
}

function isChoice(value: Readonly<Record<string, unknown>>): boolean {
  return 'location' in value || 'mirror' in value || 'parity' in value;
}

function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** JSON Schema (2020-12) of the file as a person writes it: nothing of the catalogue is required. */
export function requirementsJsonSchema(): Record<string, unknown> {
  const schema = z.toJSONSchema(requirementsSchema, {
    io: 'input',
    override: ({ jsonSchema }) => {
      delete jsonSchema['kind'];
    },
  });
  const { catalogue } = schema.properties as Record<string, Record<string, unknown>>;
  forgetRequired(catalogue);
  return { ...schema, required: schema.required?.filter((key) => key !== 'catalogue'), title: 'Needs of a service' };
}

function forgetRequired(schema: unknown): void {
  if (!isMapping(schema)) return;
  delete (schema as Record<string, unknown>)['required'];
  for (const value of Object.values(schema)) forgetRequired(value);
}
