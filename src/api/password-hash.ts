import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto';

/** Cost of scrypt (RFC 7914) for new hashes, as OWASP's password storage cheat sheet asks for: 2^15 × 8 × 128 = 32 MiB, and three times that in work. */
const costDefault: ScryptCost = { ln: 15, r: 8, p: 3 };
const saltBytes = 16;
const hashBytes = 32;
/** What a line of a file may make us spend. */
const memoryBytesMax = 256 * 1024 * 1024;
const parallelMax = 16;

interface ScryptCost {
  /** Binary logarithm of N. */
  readonly ln: number;
  readonly r: number;
  readonly p: number;
}

/** What scrypt made of a password. */
export interface PasswordHash {
  readonly cost: ScryptCost;
  readonly salt: Uint8Array;
  readonly hash: Uint8Array;
}

const form = /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{22,86})$/;

/** Reads `$scrypt$ln=15,r=8,p=3$SALT$HASH`: the PHC string format, as passlib and others write it. Undefined for anything else, or a cost out of proportion. */
export function parsePasswordHash(text: string): PasswordHash | undefined {
  const [, ln, r, p, salt, hash] = form.exec(text) ?? [];
  if (salt === undefined || hash === undefined) return undefined;
  const cost = { ln: Number(ln), r: Number(r), p: Number(p) };
  const fits = cost.ln >= 1 && cost.r >= 1 && cost.p >= 1 && cost.p <= parallelMax && memoryOf(cost) <= memoryBytesMax;
  return fits ? { cost, salt: Buffer.from(salt, 'base64'), hash: Buffer.from(hash, 'base64') } : undefined;
}

/** A hash of a password, as `parsePasswordHash` reads it. */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(saltBytes);
  const { ln, r, p } = costDefault;
  const hash = await derive(password, salt, hashBytes, costDefault);
  return `$scrypt$ln=${ln},r=${r},p=${p}$${unpadded(salt)}$${unpadded(hash)}`;
}

/** Whether the password is the one that was hashed. Takes as long for a wrong one as for the right one. */
export async function matchesPassword(password: string, { cost, salt, hash }: PasswordHash): Promise<boolean> {
  return timingSafeEqual(await derive(password, salt, hash.byteLength, cost), hash);
}

function derive(password: string, salt: Uint8Array, sizeBytes: number, cost: ScryptCost): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  // Node counts a little more than 128 × N × r towards the limit.
  const options = { N: 2 ** cost.ln, r: cost.r, p: cost.p, maxmem: memoryBytesMax + 2 ** 24 };
  scrypt(password, salt, sizeBytes, options, (error, key) => (error ? reject(error) : resolve(key)));
  return promise;
}

function memoryOf({ ln, r }: ScryptCost): number {
  return 128 * 2 ** ln * r;
}

function unpadded(bytes: Buffer): string {
  return bytes.toString('base64').replaceAll('=', '');
}
