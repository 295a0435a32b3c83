import { z } from 'zod';
import { hasOneStore, storeSchemas } from '../coordination/config.ts';
import { address, duration, name, path, secret } from '../core/config-fields.ts';
import { locationSchema } from '../storage/config.ts';
import { drillSchema } from './copies.ts';
import { serviceSchema } from './service.ts';

const nodeSchema = z.strictObject({
  name: name().describe('Unique in the cluster; the certificate proves it.'),
  site: name().optional().describe('Where it stands: what fails together.'),
  listen: address().describe('Where the agent serves peers, people and health checks.'),
  advertise: address().optional().describe('Where the others reach it, when that is not `listen`.'),
  state: path().default('/var/lib/holdfast/.state').describe("The agent's own directory."),
});

/** The roles of the API, least first. */
const roles = ['viewer', 'operator', 'admin'] as const;

const tokenSchema = z.strictObject({
  name: name().describe('Whose it is; shown in events.'),
  role: z.enum(roles).describe('viewer: reads. operator: switchover, failover, pause, restart. admin: also reinit.'),
  secret: secret().describe('What is sent as `Authorization: Bearer`.'),
});

const securityAllowed = 'must name ca, cert and key, which `holdfast certificates` makes';

const securitySchema = z.strictObject(
  {
    ca: path().describe("Certificates that sign the nodes', PEM."),
    cert: path().describe("This node's certificate and what stands between it and the CA, PEM."),
    key: path().describe('Its private key, PEM, readable by nobody else.'),
    tokens: z.array(tokenSchema).max(100).default([]).describe('Who else may use the API.'),
    readOpen: z.boolean().default(true).describe('Whether reading needs no token.'),
  },
  securityAllowed,
);

const coordinationSchema = z
  .strictObject({
    ...storeSchemas,
    ttl: duration({ min: '500ms', max: '5m' })
      .prefault('10s')
      .describe('How long a hold outlives its holder: in asynchronous mode the longest time without a leader.'),
  })
  .refine(hasOneStore, `must have exactly one of ${Object.keys(storeSchemas).join(', ')}`);

const servicesMax = 100;
const peersMax = 100;

/** The whole of holdfast.yaml. */
export const configSchema = z.strictObject({
  cluster: name().describe('All its nodes have the same.'),
  node: nodeSchema.describe('This node.'),
  security: securitySchema.describe('How agents and people prove who they are.'),
  coordination: coordinationSchema.describe('Where the cluster agrees on who leads: one of the three stores.'),
  peers: z.array(address()).max(peersMax).default([]).describe("The other nodes' agents."),
  services: z
    .record(name(), serviceSchema)
    .refine((services) => Object.keys(services).length <= servicesMax, `must be at most ${servicesMax} services`)
    .default({})
    .describe('What is kept up, by name.'),
  locations: z
    .record(name(), locationSchema)
    .default({})
    .describe('Where copies live, by name. Each is exactly one of path, s3, sftp, mirror, parity.'),
  drills: z.array(drillSchema).max(1000).default([]).describe('Rehearsals on schedule: checked, and not run by this version.'),
});

/** A file of locations alone: enough for commands on copies. */
export const locationsSchema = configSchema.pick({ locations: true });

/**
 * A loaded configuration. Durations are milliseconds, sizes bytes, rates bytes per second, percentages fractions; paths are absolute;
 * addresses `{ host, port }`; secrets are read and give themselves away only to `reveal()`.
 */
export type HoldfastConfig = z.output<typeof configSchema>;

/** What it takes to reach copies. */
export type CopiesConfig = Pick<HoldfastConfig, 'services' | 'locations'>;
