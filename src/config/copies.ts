import { z } from 'zod';
import { duration, name, path, secret } from '../core/config-fields.ts';

// What is kept where, and how it is rehearsed.

/** Five fields: minute, hour, day of month, month, day of week, as in crontab(5). */
const schedule = z
  .string()
  .regex(/^\S+(?: \S+){4}$/, "must be five fields as in crontab, such as '0 3 * * *'")
  .meta({ examples: ['0 3 * * *'] });

const count = z.int().min(0).max(100_000);

/** How many of the newest snapshots of each kind of period stay; a snapshot stays if any rule keeps it. */
const keepSchema = z.strictObject({
  last: count.optional(),
  hourly: count.optional(),
  daily: count.optional(),
  weekly: count.optional(),
  monthly: count.optional(),
  yearly: count.optional(),
});

export const backupSchema = z.strictObject({
  to: name().describe('The location that holds the copies.'),
  schedule: schedule.describe('When a snapshot is made.'),
  journal: duration({ min: '100ms', max: '1h' })
    .optional()
    .describe('How often the WAL that came since is copied: what a lost site costs at most.'),
  keep: keepSchema.optional().describe('How many snapshots stay; one stays if any rule keeps it. Absent: all.'),
});

const s3Schema = z.strictObject({
  bucket: z.string().regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, 'must be the name of a bucket'),
  region: z.string().min(1).optional(),
  endpoint: z.url('must be a URL such as https://s3.example.net').optional(),
  prefix: z.string().optional(),
  accessKey: secret().optional(),
  secretKey: secret().optional(),
});

const sftpSchema = z.strictObject({
  host: z.string().min(1),
  port: z.int().min(1).max(65_535).default(22),
  user: z.string().min(1),
  path: z.string().min(1).describe('On that host.'),
  key: path().optional().describe('Private key file.'),
});

const paritySchema = z.strictObject({
  data: z.int().min(1).max(32),
  parity: z.int().min(1).max(32),
  over: z.array(name()).min(2),
});

const locationKinds = ['path', 's3', 'sftp', 'mirror', 'parity'] as const;

/** One place where copies live, or several taken as one. */
export const locationSchema = z
  .strictObject({
    path: path().optional().describe('A local directory.'),
    s3: s3Schema.optional().describe('A bucket of an S3-compatible store.'),
    sftp: sftpSchema.optional().describe('A directory of an SSH server.'),
    mirror: z.array(name()).min(2).optional().describe('Locations that each have everything.'),
    parity: paritySchema.optional().describe('Locations of which any `data` many suffice.'),
  })
  .refine(
    (location) => locationKinds.filter((kind) => location[kind] !== undefined).length === 1,
    `must have exactly one of ${locationKinds.join(', ')}`,
  );

const checkSchema = z.union(
  [z.enum(['amcheck', 'checksums']), z.strictObject({ sql: z.string().min(1) })],
  "must be amcheck, checksums or { sql: 'select …' }",
);

const atAllowed = 'must be latest, random or a time such as 2030-01-31T12:00:00Z';

export const drillSchema = z.strictObject({
  restore: name().describe('The service whose copies are restored into a sandbox.'),
  at: z.union([z.enum(['latest', 'random'], atAllowed), z.iso.datetime({ offset: true, error: atAllowed })], atAllowed).default('latest'),
  schedule,
  checks: z
    .array(checkSchema)
    .min(1, 'must name at least one check: a restore that nobody checked proves nothing')
    .describe('What must hold of what was restored.'),
});
