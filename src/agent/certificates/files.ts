import { mkdir, open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../core/clock.ts';
import { HoldfastError, messageOf } from '../../core/errors.ts';
import { createClock } from '../../runtime/clock.ts';
import { createAuthority, issueNodeCertificate, type Issued } from './issue.ts';

/** Paths as `security:` of the configuration names them. */
export interface CertificateFiles {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

/** Ten years: replacing an authority means touching every node. */
export const authorityDaysDefault = 3_650;
/** Two years and a month to renew in. */
export const nodeDaysDefault = 760;

/**
 * Makes `ca.pem` and `ca.key` (0600) in `directory`, which is made too.
 * @throws CERTIFICATE_EXISTS, CERTIFICATE_NOT_WRITTEN
 */
export async function createAuthorityFiles(
  directory: string,
  options: { cluster: string; days?: number },
  clock: Clock = createClock(),
): Promise<{ ca: string; key: string }> {
  const files = { ca: join(directory, 'ca.pem'), key: join(directory, 'ca.key') };
  const authority = createAuthority({ cluster: options.cluster, wallMs: clock.wallMs(), days: options.days ?? authorityDaysDefault });
  await makeDirectory(directory);
  await writePair(authority, files.ca, files.key);
  return files;
}

/**
 * Makes `NODE.pem` and `NODE.key` (0600) in `directory`, signed by the authority whose files are in `authorityDirectory`.
 * @throws CERTIFICATE_AUTHORITY_UNUSABLE, CERTIFICATE_EXISTS, CERTIFICATE_NOT_WRITTEN
 */
export async function createNodeFiles(
  directory: string,
  options: { authorityDirectory: string; node: string; hosts: readonly string[]; days?: number },
  clock: Clock = createClock(),
): Promise<CertificateFiles> {
  const ca = join(options.authorityDirectory, 'ca.pem');
  const authority = { certificate: await read(ca), key: await read(join(options.authorityDirectory, 'ca.key')) };
  const { node, hosts, days = nodeDaysDefault } = options;
  const issued = issueNodeCertificate(authority, { node, hosts, days, wallMs: clock.wallMs() });
  const files = { ca, cert: join(directory, `${node}.pem`), key: join(directory, `${node}.key`) };
  await makeDirectory(directory);
  await writePair(issued, files.cert, files.key);
  return files;
}

/** The key first: a certificate without its key is what nobody can repair. */
async function writePair(issued: Issued, certificatePath: string, keyPath: string): Promise<void> {
  await write(keyPath, issued.key, 0o600);
  await write(certificatePath, issued.certificate, 0o644);
}

async function makeDirectory(directory: string): Promise<void> {
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw notWritten(directory, error);
  }
}

async function write(path: string, text: string, mode: number): Promise<void> {
  try {
    // Never over what is there: nodes may depend on it.
    await using file = await open(path, 'wx', mode);
    await file.writeFile(text);
    await file.sync();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw notWritten(path, error);
    throw new HoldfastError('CERTIFICATE_EXISTS', `'${path}' is there already, and is kept`, {
      hint: 'To make a new one, move the old certificate and key aside first. A new authority means new certificates for every node.',
    });
  }
}

function notWritten(path: string, cause: unknown): HoldfastError {
  return new HoldfastError('CERTIFICATE_NOT_WRITTEN', `'${path}' can not be written: ${messageOf(cause)}`, {
    hint: 'Name a directory that this user may write to.',
    cause,
  });
}

async function read(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new HoldfastError('CERTIFICATE_AUTHORITY_UNUSABLE', `'${path}' can not be read: ${messageOf(error)}`, {
      hint: 'Make an authority with `holdfast certificates ca`, or name its directory.',
      cause: error,
    });
  }
}
