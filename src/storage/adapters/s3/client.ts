import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { readFileSync } from 'node:fs';
import { S3Client, type S3ClientConfig } from '@aws-sdk/client-s3';
import { unsuitable } from '../../failures.ts';
import type { S3Config } from './config.ts';

/** How long a store is waited for. */
export interface S3Limits {
  readonly connectMsMax: number;
  /** While not one byte moves on a connection. */
  readonly stallMsMax: number;
}

export const s3Limits: S3Limits = { connectMsMax: 5_000, stallMsMax: 30_000 };
const socketsMax = 64;
/** Without one the SDK writes to the console. What goes wrong is thrown. */
const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/**
 * A client of the store that repeats nothing by itself: retries are one decorator's for all kinds of location.
 * @throws STORAGE_UNSUITABLE when the file of the CA can not be read
 */
export function createClient(location: string, config: S3Config, limits: S3Limits): S3Client {
  const agent = { keepAlive: true, maxSockets: socketsMax };
  const ca = config.ca === undefined ? {} : { ca: readAuthority(location, config.ca) };
  const region = config.region ?? (config.endpoint === undefined ? undefined : 'us-east-1');
  return new S3Client({
    maxAttempts: 1,
    logger: quiet,
    // Trailers with checksums are unknown to many stores; what is sent is covered by the signature (x-amz-content-sha256).
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    forcePathStyle: config.pathStyle ?? config.endpoint !== undefined,
    requestHandler: {
      connectionTimeout: limits.connectMsMax,
      socketTimeout: limits.stallMsMax,
      httpAgent: new HttpAgent(agent),
      httpsAgent: new HttpsAgent({ ...agent, ...ca }),
    },
    ...(region !== undefined && { region }),
    ...(config.endpoint !== undefined && { endpoint: config.endpoint }),
    ...credentialsOf(config),
  });
}

function credentialsOf({ accessKey, secretKey, sessionToken }: S3Config): Pick<S3ClientConfig, 'credentials'> {
  if (accessKey === undefined || secretKey === undefined) return {};
  return {
    // Asked for where it is used, and so never a part of the client that could be printed.
    credentials: async () => ({
      accessKeyId: accessKey.reveal(),
      secretAccessKey: secretKey.reveal(),
      ...(sessionToken !== undefined && { sessionToken: sessionToken.reveal() }),
    }),
  };
}

function readAuthority(location: string, path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw unsuitable(location, error, { hint: 'Name a readable PEM file as `ca` of this location.' });
  }
}
