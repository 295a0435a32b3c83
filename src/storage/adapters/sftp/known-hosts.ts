import { createHash, createHmac, timingSafeEqual } from 'node:crypto';

/** What a known_hosts file says of one host (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT). */
export interface KnownKeys {
  /** Wire format of public keys that are this host's (RFC 4253, 6.6). */
  readonly trusted: readonly Buffer[];
  readonly revoked: readonly Buffer[];
}

/** The lines of known_hosts files that concern a host. Authorities that sign host keys are not understood, and so trusted by nobody. */
export function knownKeysOf(files: readonly string[], host: string, port: number): KnownKeys {
  const wanted = (port === 22 ? host : `[${host}]:${port}`).toLowerCase();
  const trusted: Buffer[] = [];
  const revoked: Buffer[] = [];
  for (const line of files.flatMap((file) => file.split('\n'))) {
    const fields = line.trim().split(/\s+/);
    const marker = fields[0]?.startsWith('@') === true ? fields.shift() : undefined;
    const [hosts, , key] = fields;
    if (hosts === undefined || key === undefined || hosts.startsWith('#') || !matches(hosts, wanted)) continue;
    if (marker === undefined) trusted.push(Buffer.from(key, 'base64'));
    else if (marker === '@revoked') revoked.push(Buffer.from(key, 'base64'));
  }
  return { trusted, revoked };
}

/** As `ssh-keygen -l` prints it. */
export function fingerprintOf(key: Buffer): string {
  return `SHA256:${createHash('sha256').update(key).digest('base64').replace(/=+$/, '')}`;
}

/** The name of a key's type, its first field: `ssh-ed25519`. Empty when it is no key. */
export function typeOf(key: Buffer): string {
  if (key.byteLength < 4) return '';
  const length = key.readUInt32BE(0);
  return length > key.byteLength - 4 ? '' : key.toString('latin1', 4, 4 + length);
}

function matches(hosts: string, wanted: string): boolean {
  if (hosts.startsWith('|')) return matchesHashed(hosts, wanted);
  let found = false;
  for (const pattern of hosts.toLowerCase().split(',')) {
    if (!matchesPattern(pattern.replace(/^!/, ''), wanted)) continue;
    // One that is excluded counts more than all others of its line.
    if (pattern.startsWith('!')) return false;
    found = true;
  }
  return found;
}

/** `|1|SALT|HMAC-SHA1`, both in base64. */
function matchesHashed(hashed: string, wanted: string): boolean {
  const [, version, salt, hash] = hashed.split('|');
  if (version !== '1' || salt === undefined || hash === undefined) return false;
  const expected = Buffer.from(hash, 'base64');
  const found = createHmac('sha1', Buffer.from(salt, 'base64')).update(wanted).digest();
  return expected.byteLength === found.byteLength && timingSafeEqual(expected, found);
}

/** With `*` and `?`. */
function matchesPattern(pattern: string, wanted: string): boolean {
  const expression = pattern
    .replaceAll(/[.+^${}()|[\]\\]/g, String.raw`\$&`)
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${expression}$`).test(wanted);
}
