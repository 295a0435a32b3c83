import { HoldfastError } from '../../../core/errors.ts';
import { busy, denied, full, unreachable, unsuitable } from '../../failures.ts';

interface ServiceError {
  readonly name?: unknown;
  readonly code?: unknown;
  readonly message?: unknown;
  readonly $metadata?: { readonly httpStatusCode?: number; readonly clockSkewCorrected?: boolean };
  readonly $response?: { readonly statusCode?: number };
}

/** HTTP status of what the store answered; undefined when it answered nothing. */
export function statusOf(error: unknown): number | undefined {
  const { $metadata, $response } = (error ?? {}) as ServiceError;
  return $metadata?.httpStatusCode ?? $response?.statusCode;
}

/** The store's own word for it, such as `NoSuchKey` (Amazon S3 API Reference, Error Responses); empty when it has none. */
export function wordOf(error: unknown): string {
  const { name } = (error ?? {}) as ServiceError;
  return typeof name === 'string' ? name : '';
}

const transferDamaged = ['BadDigest', 'IncompleteBody', 'XAmzContentSHA256Mismatch'];
const quotaReached = ['QuotaExceeded', 'XMinioStorageFull', 'XMinioAdminBucketQuotaExceeded', 'TooManyBuckets'];
const otherRegion = ['PermanentRedirect', 'AuthorizationHeaderMalformed', 'IllegalLocationConstraintException'];
/** Codes of OpenSSL (X509_V_ERR_…) and Node for a certificate that proves nothing. */
const certificateRefused = /^(?:CERT_|CRL_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|ERR_TLS_CERT_|INVALID_CA|HOSTNAME_MISMATCH)/;
const credentialsRefused = ['ExpiredToken', 'InvalidToken', 'TokenRefreshRequired', 'CredentialsProviderError'];

/** In the words of a location what the store, the SDK or the network said. What concerns one object alone is the caller's. */
export function explainS3(location: string, error: unknown): unknown {
  if (error instanceof HoldfastError || !(error instanceof Error)) return error;
  const status = statusOf(error);
  const word = wordOf(error);
  const why = describe(error, word, status);
  const cause = error;
  const { code } = error as ServiceError;
  if (typeof code === 'string' && certificateRefused.test(code))
    return denied(location, why, {
      cause,
      hint: 'Name the CA that signed the certificate of the endpoint as `ca`, or correct the endpoint.',
    });
  if (word === 'NoSuchBucket')
    return unreachable(location, why, { cause, retryable: false, hint: 'Make the bucket, or correct its name: Holdfast makes none.' });
  if (quotaReached.includes(word) || status === 507) return full(location, why, { cause });
  if (transferDamaged.includes(word)) return unreachable(location, why, { cause });
  if (otherRegion.includes(word) || status === 301 || status === 307)
    return unsuitable(location, why, { cause, hint: 'Correct `region` or `endpoint` of this location.' });
  if (word === 'RequestTimeTooSkewed') {
    // The SDK has learned the difference from the answer, and counts it in from now on.
    const retryable = (error as ServiceError).$metadata?.clockSkewCorrected ?? false;
    return denied(location, why, { cause, retryable, hint: "Set this machine's clock: it differs too much from the store's." });
  }
  if (credentialsRefused.includes(word) || status === 401 || status === 403)
    return denied(location, why, { cause, hint: 'Check the keys of this location, and what they may do with its bucket and prefix.' });
  if (word === 'RequestTimeout' || status === 408 || status === 409 || status === 429) return busy(location, why, { cause });
  if (status === 501) return unsuitable(location, why, { cause });
  if (status !== undefined && status >= 500) return busy(location, why, { cause });
  if (status !== undefined && status >= 400) return unsuitable(location, why, { cause });
  if (word === 'Error' && /region is missing/i.test(error.message))
    return unsuitable(location, why, { cause, hint: 'Add `region` to this location.' });
  return unreachable(location, why, { cause, hint: 'Check the endpoint, its certificate, and the network to it.' });
}

function describe({ message }: Error, word: string, status: number | undefined): string {
  const plain = message === '' || message === 'UnknownError' || message === word ? '' : message;
  return [status === undefined ? '' : `HTTP ${status}`, word === 'Error' ? '' : word, plain].filter((part) => part !== '').join(' ');
}
