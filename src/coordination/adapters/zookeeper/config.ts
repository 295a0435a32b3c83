import { z } from 'zod';
import { address, path, secret } from '../../../core/config-fields.ts';

const prefixRule =
  'must be an absolute path in ZooKeeper such as /holdfast or /teams/db/holdfast: segments of [A-Za-z0-9._-], at most 200 characters, no slash at the end';

/** Settings of the ZooKeeper store: `coordination: { zookeeper: … }`. */
export const zooKeeperConfigSchema = z.strictObject({
  servers: z
    .array(address())
    .min(1)
    .max(16)
    .describe(
      'Client addresses of all servers of one ensemble, version 3.6 or newer. Each must always lead to the same server: no load balancer.',
    ),
  tls: z
    .strictObject({
      ca: path()
        .optional()
        .describe('PEM file with the CA that signed the certificates of the servers. Absent: the CAs that Node.js trusts.'),
      cert: path().optional().describe('PEM file with our client certificate.'),
      key: path().optional().describe('PEM file with its key.'),
    })
    .refine(({ cert, key }) => (cert === undefined) === (key === undefined), 'needs cert and key together')
    .optional()
    .describe('Speak TLS; the servers are then their secureClientPorts.'),
  auth: z
    .strictObject({
      user: z.string().regex(/^[^:\s]{1,100}$/, 'must be a user name without colon or blank'),
      password: secret(),
    })
    .optional()
    .describe('User of the digest scheme, to whom alone all belongs that is created. Absent: it belongs to everybody.'),
  prefix: z
    .string(prefixRule)
    .max(200, prefixRule)
    .regex(/^(\/(?!\.+(\/|$))[A-Za-z0-9._-]+)+$/, prefixRule)
    .refine((text) => !/^\/zookeeper(\/|$)/.test(text), '/zookeeper is reserved by ZooKeeper itself')
    .default('/holdfast')
    .describe('All nodes are below it. Created when it is missing. Two Holdfast clusters in one ensemble need two.'),
});

export type ZooKeeperConfig = z.output<typeof zooKeeperConfigSchema>;
