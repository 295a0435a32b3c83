import { Agent, request, type RequestOptions } from 'node:https';
import type { IncomingMessage } from 'node:http';
import { HoldfastError, messageOf } from '../core/errors.ts';
import { errorSchema } from '../api/schema.ts';

/** No answer of the API is longer. */
const answerBytesMax = 16 * 1024 * 1024;

export interface TransportOptions {
  /** `https://host:port` of an agent. */
  readonly url: string;
  /** PEM of the cluster's certificate authority; absent: those that this machine trusts. */
  readonly ca?: string | undefined;
  readonly token?: string | undefined;
}

export interface Call {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly body?: object | undefined;
  /** How long nothing may come. */
  readonly silenceMsMax: number;
  readonly signal?: AbortSignal | undefined;
  readonly headers?: Readonly<Record<string, string>>;
}

/** HTTPS requests to one agent, with errors that say what to do. */
export class Transport implements Disposable {
  readonly #url: URL;
  readonly #options: TransportOptions;
  readonly #connections: Agent;

  /** @throws CLI_BAD_URL */
  constructor(options: TransportOptions) {
    this.#url = parseUrl(options.url);
    this.#options = options;
    this.#connections = new Agent({ keepAlive: true, maxSockets: 4, ...(options.ca === undefined ? {} : { ca: options.ca }) });
  }

  /**
   * The JSON of a successful answer.
   * @throws what the agent says, or API_UNREACHABLE, API_TIMEOUT, API_NOT_TRUSTED, API_MALFORMED; the signal's reason
   */
  async json(call: Call): Promise<unknown> {
    const response = await this.open(call);
    const text = await this.#read(response, call);
    try {
      return JSON.parse(text) as unknown;
    } catch (error) {
      throw this.#malformed('its answer is not JSON', error);
    }
  }

  /** The successful answer itself, to be read by the caller. @throws as `json` */
  async open(call: Call): Promise<IncomingMessage> {
    const response = await this.#send(call);
    const { statusCode = 0 } = response;
    if (statusCode >= 200 && statusCode < 300) return response;
    throw this.#refusal(statusCode, await this.#read(response, call));
  }

  [Symbol.dispose](): void {
    this.#connections.destroy();
  }

  async #send(call: Call): Promise<IncomingMessage> {
    for (let attempt = 1; ; attempt++) {
      const result = await this.#once(call);
      if (!(result instanceof SendFailure)) return result;
      call.signal?.throwIfAborted();
      // The agent closed a kept-alive connection in the moment in which it was used again: nothing has been asked.
      if (result.wasReused && call.method === 'GET' && attempt === 1) continue;
      throw this.failure(result.cause, call);
    }
  }

  #once({ method, path, body, silenceMsMax, signal, headers }: Call): Promise<IncomingMessage | SendFailure> {
    return new Promise((resolve) => {
      const text = body === undefined ? undefined : JSON.stringify(body);
      const options: RequestOptions = {
        method,
        timeout: silenceMsMax,
        // A command gets a connection of its own: whether it has been done must not hang on whether an old one still lives.
        agent: method === 'GET' ? this.#connections : false,
        ...(this.#options.ca === undefined ? {} : { ca: this.#options.ca }),
        ...(signal === undefined ? {} : { signal }),
        headers: {
          accept: 'application/json',
          ...(text === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }),
          ...(this.#options.token === undefined ? {} : { authorization: `Bearer ${this.#options.token}` }),
          ...headers,
        },
      };
      const sent = request(new URL(path, this.#url), options, resolve);
      sent.on('timeout', () => sent.destroy(silence));
      sent.on('error', (error) => resolve(new SendFailure(error, sent.reusedSocket)));
      sent.end(text);
    });
  }

  async #read(response: IncomingMessage, call: Call): Promise<string> {
    const chunks: Buffer[] = [];
    let bytes = 0;
    try {
      for await (const chunk of response as AsyncIterable<Buffer>) {
        bytes += chunk.length;
        if (bytes > answerBytesMax) throw this.#malformed(`its answer is longer than ${answerBytesMax} bytes`);
        chunks.push(chunk);
      }
    } catch (error) {
      call.signal?.throwIfAborted();
      throw this.failure(error, call);
    }
    return Buffer.concat(chunks).toString('utf8');
  }

  #refusal(status: number, text: string): HoldfastError {
    const { data } = errorSchema.safeParse(parseJson(text));
    if (data === undefined) return this.#malformed(`it answered ${status}`);
    return new HoldfastError(data.code, data.message, { hint: data.hint, retryable: data.retryable });
  }

  /** What a failed connection means for whoever asked. */
  failure(cause: unknown, call: Call): HoldfastError {
    if (cause instanceof HoldfastError) return cause;
    const where = this.#url.origin;
    if (cause === silence) {
      const doubt = call.method === 'POST' ? '; whether it was done is not known' : '';
      return new HoldfastError('API_TIMEOUT', `${where} did not answer within ${call.silenceMsMax / 1000} s${doubt}`, {
        retryable: true,
        hint: "See 'holdfast status', or ask another agent.",
        cause,
      });
    }
    const code = (cause as NodeJS.ErrnoException).code ?? '';
    if (code === 'EPROTO' || code.startsWith('HPE_')) return this.#malformed('it does not speak TLS or HTTP', cause);
    if (code.startsWith('ERR_TLS_') || code.startsWith('ERR_SSL_') || certificateFailures.test(code)) {
      return new HoldfastError('API_NOT_TRUSTED', `${where} can not prove that it is an agent of this cluster: ${messageOf(cause)}`, {
        hint: "Name the cluster's authority (ca.pem) with --ca, and the agent by an address that its certificate has; something else may be listening there.",
        cause,
      });
    }
    const doubt = call.method === 'POST' && !neverSent.has(code) ? '; whether the command was done is not known' : '';
    return new HoldfastError('API_UNREACHABLE', `no agent answers at ${where}: ${messageOf(cause)}${doubt}`, {
      retryable: true,
      hint: "Check that the agent runs there and that this is its 'node.listen'; any other agent of the cluster can be asked instead.",
      cause,
    });
  }

  #malformed(what: string, cause?: unknown): HoldfastError {
    return new HoldfastError('API_MALFORMED', `what listens at ${this.#url.origin} is not an agent as this program knows it: ${what}`, {
      hint: 'Check the address, and that agent and program have the same version.',
      cause,
    });
  }
}

class SendFailure {
  readonly cause: unknown;
  readonly wasReused: boolean;

  constructor(cause: unknown, wasReused: boolean) {
    this.cause = cause;
    this.wasReused = wasReused;
  }
}

const silence = new Error('silence');
/** Codes of OpenSSL's certificate verification, as node:tls names them (X509_V_ERR_… without prefix). */
const certificateFailures = /CERT|SIGNATURE|ISSUER|CRL|CHAIN|SELF_SIGNED|INVALID_PURPOSE|HOSTNAME_MISMATCH/;
const neverSent = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EHOSTUNREACH', 'ENETUNREACH', 'EAI_AGAIN']);

function parseUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url !== undefined && url.protocol === 'https:' && url.pathname === '/' && url.username === '' && url.search === '') return url;
  throw new HoldfastError('CLI_BAD_URL', `'${text}' is not the address of an agent`, { hint: 'Write https://HOST:PORT.' });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
