import { readFile } from 'node:fs/promises';
import { HoldfastError, messageOf } from '../../../core/errors.ts';
import type { ZooKeeperConfig } from './config.ts';
import type { TlsMaterial } from './dial.ts';
import type { EnsembleOptions } from './ensemble.ts';
import type { Acl } from './protocol.ts';

/** Reads files and secrets, once: what changes later counts from the next start. @throws COORD_DENIED when a TLS file can not be read */
export async function readEnsembleOptions(config: ZooKeeperConfig, signal: AbortSignal | undefined): Promise<EnsembleOptions> {
  const { servers, tls, auth } = config;
  return {
    servers,
    tls: tls && (await readTls(tls, signal)),
    digest: auth && `${auth.user}:${auth.password.reveal()}`,
  };
}

/** All rights, for the authenticated user or for everybody. */
export function aclOf({ auth }: ZooKeeperConfig): Acl {
  // `auth` with an empty id: whoever creates it (ZooDefs.Ids.CREATOR_ALL_ACL, OPEN_ACL_UNSAFE).
  return auth === undefined ? { scheme: 'world', id: 'anyone' } : { scheme: 'auth', id: '' };
}

async function readTls(tls: NonNullable<ZooKeeperConfig['tls']>, signal: AbortSignal | undefined): Promise<TlsMaterial> {
  const [ca, cert, key] = await Promise.all((['ca', 'cert', 'key'] as const).map((name) => readPem(`tls.${name}`, tls[name], signal)));
  return { ca, cert, key };
}

async function readPem(name: string, path: string | undefined, signal: AbortSignal | undefined): Promise<string | undefined> {
  if (path === undefined) return undefined;
  try {
    return await readFile(path, { encoding: 'utf8', ...(signal && { signal }) });
  } catch (error) {
    signal?.throwIfAborted();
    throw new HoldfastError('COORD_DENIED', `${name}, ${path}, can not be read: ${messageOf(error)}`, {
      hint: `Correct ${name} in the coordination settings, or the rights of the file.`,
      cause: error,
    });
  }
}
