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

/**
 * The short form for command lines: `embedded:PATH`, `etcd:URL[,URL…]`, `zookeeper:HOST:PORT[,HOST:PORT…]`.
 * @throws an Error that says what is wrong with it
 */
export function parseStoreText(text: string): StoreConfig {
  const colon = text.indexOf(':');
  const [kind, rest] = [text.slice(0, colon), text.slice(colon + 1)];
  const { data, error } = storeConfigSchema.safeParse(inputOf(kind, rest));
  if (data !== undefined) return data;
  throw new Error(error.issues.map(({ path, message }) => [...path.slice(-1), message].join(' ')).join('; '));
}

function inputOf(kind: string, rest: string): StoreConfigInput {
  switch (kind) {
    case 'embedded':
      return { embedded: rest };
    case 'etcd':
      return { etcd: { endpoints: rest.split(',') } };
    case 'zookeeper':
      return { zookeeper: { servers: rest.split(',') } };
    default:
      throw new Error(`must begin with ${Object.keys(storeSchemas).join(':, ')}:`);
  }
}
