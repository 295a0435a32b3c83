import { createHash, createPrivateKey, generateKeyPairSync, randomBytes, sign, X509Certificate, type KeyObject } from 'node:crypto';
import { isIP } from 'node:net';
import { HoldfastError } from '../../core/errors.ts';
import { context, decodeAll, encode, integer, oid, sequence, tags, time } from './der.ts';

/** A certificate and its private key (PKCS #8), both PEM. */
export interface Issued {
  readonly certificate: string;
  readonly key: string;
}

export interface AuthorityRequest {
  readonly cluster: string;
  readonly wallMs: number;
  readonly days: number;
}

export interface NodeRequest {
  readonly node: string;
  /** Names and IP addresses under which others reach it, besides its own name and this machine's loopback addresses. */
  readonly hosts: readonly string[];
  readonly wallMs: number;
  readonly days: number;
}

const dayMs = 86_400_000;
/** Certificates begin to be valid a little earlier, for machines whose clock is behind. */
const backdateMs = 5 * 60_000;

/** Object identifiers of RFC 5280 and RFC 5758. */
const ids = {
  ecdsaWithSha256: '1.2.840.10045.4.3.2',
  commonName: '2.5.4.3',
  organization: '2.5.4.10',
  subjectKeyIdentifier: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAlternativeName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  authorityKeyIdentifier: '2.5.29.35',
  extendedKeyUsage: '2.5.29.37',
  serverAuth: '1.3.6.1.5.5.7.3.1',
  clientAuth: '1.3.6.1.5.5.7.3.2',
} as const;

/** keyUsage bits (RFC 5280, 4.2.1.3) as a DER BIT STRING: count of unused bits, then the bits. */
const usage = { digitalSignature: Buffer.of(7, 0x80), certificateAndRevocationSigning: Buffer.of(1, 0x06) };

/** A self-signed certificate authority (ECDSA P-256) that signs nodes only, no further authorities. */
export function createAuthority(request: AuthorityRequest): Issued {
  const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const subject = name(`Holdfast ${request.cluster}`, request.cluster);
  const keyId = keyIdentifier(keys.publicKey);
  const extensions = [
    extension(ids.basicConstraints, sequence(encode(tags.boolean, Buffer.of(0xff)), integer(Buffer.of(0))), 'critical'),
    extension(ids.keyUsage, encode(tags.bitString, usage.certificateAndRevocationSigning), 'critical'),
    extension(ids.subjectKeyIdentifier, encode(tags.octetString, keyId)),
  ];
  return issue(keys, { subject, extensions, ...request }, { subject, keyId, key: keys.privateKey });
}

/**
 * A node's certificate: CN and a DNS name are the node's name, by which the other agents know it.
 * @throws CERTIFICATE_AUTHORITY_UNUSABLE
 */
export function issueNodeCertificate(authority: Issued, request: NodeRequest): Issued {
  const issuer = readAuthority(authority, request.wallMs);
  const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const hosts = [...new Set([request.node, ...request.hosts, 'localhost', '127.0.0.1', '::1'])];
  const extensions = [
    extension(ids.basicConstraints, sequence(), 'critical'),
    extension(ids.keyUsage, encode(tags.bitString, usage.digitalSignature), 'critical'),
    extension(ids.extendedKeyUsage, sequence(oid(ids.serverAuth), oid(ids.clientAuth))),
    extension(ids.subjectAlternativeName, sequence(...hosts.map(alternativeName))),
    extension(ids.subjectKeyIdentifier, encode(tags.octetString, keyIdentifier(keys.publicKey))),
    ...(issuer.keyId === undefined ? [] : [extension(ids.authorityKeyIdentifier, sequence(context(0, issuer.keyId, 'primitive')))]),
  ];
  return issue(keys, { subject: name(request.node), extensions, ...request }, issuer);
}

interface Issuer {
  readonly subject: Buffer;
  readonly keyId: Buffer | undefined;
  readonly key: KeyObject;
}

