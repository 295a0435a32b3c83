import { readFile, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { denied } from '../../failures.ts';
import type { SftpConfig } from './config.ts';

export interface Credentials {
  readonly password?: string;
  readonly privateKey?: string;
  readonly passphrase?: string;
}

const usualKeys = ['id_ed25519', 'id_ecdsa', 'id_rsa'].map((file) => join(homedir(), '.ssh', file));

/** Whom we log in as proves itself by a password or a key, read when it is needed. @throws STORAGE_DENIED */
export async function readCredentials(location: string, config: SftpConfig): Promise<Credentials> {
  if (config.password !== undefined) return { password: config.password.reveal() };
  const passphrase = config.passphrase === undefined ? {} : { passphrase: config.passphrase.reveal() };
  for (const file of config.key === undefined ? usualKeys : [config.key]) {
    try {
      const { mode } = await stat(file);
      if ((mode & 0o077) !== 0)
        throw denied(location, `${file} is open to others`, { hint: `chmod 600 ${file}, and think of who has read it.` });
      return { privateKey: await readFile(file, 'utf8'), ...passphrase };
    } catch (error) {
      if (config.key === undefined && (error as NodeJS.ErrnoException).code === 'ENOENT') continue;
      throw error instanceof Error && 'syscall' in error
        ? denied(location, error, { hint: 'Name a readable private key as `key`.' })
        : error;
    }
  }
  throw denied(location, 'it has neither a key nor a password', { hint: `Add \`key\` or \`password\`, or make ${usualKeys[0]}.` });
}
