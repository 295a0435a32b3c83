import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { denied } from '../../failures.ts';
import type { SftpConfig } from './config.ts';
import { fingerprintOf, type KnownKeys, knownKeysOf, typeOf } from './known-hosts.ts';

/** Decides whether a server is the one that is meant. */
export interface HostKeyJudge {
  /** Names of signature algorithms for the keys that are known, to ask for one of those; undefined where any will do. */
  readonly algorithms: readonly string[] | undefined;
  /** Undefined for the right key. @returns STORAGE_DENIED for any other */
  judge(key: Buffer): Error | undefined;
}

const usualFiles = ['/etc/ssh/ssh_known_hosts', join(homedir(), '.ssh/known_hosts')];

/** @throws STORAGE_DENIED when nothing is known of the host */
export async function openHostKeyJudge(location: string, config: SftpConfig): Promise<HostKeyJudge> {
  const { host, port, fingerprint } = config;
  const where = `${host}, port ${port},`;
  if (fingerprint !== undefined) {
    const expected = fingerprint.replace(/=$/, '');
    return {
      algorithms: undefined,
      judge: (key) =>
        fingerprintOf(key) === expected
          ? undefined
          : refused(
              location,
              `${where} has the ${typeOf(key)} key ${fingerprintOf(key)}, not ${expected}`,
              'a fingerprint of another of its keys can be named',
            ),
    };
  }
  const files = config.knownHosts === undefined ? usualFiles : [config.knownHosts];
  const known = knownKeysOf(await readAll(location, files, config.knownHosts !== undefined), host, port);
  if (known.trusted.length === 0) {
    throw denied(location, `nothing is known of ${where} in ${files.join(' and ')}`, {
      hint: `Ask its operator for the fingerprint of its key and name it as \`fingerprint\`, or add the key: ssh-keyscan -p ${port} ${host}, compared with what the operator says.`,
    });
  }
  return { algorithms: known.trusted.flatMap((key) => algorithmsOf(typeOf(key))), judge: (key) => judgeKnown(location, where, known, key) };
}

function judgeKnown(location: string, where: string, { trusted, revoked }: KnownKeys, key: Buffer): Error | undefined {
  if (revoked.some((one) => one.equals(key)))
    return refused(location, `${where} has a key that is revoked: ${fingerprintOf(key)}`, 'the key has been stolen');
  if (trusted.some((one) => one.equals(key))) return undefined;
  const names = trusted.map((one) => fingerprintOf(one)).join(', ');
  return refused(
    location,
    `${where} has the ${typeOf(key)} key ${fingerprintOf(key)}, and is known by ${names}`,
    'the server was made anew',
  );
}

function refused(location: string, why: string, otherwise: string): Error {
  return denied(location, why, { hint: `Somebody may be in between, or ${otherwise}: ask its operator before you trust it.` });
}

/** RSA keys sign by newer algorithms than their type is named after (RFC 8332). */
function algorithmsOf(type: string): readonly string[] {
  return type === 'ssh-rsa' ? ['rsa-sha2-512', 'rsa-sha2-256'] : [type];
}

async function readAll(location: string, files: readonly string[], required: boolean): Promise<string[]> {
  return await Promise.all(
    files.map((file) =>
      readFile(file, 'utf8').catch((error: unknown) => {
        if (!required && (error as NodeJS.ErrnoException).code === 'ENOENT') return '';
        throw denied(location, error, { hint: 'Name a readable file as `knownHosts` of this location.' });
      }),
    ),
  );
}
