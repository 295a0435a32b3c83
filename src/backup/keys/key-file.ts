// Key files: the master key of a repository, sealed by a key that scrypt makes of a password. doc/design.rst of restic/restic, "Keys,
// Encryption and MAC".
import { randomBytes } from 'node:crypto';
import { deriveKey, type KdfCost, kdfCostDefault, saltBytes } from '../crypto/kdf.ts';
import { seal, type SealingKey, sealingKeyBytes, sealingKeyFrom, unseal } from '../crypto/seal.ts';
import { damaged } from '../documents/damaged.ts';
import { formatJson } from '../documents/json.ts';
import { parseObject } from '../documents/sealed.ts';

/** What a key file tells without its password. */
export interface KeyLabel {
  readonly created: string;
  readonly username: string;
  readonly hostname: string;
}

/** A key file that was read; its form is known to be right. */
export interface KeyFile extends KeyLabel {
  readonly cost: KdfCost;
  readonly salt: Uint8Array;
  /** The sealed master key. */
  readonly data: Uint8Array;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });

/** The bytes of a key file. */
export async function encodeKeyFile(
  master: SealingKey,
  password: string,
  label: KeyLabel,
  cost: KdfCost = kdfCostDefault,
): Promise<Uint8Array> {
  const salt = randomBytes(saltBytes);
  const user = await deriveKey(password, salt, cost);
  const { created, username, hostname } = label;
  const data = seal(user, encoder.encode(encodeMaster(master)));
  return encoder.encode(
    formatJson({ created, username, hostname, kdf: 'scrypt', N: cost.N, r: cost.r, p: cost.p, salt: base64(salt), data: base64(data) }),
  );
}

/** @throws BACKUP_DAMAGED */
export function decodeKeyFile(bytes: Uint8Array, what: string): KeyFile {
  const { created, username, hostname, kdf, N, r, p, salt, data } = parseObject(decoder.decode(bytes), what);
  if (kdf !== 'scrypt') throw damaged(what, `is made by ${JSON.stringify(kdf)}, not by scrypt`);
  if (typeof salt !== 'string' || typeof data !== 'string') throw damaged(what, 'lacks salt or data');
  return {
    created: typeof created === 'string' ? created : '',
    username: typeof username === 'string' ? username : '',
    hostname: typeof hostname === 'string' ? hostname : '',
    cost: { N: Number(N), r: Number(r), p: Number(p) },
    salt: Buffer.from(salt, 'base64'),
    data: Buffer.from(data, 'base64'),
  };
}

/** The master key; undefined when it is not this password's. @throws BACKUP_DAMAGED */
export async function openKeyFile({ cost, salt, data }: KeyFile, password: string, what: string): Promise<SealingKey | undefined> {
  const plain = unseal(await deriveKey(password, salt, cost), data);
  return plain === undefined ? undefined : decodeMaster(plain, what);
}

function encodeMaster({ encrypt, macK, macR }: SealingKey): string {
  return formatJson({ mac: { k: base64(macK), r: base64(macR) }, encrypt: base64(encrypt) });
}

function decodeMaster(plain: Uint8Array, what: string): SealingKey {
  const { mac, encrypt } = parseObject(decoder.decode(plain), what) as { mac?: { k?: unknown; r?: unknown }; encrypt?: unknown };
  const bytes = Buffer.concat([encrypt, mac?.k, mac?.r].map((part) => Buffer.from(typeof part === 'string' ? part : '', 'base64')));
  if (bytes.length !== sealingKeyBytes || bytes.every((byte) => byte === 0)) throw damaged(what, 'holds no master key');
  return sealingKeyFrom(bytes);
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}
