import { createPrivateKey } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { certificatesIn, certifiedNames, chainOf } from '../core/certificate-chain.ts';
import { HoldfastError, messageOf } from '../core/errors.ts';

/** PEM texts, as node:tls takes them. */
export interface TlsCredentials {
  /** Certificates that sign the nodes'. */
  readonly ca: string;
  /** This node's certificate, then those between it and the CA. */
  readonly cert: string;
  readonly key: string;
}

export interface TlsCredentialsReport {
  readonly credentials: TlsCredentials;
  /** `wallMs` from which the other agents refuse this certificate. */
  readonly expiresAtMs: number;
  /** What works now but should be seen to: expired or soon to expire, a key that others can read. As sentences. */
  readonly warnings: readonly string[];
}

/** From when a coming expiry is a warning. */
const expiryWarningMs = 30 * 86_400_000;

/**
 * Reads this node's TLS files and proves that they belong together: the key to the certificate, the certificate to the CA, and its name
 * to the node. An expired one is a warning: this agent must go on caring for its database, whatever the others then say.
 * @throws CONFIG_CERTIFICATE_UNREADABLE, CONFIG_CERTIFICATE_MISMATCH
 */
export async function readTlsCredentials(
  paths: { ca: string; cert: string; key: string },
  options: { node: string; wallMs: number },
): Promise<TlsCredentialsReport> {
  const [ca, cert, key] = await Promise.all([readPem(paths.ca), readPem(paths.cert), readPem(paths.key)]);
  const authorities = parse(paths.ca, () => certificatesIn(ca));
  const chain = parse(paths.cert, () => certificatesIn(cert));
  const privateKey = parse(paths.key, () => createPrivateKey(key));
  const [leaf] = chain;
  if (leaf === undefined || authorities.length === 0)
    throw unreadable(leaf === undefined ? paths.cert : paths.ca, 'no certificate is in it');
  if (!leaf.checkPrivateKey(privateKey)) throw mismatch(`the key '${paths.key}' does not belong to the certificate '${paths.cert}'`);
  if (!chainOf(leaf, chain.slice(1), authorities).trusted)
    throw mismatch(`the certificate '${paths.cert}' was not signed by '${paths.ca}'`);
  if (!certifiedNames(leaf).has(options.node)) {
    throw mismatch(
      `the certificate '${paths.cert}' is for ${[...certifiedNames(leaf)].join(', ') || 'nobody'}, not for the node '${options.node}'`,
    );
  }
  const expiresAtMs = leaf.validToDate.getTime();
  const warnings = [...expiryWarning(paths.cert, expiresAtMs, options.wallMs), ...(await modeWarning(paths.key))];
  return { credentials: { ca, cert, key }, expiresAtMs, warnings };
}

function expiryWarning(path: string, expiresAtMs: number, wallMs: number): string[] {
  const date = new Date(expiresAtMs).toISOString().slice(0, 10);
  if (expiresAtMs <= wallMs)
    return [
      `The certificate '${path}' expired on ${date}: the other agents refuse it. Make a new one with \`holdfast certificates node\`.`,
    ];
  if (expiresAtMs - wallMs < expiryWarningMs)
    return [`The certificate '${path}' expires on ${date}. Make a new one with \`holdfast certificates node\`.`];
  return [];
}

async function modeWarning(path: string): Promise<string[]> {
  const { mode } = await stat(path);
  return (mode & 0o077) === 0 ? [] : [`The key '${path}' can be read by others than its owner. Make it private with \`chmod 600\`.`];
}

async function readPem(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw unreadable(path, messageOf(error), error);
  }
}

function parse<T>(path: string, from: () => T): T {
  try {
    return from();
  } catch (error) {
    throw unreadable(path, messageOf(error), error);
  }
}

function unreadable(path: string, why: string, cause?: unknown): HoldfastError {
  return new HoldfastError('CONFIG_CERTIFICATE_UNREADABLE', `'${path}' of security: can not be read: ${why}`, {
    hint: 'It must be a PEM file that this user may read; `holdfast certificates` makes such files.',
    cause,
  });
}

function mismatch(what: string): HoldfastError {
  return new HoldfastError('CONFIG_CERTIFICATE_MISMATCH', what, {
    hint: 'Make this node its own with `holdfast certificates node NAME`, signed by the CA that all nodes have, and name its files under security:.',
  });
}
