import type { Runtime } from '../../../core/runtime.ts';
import type { LocationAdapter } from '../../adapter.ts';
import type { SftpConfig } from './config.ts';
import { type SftpLimits, sftpLimits } from './connection.ts';
import { SftpLocation } from './sftp-location.ts';

export const kind = 'sftp';

/** The location in a directory of an SSH server. */
export function create(name: string, config: SftpConfig, runtime: Runtime, limits: SftpLimits = sftpLimits): SftpLocation {
  return new SftpLocation(name, config, runtime, limits);
}

({ kind, create }) satisfies LocationAdapter<SftpConfig>;
