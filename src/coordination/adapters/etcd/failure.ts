import { HoldfastError, messageOf } from '../../../core/errors.ts';

/** gRPC status codes that etcd uses (https://grpc.github.io/grpc/core/md_doc_statuscodes.html). */
export const grpcStatus = {
  ok: 0,
  cancelled: 1,
  unknown: 2,
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  permissionDenied: 7,
  resourceExhausted: 8,
  failedPrecondition: 9,
  outOfRange: 11,
  unavailable: 14,
  unauthenticated: 16,
} as const;

/**
 * - `unsent`: nothing reached the server;
 * - `lost`: the connection ended before the answer, which may have been on its way;
 * - `timeout`: no answer in time;
 * - `status`: the server answered with an error;
 * - `nonsense`: the answer is not etcd's, or of another cluster, or too large;
 * - `stale`: a linearizable read answered from the past;
 * - `denied`: the server or we do not accept the other's identity.
 */
export type FailureKind = 'unsent' | 'lost' | 'timeout' | 'status' | 'nonsense' | 'stale' | 'denied';

/** Why one call on one connection failed. Does not leave the adapter: callers see a HoldfastError. */
export class CallFailure extends Error {
  readonly kind: FailureKind;
  /** gRPC status, for kind `status`. */
  readonly status: number | undefined;
  readonly hint: string;

  constructor(kind: FailureKind, message: string, options: { status?: number; hint?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'CallFailure';
    this.kind = kind;
    this.status = options.status;
    this.hint = options.hint ?? '';
  }

  /** Whether it is certain that the server did nothing, so that even what must not happen twice may be sent again. */
  get unexecuted(): boolean {
    return (
      this.kind === 'unsent' ||
      this.kind === 'denied' ||
      this.tokenRejected ||
      (this.kind === 'status' && rejectedUnread.test(this.message))
    );
  }

  /** The token ran out, was forgotten by a restarted member, or belongs to an older state of users and roles. */
  get tokenRejected(): boolean {
    if (this.kind !== 'status') return false;
    return this.status === grpcStatus.unauthenticated || /invalid auth token|revision of auth store is old/.test(this.message);
  }

  get isDenial(): boolean {
    if (this.kind === 'denied') return true;
    if (this.kind !== 'status') return false;
    return (
      this.status === grpcStatus.permissionDenied ||
      this.status === grpcStatus.unauthenticated ||
      /authentication failed|user name is empty|permission denied/.test(this.message)
    );
  }

  /** Whether another member may well do better: everything but a refusal that holds for the whole cluster. */
  get blamesMember(): boolean {
    if (this.kind !== 'status') return this.kind !== 'denied';
    return !this.isDenial && !this.tokenRejected && !clusterWide.has(this.status ?? 0);
  }
}

/** Refusals by etcd's interceptors, before the request is looked at (etcd server/etcdserver/api/v3rpc/interceptor.go), and its flow control. */
const rejectedUnread =
  /etcdserver: (no leader|not capable|rpc not supported for learner|too many requests|user name is empty|permission denied)/;

const clusterWide: ReadonlySet<number> = new Set([
  grpcStatus.invalidArgument,
  grpcStatus.notFound,
  grpcStatus.resourceExhausted,
  grpcStatus.failedPrecondition,
  grpcStatus.outOfRange,
]);

/** What the caller of the store sees of a failure. */
export function toHoldfastError(failure: CallFailure): HoldfastError {
  if (failure.isDenial) {
    return new HoldfastError('COORD_DENIED', `etcd refused: ${failure.message}`, {
      hint: failure.hint || denialHint(failure.message),
      cause: failure,
    });
  }
  return new HoldfastError('COORD_UNREACHABLE', `etcd could not be asked: ${failure.message}`, {
    retryable: true,
    hint: failure.hint || unreachableHint(failure.message),
    cause: failure,
  });
}

function denialHint(message: string): string {
  if (/user name is empty/.test(message))
    return 'This etcd asks for authentication: set username and password in the coordination settings.';
  if (/permission denied/.test(message)) return 'Grant the user a role with read and write permission on the whole configured prefix.';
  return 'Check username and password in the coordination settings against etcd.';
}

function unreachableHint(message: string): string {
  if (/database space exceeded/.test(message))
    return 'The etcd database reached its quota: compact, defragment, then disarm the NOSPACE alarm.';
  return 'Check that the endpoints are right, that a majority of the etcd members runs, and that no firewall is in between.';
}

const untrusted =
  /^(UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|CERT_|CRL_|ERROR_IN_CERT_|INVALID_CA|INVALID_PURPOSE|PATH_LENGTH_EXCEEDED|HOSTNAME_MISMATCH|ERR_TLS_CERT_ALTNAME_INVALID)/;
const ourCertificateRefused =
  /ALERT_(CERTIFICATE_REQUIRED|BAD_CERTIFICATE|UNKNOWN_CA|CERTIFICATE_UNKNOWN|CERTIFICATE_EXPIRED|CERTIFICATE_REVOKED|UNSUPPORTED_CERTIFICATE|ACCESS_DENIED)|ALERT_HANDSHAKE_FAILURE/;

/** Turns what a socket, TLS or HTTP/2 said while connecting to `url` into a failure with a hint. */
export function connectFailure(url: string, error: unknown): CallFailure {
  if (error instanceof CallFailure) return error;
  const code = (error as { code?: unknown } | undefined)?.code;
  const name = typeof code === 'string' ? code : '';
  const detail = `${url}: ${messageOf(error)}`;
  if (untrusted.test(name)) {
    return new CallFailure('denied', detail, {
      hint: 'The server certificate is not signed by the configured ca, has run out, or is for another name than the endpoint: correct tls.ca or the endpoint.',
      cause: error,
    });
  }
  if (ourCertificateRefused.test(name)) {
    return new CallFailure('denied', detail, {
      hint: 'The server did not accept our certificate: set tls.cert and tls.key, signed by a CA that etcd trusts (--trusted-ca-file).',
      cause: error,
    });
  }
  return new CallFailure('unsent', detail, { hint: connectHint(name, url), cause: error });
}

function connectHint(code: string, url: string): string {
  if (/^(ENOTFOUND|EAI_)/.test(code)) return 'The host name does not resolve: correct the endpoint, or the name service of this machine.';
  if (/WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|HTTP_REQUEST|RECORD_LAYER/.test(code))
    return 'The port does not speak TLS: an http:// endpoint?';
  if (/^ERR_HTTP2|^HPE_/.test(code))
    return 'The port does not speak HTTP/2: give the client port of etcd (2379 by default), not another service.';
  if (code === 'ECONNREFUSED') return 'Nothing listens there: is etcd running, and is the port its client port?';
  if (code === '' || code === 'ECONNRESET')
    return url.startsWith('https:') ? 'Does the port speak TLS, or is it an http:// endpoint?' : 'Does this etcd expect https://?';
  return '';
}
