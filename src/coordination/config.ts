import { z } from 'zod';
import { configSchema as embedded } from './adapters/embedded/config.ts';
import { configSchema as etcd } from './adapters/etcd/config.ts';
import { zooKeeperConfigSchema as zookeeper } from './adapters/zookeeper/config.ts';

/** The stores there are, by the key under which each stands in a configuration. */
export const storeSchemas = { embedded: embedded.optional(), etcd: etcd.optional(), zookeeper: zookeeper.optional() };

/** Which store to use, and how to reach it: exactly one of `{ embedded: PATH }`, `{ etcd: … }`, `{ zookeeper: … }`. */
export const storeConfigSchema = z
  .strictObject(storeSchemas)
  .refine(hasOneStore, `must have exactly one of ${Object.keys(storeSchemas).join(', ')}`);

/** As a person writes it. */
export type StoreConfigInput = z.input<typeof storeConfigSchema>;
/** As read. */
export type StoreConfig = z.output<typeof storeConfigSchema>;

/** Whether exactly one store is named. */
export function hasOneStore(config: Readonly<Record<string, unknown>>): boolean {
  return Object.keys(storeSchemas).filter((kind) => config[kind] !== undefined).length === 1;
}
