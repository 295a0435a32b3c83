import { z } from 'zod';
import { address, path, secret } from '../core/config-fields.ts';

export const coordinationStores = {
  embedded: path().optional(),
  etcd: z.strictObject({ endpoints: z.array(z.url()).min(1), user: z.string().optional(), password: secret().optional() }).optional(),
  zookeeper: z.strictObject({ servers: z.array(address()).min(1) }).optional(),
};

export const postgresSchema = z.strictObject({
  data: path(),
  listen: address(),
  bin: path().optional(),
  replication: z.strictObject({ acknowledge: z.int().min(0).max(16).default(1) }).prefault({}),
});

export const processSchema = z.strictObject({ command: z.array(z.string()).min(1) });
