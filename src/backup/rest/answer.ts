import { HoldfastError } from '../../core/errors.ts';

/** What goes back. Dispose of it once it was sent, or when nobody wants it any more: memory is reserved for it. */
export interface RestAnswer extends Disposable {
  readonly status: number;
  /** Names in lower case. That of bytes' length is the server's. */
  readonly headers: Readonly<Record<string, string>>;
  /** A stream that fails must end the connection, so that nobody takes what came for all there is. */
  readonly body: Uint8Array | AsyncIterable<string> | undefined;
  /** The failure behind it, for the log: where it is not the client's. */
  readonly failure?: unknown;
}

type AnswerParts = { readonly headers?: Readonly<Record<string, string>>; readonly body?: RestAnswer['body']; readonly held?: Disposable };

export function answer(status: number, { headers = {}, body, held }: AnswerParts = {}): RestAnswer {
  return { status, headers, body, [Symbol.dispose]: () => held?.[Symbol.dispose]() };
}

/** A request that is not done, and why, for who made it. */
export class Refusal extends Error {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, reason: string, headers: Readonly<Record<string, string>> = {}) {
    super(reason);
    this.name = 'Refusal';
    this.status = status;
    this.headers = headers;
  }
}

/** Seconds after which a client may try again. */
const retryAfterSeconds = 5;

/** What a client is told of a location's failures: no addresses and paths, those are for the log. */
const failures: Readonly<Record<string, readonly [status: number, reason: string]>> = {
  STORAGE_NOT_FOUND: [404, 'not found'],
  STORAGE_UNREACHABLE: [503, 'the location does not answer'],
  STORAGE_BUSY: [503, 'the location does not serve now'],
  STORAGE_BEHIND: [503, 'nothing is removed while a part of the location that lacks too much is away'],
  STORAGE_FULL: [507, 'the location is full'],
  STORAGE_DENIED: [500, 'the location refuses access to this server'],
  STORAGE_DAMAGED: [500, 'what is stored is damaged'],
};

/** The answer for anything thrown. */
export function answerOfFailure(error: unknown): RestAnswer {
  if (error instanceof Refusal) return textAnswer(error.status, error.message, error.headers);
  const [status, reason] = (error instanceof HoldfastError ? failures[error.code] : undefined) ?? [500, 'a fault in the server'];
  const headers = status === 503 ? { 'retry-after': String(retryAfterSeconds) } : {};
  const plain = textAnswer(status, error instanceof HoldfastError ? `${reason} (${error.code})` : reason, headers);
  return status >= 500 ? { ...plain, failure: error } : plain;
}

function textAnswer(status: number, text: string, headers: Readonly<Record<string, string>>): RestAnswer {
  return answer(status, { headers: { 'content-type': 'text/plain; charset=utf-8', ...headers }, body: Buffer.from(`${text}\n`) });
}
