import type { FastifyError } from 'fastify';
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod';
import { HoldfastError } from '../core/errors.ts';

/** What goes out when a request fails. */
export interface Failure {
  readonly status: number;
  readonly body: { readonly code: string; readonly message: string; readonly hint: string; readonly retryable: boolean };
}

const statusOf: Readonly<Record<string, number>> = {
  API_BAD_REQUEST: 400,
  API_DENIED: 401,
  API_FORBIDDEN: 403,
  API_NEEDS_TLS: 403,
  API_UNKNOWN_PATH: 404,
  SERVICE_UNKNOWN: 404,
  MEMBER_UNKNOWN: 404,
  API_TOO_MANY_FAILURES: 429,
  API_TOO_MANY_STREAMS: 503,
};

/** The status and body for anything thrown. What is not a HoldfastError is a fault here: its text stays here too. */
export function failureOf(error: unknown): Failure {
  if (error instanceof HoldfastError) {
    const { code, message, hint, retryable } = error;
    return { status: statusOf[code] ?? (retryable ? 503 : 409), body: { code, message, hint, retryable } };
  }
  if (hasZodFastifySchemaValidationErrors(error)) {
    const problems = error.validation.map(
      ({ instancePath, message }) => `${instancePath.replaceAll('/', '.').slice(1) || 'the body'}: ${message}`,
    );
    return badRequest(400, problems.join('; '));
  }
  const { statusCode } = error as Partial<FastifyError>;
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) return badRequest(statusCode, (error as FastifyError).message);
  return { status: 500, body: { code: 'INTERNAL', message: 'a fault in the agent', hint: "The agent's log says more.", retryable: false } };
}

function badRequest(status: number, message: string): Failure {
  return { status, body: { code: 'API_BAD_REQUEST', message, hint: 'See /api/v1/openapi.json.', retryable: false } };
}
