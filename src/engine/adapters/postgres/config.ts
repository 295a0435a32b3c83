import { z } from 'zod';
import { address, path, secret, size } from '../../../core/config-fields.ts';
import { refusalOfParameter } from './parameters.ts';

/** A role name that needs no care in connection strings and password files. */
const roleName = z
  .string()
  .regex(/^[a-z_][a-z0-9_-]{0,62}$/, 'a role name of 1 to 63 characters a-z, 0-9, _ and -, beginning with a letter or _');

const parameterValue = z.union([z.string().refine((text) => !/[\0\r\n]/.test(text), 'a value on one line'), z.number(), z.boolean()]);

const parameters = z.record(z.string(), parameterValue).superRefine((values, context) => {
  for (const [name, value] of Object.entries(values)) {
    const refusal = refusalOfParameter(name, value);
    if (refusal !== undefined) context.addIssue({ code: 'custom', path: [name], message: refusal });
  }
});

const hbaLine = z
  .string()
  .regex(
    /^(local|host|hostssl|hostnossl|hostgssenc|hostnogssenc)[ \t][^\r\n\0]+$/,
    'a line of pg_hba.conf that begins with local, host, hostssl, hostnossl, hostgssenc or hostnogssenc',
  )
  .refine((line) => !/[ \t]trust([ \t]|$)/.test(line), "a method other than 'trust': whoever can reach the server would be anyone");

/** One member of a PostgreSQL service. */
export const configSchema = z
  .strictObject({
    data: path().describe('Data directory: absent or empty at first. Its parent must be on the same file system and writable.'),
    listen: address().describe('Where the server listens.'),
    advertise: address().optional().describe('Where the other members and the routers reach it, when that is not `listen`.'),
    bin: path()
      .optional()
      .describe(
        "Directory of the system's PostgreSQL programs, for example /usr/lib/postgresql/17/bin. Absent: the embedded package (for trials and tests).",
      ),
    locale: z
      .string()
      .regex(/^[A-Za-z0-9_.@-]{1,64}$/, 'a locale name such as en_US.UTF-8')
      .optional()
      .describe(
        'Locale of a new cluster. Absent: sorted by bytes, characters of UTF-8: the same on every machine, whatever its C library.',
      ),
    superuser: z
      .strictObject({ name: roleName.default('postgres'), password: secret().optional() })
      .prefault({})
      .describe("The service's own superuser. The password is generated when absent."),
    parameters: parameters.default({}).describe('Settings of postgresql.conf. Those that failover depends on are refused.'),
    hba: z
      .array(hbaLine)
      .max(1000)
      .default([])
      .describe('Lines of pg_hba.conf, before the default one that lets everyone in by password (scram-sha-256).'),
    replication: z
      .strictObject({
        acknowledge: z
          .number()
          .int()
          .min(0)
          .max(100)
          .optional()
          .describe(
            'How many replicas must have flushed a commit before it is acknowledged; 0: none. Absent: 1 with at least three members.',
          ),
        walKeep: size({ min: '64MiB' })
          .prefault('8GiB')
          .describe('How much WAL is kept for a member that is away, at most. Beyond it the member is made anew when it returns.'),
      })
      .prefault({}),
    createReplica: z
      .array(z.enum(['leader', 'copies']))
      .min(1)
      .max(2)
      .refine((sources) => new Set(sources).size === sources.length, 'each source once')
      .default(['leader'])
      .describe(
        'What the data of a new or lost replica are made of: the first that works. `copies` (the base backup and the journal, then streaming) spares the leader and may be nearer.',
      ),
    tablespaces: z
      .record(path(), path())
      .default({})
      .describe('Directories for tablespaces: where it is on the member copied from → where it is to be here. Absent: the same path.'),
  })
  .refine((config) => config.advertise !== undefined || !['0.0.0.0', '::'].includes(config.listen.host), {
    path: ['advertise'],
    message: 'an address that others can connect to, since `listen` is every address of this machine',
  })
  .refine(
    (config) =>
      !['postgres_holdfast', 'holdfast', 'holdfast_replication'].includes(config.superuser.name) &&
      !config.superuser.name.startsWith('pg_'),
    {
      path: ['superuser', 'name'],
      message: 'a name other than holdfast, holdfast_replication and pg_…, which are taken',
    },
  );

export type PostgresConfig = z.infer<typeof configSchema>;
