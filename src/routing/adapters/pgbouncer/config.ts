import { z } from 'zod';
import { address, duration, path, secret } from '../../../core/config-fields.ts';

/** Names and values as they may stand in PgBouncer's file. */
const databaseName = () =>
  z
    .string()
    .regex(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}$/, 'must be a name of letters, digits, _ . and -')
    .refine((name) => name !== 'pgbouncer', 'must not be pgbouncer, which is its console');

const oneLine = () =>
  z
    .string()
    .max(500)
    .refine((text) => !/[\0\r\n]/.test(text), 'must be one line');

/** What the agent sets itself, and what has no place in a file that others read. */
const ownParameters = ['host', 'port', 'dbname', 'password'];

/** A PgBouncer that is told by its console and by a file that it includes who leads. */
export const configSchema = z
  .strictObject({
    console: address().describe('Where it listens. Its console is the database pgbouncer there.'),
    socketDirectory: path().optional().describe('Its `unix_socket_dir`, to reach the console that way; the port is that of `console`.'),
    user: oneLine().default('holdfast').describe('One of its `admin_users`.'),
    password: secret().optional().describe("That user's password. Absent: it needs none."),
    file: path().describe('What its own file takes in by `%include`: written by the agent alone. The directory must be there.'),
    write: databaseName().optional().describe('Its database for clients that write: the agent puts the leader behind it.'),
    read: databaseName().optional().describe('Its database for clients that only read: the agent puts replicas behind it.'),
    database: oneLine().optional().describe('The database on the servers. Absent: of the same name.'),
    parameters: z
      .record(
        z
          .string()
          .regex(/^[a-z_]{1,40}$/, 'must be a setting of PgBouncer')
          .refine((name) => !ownParameters.includes(name), `must be none of ${ownParameters.join(', ')}`),
        oneLine(),
      )
      .default({})
      .describe('More settings of both databases, such as pool_size, pool_mode or user.'),
    drain: duration({ min: '0ms', max: '30s' })
      .prefault('5s')
      .describe('How long a planned switchover waits for transactions to end. What goes on for longer ends with the old leader.'),
    stale: duration({ min: '100ms', max: '1h' })
      .prefault('2s')
      .describe(
        'How long clients may stay at a server that leads no more. Then all clients of the database are cut: PgBouncer can not cut single ones.',
      ),
    timeout: duration({ min: '50ms', max: '1m' }).prefault('2s').describe('How long it may take to answer.'),
  })
  .refine((config) => config.write !== undefined || config.read !== undefined, "must have 'write', 'read' or both: names of its databases")
  .refine((config) => config.write !== config.read, "must have two names for 'write' and 'read'");

export type PgbouncerConfig = z.output<typeof configSchema>;
