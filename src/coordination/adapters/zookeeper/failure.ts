import { HoldfastError, messageOf } from '../../../core/errors.ts';
import type { Address } from '../../../core/address.ts';
import { formatAddress } from '../../../core/address.ts';

/**
 * - `away`: no connection was had, nothing was sent;
 * - `lost`: the connection broke before the answer, which may have been on its way;
 * - `expired`: the ensemble has ended the session;
 * - `denied`: the server or we do not accept the other's identity;
 * - `foreign`: what answers does not speak ZooKeeper's protocol;
 * - `refused`: the server answered a request with an error that nothing here expects.
 */
export type FailureKind = 'away' | 'lost' | 'expired' | 'denied' | 'foreign' | 'refused';

/** Why a request or a connection failed. Does not leave the adapter: callers see a HoldfastError. */
export class ZooKeeperFailure extends Error {
  readonly kind: FailureKind;
  readonly hint: string;

  constructor(kind: FailureKind, message: string, options: { hint?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'ZooKeeperFailure';
    this.kind = kind;
    this.hint = options.hint ?? '';
  }
}

/** What the caller of the store sees: a ZooKeeperFailure translated, anything else as it is. */
export function toStoreError(error: unknown): unknown {
  if (!(error instanceof ZooKeeperFailure)) return error;
  const { kind, message, hint } = error;
  if (kind === 'denied') {
    return new HoldfastError('COORD_DENIED', `ZooKeeper refused: ${message}`, {
      hint: hint || 'Check auth.user and auth.password in the coordination settings, and who owns the configured prefix.',
      cause: error,
    });
  }
  if (kind === 'refused') {
    return new HoldfastError('COORD_UNSUITABLE', `ZooKeeper can not do what is needed: ${message}`, {
      hint: hint || 'Run `holdfast doctor` to have the ensemble checked.',
      cause: error,
    });
  }
  return new HoldfastError('COORD_UNREACHABLE', `ZooKeeper could not be asked: ${message}`, {
    retryable: true,
    hint: hint || 'Check that the servers are right, that a majority of the ensemble runs, and that no firewall is in between.',
    cause: error,
  });
}

/** Turns what a socket or TLS said while connecting into a failure with a hint. */
export function connectFailure(address: Address, error: unknown): ZooKeeperFailure {
  if (error instanceof ZooKeeperFailure) return error;
  const said = (error as { code?: unknown } | undefined)?.code;
  const code = typeof said === 'string' ? said : '';
  const message = `${formatAddress(address)}: ${shortened(error)}`;
  const denial = denialHint(code);
  if (denial !== undefined) return new ZooKeeperFailure('denied', message, { hint: denial, cause: error });
  return new ZooKeeperFailure('away', message, { hint: absenceHint(code), cause: error });
}

/** OpenSSL says where in its sources it noticed; the alert alone is for people. */
function shortened(error: unknown): string {
  const text = messageOf(error).trim();
  const alert = /ssl\/tls alert ([a-z ]+)/.exec(text)?.[1];
  return alert === undefined ? text : `TLS alert: ${alert}`;
}

const untrusted =
  /^(UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|CERT_|CRL_|ERROR_IN_CERT_|INVALID_CA|INVALID_PURPOSE|PATH_LENGTH_EXCEEDED|HOSTNAME_MISMATCH|ERR_TLS_CERT_ALTNAME_INVALID)/;
const ourCertificateRefused = /ALERT_(CERTIFICATE_|BAD_CERTIFICATE|UNKNOWN_CA|UNSUPPORTED_CERTIFICATE|ACCESS_DENIED|HANDSHAKE_FAILURE)/;

function denialHint(code: string): string | undefined {
  if (untrusted.test(code))
    return 'The server certificate is not signed by the configured ca, has run out, or is for another name: correct tls.ca or the server address.';
  if (ourCertificateRefused.test(code))
    return 'The server did not accept our certificate: set tls.cert and tls.key, signed by a CA that ZooKeeper trusts (ssl.trustStore).';
  return undefined;
}

function absenceHint(code: string): string {
  if (/^(ENOTFOUND|EAI_)/.test(code))
    return 'The host name does not resolve: correct the server address, or the name service of this machine.';
  if (/WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|RECORD_LAYER/.test(code))
    return 'The port does not speak TLS: with tls, give the secureClientPort.';
  if (code === 'ECONNRESET') return 'The server ended the connection: does the port expect TLS, or not speak it?';
  if (code === 'ECONNREFUSED') return 'Nothing listens there: is ZooKeeper running, and is the port its client port?';
  return '';
}

export const silentHint = 'The server may be stopped or frozen, or the port may expect TLS (secureClientPort).';
