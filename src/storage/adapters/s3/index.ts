import type { Runtime } from '../../../core/runtime.ts';
import type { LocationAdapter } from '../../adapter.ts';
import { type S3Limits, s3Limits } from './client.ts';
import type { S3Config } from './config.ts';
import { S3Location } from './s3-location.ts';

export const kind = 's3';

/** The location in a bucket. */
export function create(name: string, config: S3Config, runtime: Runtime, limits: S3Limits = s3Limits): S3Location {
  return new S3Location(name, config, runtime, limits);
}

({ kind, create }) satisfies LocationAdapter<S3Config>;
