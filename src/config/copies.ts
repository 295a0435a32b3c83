import { z } from 'zod';
import { commandLine, duration, name, path } from '../core/config-fields.ts';
import { readTarget } from '../core/read-target.ts';

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

const journalSchema = z.union(
  [
    duration({ min: '100ms', max: '1h' }),
    z.literal('sync'),
    z.strictObject({ sync: duration({ min: '1s', max: '1h' }).describe('How long commits wait for copies that can not be made.') }),
  ],
  'must be a duration such as 1s, sync, or { sync: 30s }',
);

/** How a journal is kept. */
export interface JournalSettings {
  readonly intervalMs: number;
  /** Whether commits wait for it. */
  readonly sync: boolean;
  /** How long commits wait for it while it can not be kept; left out: without end. */
  readonly patienceMs?: number;
}

/** What is written, in one form; undefined where there is to be none. */
export function journalSettings(journal: z.infer<typeof journalSchema> | undefined): JournalSettings | undefined {
  if (journal === undefined || typeof journal === 'number') return journal === undefined ? undefined : { intervalMs: journal, sync: false };
  // What comes while something is being stored is stored next.
  return { intervalMs: 0, sync: true, ...(journal === 'sync' ? {} : { patienceMs: journal.sync }) };
}

const commandSchema = z.strictObject({
  run: commandLine().describe("The program (an absolute path, or found in PATH) and its arguments, run as the agent's user."),
  within: duration({ min: '1s', max: '7d' }).prefault('1h').describe('It is killed when it takes longer.'),
});

const outputSchema = commandSchema.extend({
  name: z
    .string()
    .regex(/^[A-Za-z0-9._-]{1,200}$/, 'a file name of letters, digits, dots, dashes and underscores')
    .describe('The name of the file that the output becomes.'),
});

export const backupSchema = z.strictObject({
  to: name().describe('The location that holds the copies.'),
  schedule: schedule.describe('When a snapshot is made.'),
  jitter: duration({ max: '1d' })
    .prefault('0ms')
    .describe('By up to so much each run is put off, always the same for a service: so that many do not begin at once.'),
  journal: journalSchema
    .optional()
    .describe(
      'How often the WAL that came since is copied: what a lost site costs at most. `sync`: all the time, and each commit waits until it is stored there; while it can not be, commits wait. `{ sync: 30s }`: after that long they go on without it, until it has caught up.',
    ),
  fold: duration({ min: '1s', max: '1d' })
    .optional()
    .describe('How often full segments of the journal become files of the repository. Absent: every 5m. In any case once a GiB has come.'),
  base: z
    .enum(['replica', 'leader'])
    .default('replica')
    .describe("Whose files base backups are made of. A replica's spare the leader; where none is well, the leader's are taken."),
  paths: z.array(path()).min(1).max(100).optional().describe('Files and directories of a process that are copied.'),
  exclude: z
    .array(z.string().min(1).max(4096))
    .max(1_000)
    .default([])
    .describe('What is left out of them: patterns as of `holdfast backup --exclude`.'),
  command: outputSchema.optional().describe('Instead: a program whose output is copied, such as a dump.'),
  before: commandSchema.optional().describe('What is run before files or output are read. When it fails, nothing is copied.'),
  after: commandSchema.optional().describe('What is run afterwards, also when that failed.'),
  keep: keepSchema.optional().describe('How many snapshots stay; one stays if any rule keeps it. Absent: all.'),
});

const restoreSchema = z
  .strictObject({
    from: name().optional().describe("The location that holds the copies. Absent: that of the service's backup."),
    to: z
      .string()
      .optional()
      .describe("Up to when: latest, or a time such as '2030-01-31 12:00:00' of this machine or 2030-01-31T12:00:00Z."),
    toLsn: z.string().optional().describe('Instead: up to and with the transaction at this LSN.'),
    toName: z.string().optional().describe('Instead: up to a restore point made with pg_create_restore_point.'),
    timeline: z.int().min(1).optional().describe('Along which timeline. Absent: the newest stored.'),
    system: z
      .string()
      .regex(/^\d{1,20}$/, 'a system identifier: digits')
      .optional()
      .describe('Which database, where several had this name.'),
  })
  .superRefine((options, context) => {
    try {
      readTarget(options);
    } catch (error) {
      context.addIssue({ code: 'custom', message: (error as Error).message });
    }
  });

export const bootstrapSchema = z.strictObject({
  restore: restoreSchema.describe(
    'A PostgreSQL service of which no member has data is restored from copies, once for each such order. All members must be there, so that none that has data is overlooked.',
  ),
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
