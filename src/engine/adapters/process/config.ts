import { z } from 'zod';
import { address, commandLine, duration, path } from '../../../core/config-fields.ts';

const environmentName = z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/, 'the name of an environment variable');

const probes = {
  /** Healthy when it exits with 0. Run as the service's user, with its environment. */
  command: commandLine().optional(),
  /** Healthy when it takes a connection. */
  tcp: address().optional(),
  /** Healthy when it answers 200 to 399. */
  http: z.url({ protocol: /^http$/, error: 'must be a URL that begins with http://; for anything else use a command' }).optional(),
};
const kinds = ['command', 'tcp', 'http'] as const;

const healthSchema = z
  .strictObject({
    ...probes,
    interval: duration({ min: '50ms', max: '10m' }).prefault('1s').describe('Pause between two probes.'),
    timeout: duration({ min: '10ms', max: '10m' }).prefault('1s').describe('A probe that takes longer has failed.'),
    failures: z.int().min(1).max(100).default(3).describe('So many failed probes in a row are the death of the service.'),
  })
  .refine((health) => kinds.filter((kind) => health[kind] !== undefined).length === 1, `must have exactly one of ${kinds.join(', ')}`);

/** One member of an active/standby service: any command, run where the leadership is. */
export const configSchema = z.strictObject({
  command: commandLine().describe('The program (an absolute path, or found in PATH) and its arguments. It must stay in the foreground.'),
  user: z
    .string()
    .regex(/^[a-z_][a-z0-9_-]{0,31}$/, 'the name of a local user')
    .optional()
    .describe("Whom it runs as. Absent: the agent's account for services."),
  cwd: path().optional().describe('Its working directory. Absent: one of its own.'),
  env: z
    .record(environmentName, z.string().max(32_768))
    .default({})
    .describe('Added to a minimal environment. HOLDFAST_SERVICE and HOLDFAST_NODE are set too.'),
  health: healthSchema.optional().describe('Absent: it is well while it runs.'),
  startTimeout: duration({ min: '100ms', max: '1h' }).prefault('30s').describe('It must be healthy by then.'),
  stopTimeout: duration({ min: '0ms', max: '1h' })
    .prefault('10s')
    .describe('How long it may take to end after SIGTERM, before everything of it is killed.'),
  listen: address().optional().describe('Where clients and routers reach it.'),
});

export type ProcessConfig = z.output<typeof configSchema>;
