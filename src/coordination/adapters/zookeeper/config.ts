import { z } from 'zod';
import { address, path, secret } from '../../../core/config-fields.ts';

const prefixRule =
  'must be an absolute path in ZooKeeper such as /holdfast or /teams/db/holdfast: segments of [A-Za-z0-9._-], at most 200 characters, no slash at the end';

/**
 * A ZooKeeper ensemble (3.6 or newer). `tls` with no more than `{}` checks the servers against the system's CAs. With `auth` all that is
 * created belongs to that user (digest scheme, ACL auth:crdwa); without, to everybody.
 */
export const zooKeeperConfigSchema = z.strictObject({
  servers: z.array(address()).min(1).max(16),
  tls: z
    .strictObject({ ca: path().optional(), cert: path().optional(), key: path().optional() })
    .refine(({ cert, key }) => (cert === undefined) === (key === undefined), 'cert and key must be given together')
    .optional(),
  auth: z
    .strictObject({ user: z.string().regex(/^[^:\s]{1,100}$/, 'must be a user name without colon or blank'), password: secret() })
    .optional(),
  prefix: z
    .string()
    .max(200, prefixRule)
    .regex(/^(\/(?!\.+(\/|$))[A-Za-z0-9._-]+)+$/, prefixRule)
    .refine((text) => !/^\/zookeeper(\/|$)/.test(text), '/zookeeper is reserved by ZooKeeper itself')
    .default('/holdfast'),
});

export type ZooKeeperConfig = z.output<typeof zooKeeperConfigSchema>;
