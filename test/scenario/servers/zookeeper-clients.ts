import { Connection } from '../../../src/coordination/adapters/zookeeper/connection.ts';
import { ZooKeeperFailure } from '../../../src/coordination/adapters/zookeeper/failure.ts';
import { configSchema, open, type ZooKeeperConfig } from '../../../src/coordination/adapters/zookeeper/index.ts';
import type { CoordinationStore } from '../../../src/coordination/store.ts';
import { parseAddress } from '../../../src/core/address.ts';
import { silentLogger } from '../../../src/core/logger.ts';
import { createClock, createRandom } from '../../../src/runtime/index.ts';

export const clock = createClock();
export const runtime = { clock, random: createRandom(), logger: silentLogger };
export const never: AbortSignal = new AbortController().signal;

export interface ClientSettings {
  readonly user?: string;
  readonly password?: string;
  readonly prefix?: string;
  readonly tls?: object;
}

/** As from a file: secrets do not stand in it. */
export function configOf(servers: readonly string[], { user, password = '', ...rest }: ClientSettings = {}): ZooKeeperConfig {
  const auth = user !== undefined && { auth: { user, password: '${ZOOKEEPER_PASSWORD}' } };
  const config = configSchema.parse({ servers, ...rest, ...auth });
  config.auth?.password.resolve(password);
  return config;
}

export function connect(servers: readonly string[], settings?: ClientSettings): Promise<CoordinationStore> {
  return open(configOf(servers, settings), runtime, {});
}

/** A bare connection, to look at what is really there. */
export async function connectBare(server: string, digest?: string): Promise<Connection & AsyncDisposable> {
  const connection = await Connection.open(parseAddress(server)!, {
    clock,
    tls: undefined,
    digest,
    limitMs: 5_000,
    replyLimitMs: 30_000,
    signal: never,
    ttlMs: 30_000,
    session: undefined,
    lastZxid: 0n,
    seen: { zxid: 0n },
    onEvent: () => {},
  });
  return Object.assign(connection, { [Symbol.asyncDispose]: async () => connection.destroy(new ZooKeeperFailure('away', 'test over')) });
}