function issue(
  keys: { publicKey: KeyObject; privateKey: KeyObject },
  content: { subject: Buffer; extensions: readonly Buffer[]; wallMs: number; days: number },
  issuer: Issuer,
): Issued {
  const algorithm = sequence(oid(ids.ecdsaWithSha256));
  const toBeSigned = sequence(
    context(0, integer(Buffer.of(2))),
    integer(randomBytes(16)),
    algorithm,
    issuer.subject,
    sequence(time(content.wallMs - backdateMs), time(content.wallMs + content.days * dayMs)),
    content.subject,
    keys.publicKey.export({ type: 'spki', format: 'der' }),
    context(3, sequence(...content.extensions)),
  );
  const signature = encode(tags.bitString, Buffer.of(0), sign('sha256', toBeSigned, issuer.key));
  return {
    certificate: new X509Certificate(sequence(toBeSigned, algorithm, signature)).toString(),
    key: keys.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
  };
}

/** Its subject and key identifier are taken byte by byte from the certificate: it may have been made by other software. */
function readAuthority(authority: Issued, wallMs: number): Issuer {
  const certificate = parse('its certificate can not be read', () => new X509Certificate(authority.certificate));
  const key = parse('its key can not be read', () => createPrivateKey(authority.key));
  if (key.asymmetricKeyDetails?.namedCurve !== 'prime256v1') throw unusable('its key is not an ECDSA P-256 key');
  if (!certificate.ca) throw unusable('its certificate is not one of a certificate authority');
  if (!certificate.checkPrivateKey(key)) throw unusable('its key does not belong to its certificate');
  if (certificate.validToDate.getTime() < wallMs) throw unusable(`it expired on ${certificate.validTo}`);
  const fields = decodeAll(decodeAll(decodeAll(certificate.raw)[0]!.content)[0]!.content);
  const identifier = oid(ids.subjectKeyIdentifier);
  const extensions = fields.filter((field) => field.tag === 0xa3).flatMap((field) => decodeAll(decodeAll(field.content)[0]!.content));
  const parts = extensions.map((each) => decodeAll(each.content)).find(([id]) => id!.whole.equals(identifier));
  const keyId = parts === undefined ? undefined : decodeAll(parts.at(-1)!.content)[0]!.content;
  return { subject: fields[5]!.whole, keyId, key };
}

function parse<T>(failure: string, from: () => T): T {
  try {
    return from();
  } catch (error) {
    throw unusable(failure, error);
  }
}

function name(commonName: string, organization?: string): Buffer {
  const attribute = (id: string, value: string): Buffer => encode(tags.set, sequence(oid(id), encode(tags.utf8String, Buffer.from(value))));
  return sequence(
    ...(organization === undefined ? [] : [attribute(ids.organization, organization)]),
    attribute(ids.commonName, commonName),
  );
}

/** dNSName is [2], iPAddress [7] in network byte order (RFC 5280, 4.2.1.6). */
function alternativeName(host: string): Buffer {
  return isIP(host) === 0 ? context(2, Buffer.from(host, 'latin1'), 'primitive') : context(7, addressBytes(host), 'primitive');
}

function addressBytes(address: string): Buffer {
  if (isIP(address) === 4) return Buffer.from(address.split('.').map(Number));
  // The URL parser writes IPv6 in one way (RFC 5952): hexadecimal groups, the longest run of zeros as '::'.
  const [head = '', tail] = new URL(`http://[${address}]/`).hostname.slice(1, -1).split('::');
  const groups = (text: string): number[] => (text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16)));
  const [first, last] = [groups(head), groups(tail ?? '')];
  const all = [...first, ...Array.from({ length: 8 - first.length - last.length }, () => 0), ...last];
  return Buffer.from(all.flatMap((group) => [group >> 8, group & 0xff]));
}

/** RFC 7093, method 1: the first 160 bits of the SHA-256 of the public key. */
function keyIdentifier(publicKey: KeyObject): Buffer {
  const [, bits] = decodeAll(decodeAll(publicKey.export({ type: 'spki', format: 'der' }))[0]!.content);
  return createHash('sha256').update(bits!.content.subarray(1)).digest().subarray(0, 20);
}

function extension(id: string, value: Buffer, critical?: 'critical'): Buffer {
  return sequence(oid(id), ...(critical === undefined ? [] : [encode(tags.boolean, Buffer.of(0xff))]), encode(tags.octetString, value));
}

function unusable(why: string, cause?: unknown): HoldfastError {
  return new HoldfastError('CERTIFICATE_AUTHORITY_UNUSABLE', `the certificate authority can not sign: ${why}`, {
    hint: 'Make one with `holdfast certificates ca`, or let whoever runs your own authority sign the nodes.',
    cause,
  });
}
