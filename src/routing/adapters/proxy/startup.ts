/**
 * The beginning of PostgreSQL's frontend/backend protocol, as far as a router has to understand it
 * (PostgreSQL documentation, chapters "Message Flow" and "Message Formats", protocol 3.0 to 3.2). Pure.
 */

/** Longest start-up packet a server accepts (MAX_STARTUP_PACKET_LENGTH in libpq/pqcomm.h). */
export const startupBytesMax = 10_000;

const sslRequestCode = 80_877_103;
const gssEncRequestCode = 80_877_104;
const cancelRequestCode = 80_877_102;
/** First byte of a TLS record that begins a handshake: a client with `sslnegotiation=direct` (PostgreSQL 17). */
const tlsHandshake = 0x16;

export type Opening =
  | { readonly kind: 'incomplete' }
  | { readonly kind: 'ssl' | 'gss' | 'startup'; readonly packet: Buffer }
  /** `key`: process id and secret as they came, which together name the session to cancel. */
  | { readonly kind: 'cancel'; readonly packet: Buffer; readonly key: string }
  | { readonly kind: 'tls' }
  | { readonly kind: 'invalid'; readonly why: string };

/** What a client that has said `bytes` so far wants. */
export function readOpening(bytes: Buffer): Opening {
  if (bytes.length === 0) return { kind: 'incomplete' };
  if (bytes[0] === tlsHandshake) return { kind: 'tls' };
  if (bytes.length < 4) return { kind: 'incomplete' };
  const length = bytes.readUInt32BE(0);
  if (length < 8 || length > startupBytesMax) return { kind: 'invalid', why: 'this is not the PostgreSQL protocol' };
  if (bytes.length < length) return { kind: 'incomplete' };
  const packet = bytes.subarray(0, length);
  const code = packet.readUInt32BE(4);
  if (code === sslRequestCode || code === gssEncRequestCode) {
    // Bytes sent before the answer would be taken for encrypted ones: the injection of CVE-2021-23214.
    if (bytes.length > length) return { kind: 'invalid', why: 'unencrypted data after a request for encryption' };
    return { kind: code === sslRequestCode ? 'ssl' : 'gss', packet };
  }
  if (code === cancelRequestCode) return { kind: 'cancel', packet, key: packet.toString('hex', 8) };
  // Versions unknown here are for the server to judge.
  return { kind: 'startup', packet };
}

export type Verdict =
  | { readonly kind: 'incomplete' }
  /** The server's own answer, whatever it is: for the client. */
  | { readonly kind: 'pass' }
  /** It says that it can not take anybody now; another attempt may succeed. */
  | { readonly kind: 'retry'; readonly why: string };

/** cannot_connect_now (starting up, shutting down, not yet consistent), admin_shutdown, crash_shutdown. */
const passingStates: readonly string[] = ['57P03', '57P01', '57P02'];
/** libpq too takes anything longer for an error of before protocol 3, which has no length. */
const errorBytesMax = 30_000;

/** Whether what the server first answered to a start-up message is for the client. */
export function judgeAnswer(bytes: Buffer): Verdict {
  if (bytes.length === 0) return { kind: 'incomplete' };
  if (bytes[0] !== 0x45 /* E */) return { kind: 'pass' };
  if (bytes.length < 5) return { kind: 'incomplete' };
  const length = bytes.readUInt32BE(1);
  if (length < 8 || length > errorBytesMax) return { kind: 'pass' };
  if (bytes.length < 1 + length) return { kind: 'incomplete' };
  const fields = errorFields(bytes.subarray(5, 1 + length));
  return passingStates.includes(fields.get('C') ?? '')
    ? { kind: 'retry', why: fields.get('M') ?? 'the server is not ready' }
    : { kind: 'pass' };
}

/** Fields of an ErrorResponse's body: one letter, then text up to a zero byte. */
function errorFields(body: Buffer): Map<string, string> {
  const fields = new Map<string, string>();
  for (const field of body.toString('utf8').split('\0')) if (field.length > 1) fields.set(field[0]!, field.slice(1));
  return fields;
}

/** An error that ends a connection, as a client library shows it. */
export function fatalError(sqlState: string, message: string, hint: string): Buffer {
  const fields = { S: 'FATAL', V: 'FATAL', C: sqlState, M: message, ...(hint ? { H: hint } : {}) };
  const body = Buffer.from(
    `${Object.entries(fields)
      .map(([letter, text]) => `${letter}${text.replaceAll('\0', '')}\0`)
      .join('')}\0`,
  );
  const header = Buffer.alloc(5);
  header.write('E');
  header.writeUInt32BE(4 + body.length, 1);
  return Buffer.concat([header, body]);
}
