import { z } from 'zod';
import { duration, name } from '../core/config-fields.ts';

// What is kept, and how it is rehearsed.

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
