import { z } from 'zod';
import { address, path, secret } from '../core/config-fields.ts';

export const coordinationStores = {
  embedded: path().optional(),
  etcd: z.strictObject({ endpoints: z.array(z.url()).min(1), user: z.string().optional(), password: secret().optional() }).optional(),
  zookeeper: z.strictObject({ servers: z.array(address()).min(1) }).optional(),
};
