import { once } from 'node:events';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { BasicGate, Users } from '../../api/basic-gate.ts';
import { exposition, expositionType } from '../../api/exposition.ts';
import { parseRestTarget, type RestAnswer, type RestRequest, type RestService } from '../../backup/index.ts';
import type { Clock } from '../../core/clock.ts';
import { deadline, linked } from '../../core/deadline.ts';
import { HoldfastError, messageOf } from '../../core/errors.ts';
import type { Runtime } from '../../core/runtime.ts';
import type { Location } from '../../storage/index.ts';
import { isMeantForLoopback } from './exposure.ts';
import { type Figures, kindLabel, methodLabel } from './figures.ts';
import type { RequestLog } from './request-log.ts';

export interface Serving {
  readonly service: RestService;
  readonly location: Location;
  readonly gate: BasicGate;
  /** Absent: nobody is asked who they are, */
  readonly users?: (() => Promise<Users>) | undefined;
  /** but what is not meant for this machine's own address is refused. */
  readonly onlyLoopback: boolean;
  readonly figures: Figures;
  readonly log: RequestLog;
  /** Aborts when the server ends for good. */
  readonly signal: AbortSignal;
}

/** How long any answer may take to be taken, and how many bytes of it must go in a second on average beyond that. */
const sendMs = 60_000;
const bytesPerSecondMin = 8 * 1024;
/** A body that is refused unread is read up to this, so that the client hears why; beyond that, or in its midst, it is cut. */
const unreadBytesMax = 1024 * 1024;

const urlCharactersLogged = 200;

/** In figures and log, of an answer that was not taken to its end; as nginx has it. */
const statusOfCut = 499;

interface Sent {
  readonly bytes: number;
  readonly cut?: unknown;
}

type Plain = Pick<RestAnswer, 'status' | 'headers' | 'body' | 'failure'> & Partial<Disposable>;

/** Lets in who may come in, has the service answer, sends that, and takes note of it. */
export function restHandler(serving: Serving, runtime: Runtime): RequestListener {
  return (request, response) => {
    serve(request, response, serving, runtime).catch((error: unknown) => {
      response.destroy();
      if (!serving.signal.aborted)
        runtime.logger.debug('rest.request.cut', { from: request.socket.remoteAddress, message: messageOf(error) });
    });
  };
}

async function serve(request: IncomingMessage, response: ServerResponse, serving: Serving, { clock }: Runtime): Promise<void> {
  const startMs = clock.monotonicMs();
  using life = linked(serving.signal);
  response.once('close', () => life.abort(new Error('the client went away')));
  const counted = counting(request);
  const { answer, user } = await answerTo(request, counted, serving, life.signal);
  let sent: Sent = { bytes: 0 };
  try {
    sent = await send(answer, request, response, { clock, signal: life.signal, isBegun: counted.isBegun });
  } catch (error) {
    response.destroy();
    sent = { bytes: 0, cut: error };
  } finally {
    answer[Symbol.dispose]?.();
  }
  note(request, { answer, sent, user, bytesIn: counted.bytes, ms: Math.round(clock.monotonicMs() - startMs) }, serving);
}

interface Course {
  readonly answer: Plain;
  readonly sent: Sent;
  readonly user: string | undefined;
  readonly bytesIn: number;
  readonly ms: number;
}

function note({ method = '', url = '', socket }: IncomingMessage, { answer, sent, user, bytesIn, ms }: Course, serving: Serving): void {
  const status = sent.cut === undefined ? answer.status : statusOfCut;
  const served = { method: methodLabel(method), kind: kindLabel(parseRestTarget(url)), status, bytesIn, bytesOut: sent.bytes };
  serving.figures.add(served);
  // That of a list may come while it is sent; that the client went away is none.
  const failure = answer.failure ?? (sent.cut instanceof HoldfastError ? sent.cut : undefined);
  const path = url.slice(0, urlCharactersLogged);
  serving.log.add({ ...served, path, from: socket.remoteAddress, user, ms, ...(failure !== undefined && { failure: messageOf(failure) }) });
}

async function answerTo(
  request: IncomingMessage,
  body: AsyncIterable<Uint8Array>,
  { gate, users, onlyLoopback, service, location, figures }: Serving,
  signal: AbortSignal,
): Promise<{ readonly answer: Plain; readonly user?: string }> {
  const { method = '', url = '', headers } = request;
  let user: string | undefined;
  if (users !== undefined) {
    const verdict = await gate.judge(headers.authorization, await users(), request.socket.remoteAddress ?? '');
    if (verdict.kind === 'too-many') return { answer: text(429, 'too many wrong passwords came from there', { 'retry-after': '60' }) };
    if (verdict.kind === 'unknown') {
      return { answer: text(401, 'a user and the password are needed', { 'www-authenticate': 'Basic realm="holdfast", charset="UTF-8"' }) };
    }
    user = verdict.user;
  } else if (onlyLoopback && !isMeantForLoopback(headers.host)) {
    return { answer: text(421, 'this server is asked by the address of this machine, or as localhost') };
  }
  if (url === '/metrics' && method === 'GET') {
    return { answer: { ...text(200, exposition(figures.samples(location.status()))), headers: { 'content-type': expositionType } } };
  }
  const { accept, range } = headers;
  const told = { accept, range, 'content-length': headers['content-length'], 'content-encoding': headers['content-encoding'] };
  const restRequest: RestRequest = { method, url, headers: told, body };
  return { answer: await service.answer(restRequest, { signal }), ...(user !== undefined && { user }) };
}

function text(status: number, words: string, headers: Readonly<Record<string, string>> = {}): Plain {
  return {
    status,
    headers: { 'content-type': 'text/plain; charset=utf-8', ...headers },
    body: Buffer.from(words.endsWith('\n') ? words : `${words}\n`),
  };
}

/** The body, and how much of it was read. */
function counting(request: IncomingMessage): AsyncIterable<Uint8Array> & { bytes: number; isBegun: boolean } {
  return {
    bytes: 0,
    isBegun: false,
    async *[Symbol.asyncIterator]() {
      this.isBegun = true;
      // Left early, it must not end the connection: the client is to hear why.
      for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
        this.bytes += chunk.byteLength;
        yield chunk;
      }
    },
  };
}

/** What is left of a body that nobody has begun to read. */
function unreadBytes({ headers }: IncomingMessage): number {
  return Number(headers['content-length'] ?? (headers['transfer-encoding'] === undefined ? 0 : Infinity));
}

/** @throws what cut it */
async function send(
  { status, headers, body }: Plain,
  request: IncomingMessage,
  response: ServerResponse,
  { clock, signal, isBegun }: { readonly clock: Clock; readonly signal: AbortSignal; readonly isBegun: boolean },
): Promise<Sent> {
  const mustClose = !request.complete && (isBegun || unreadBytes(request) > unreadBytesMax);
  const isWhole = body instanceof Uint8Array;
  let bytes = isWhole ? body.byteLength : 0;
  response.writeHead(status, {
    ...headers,
    ...(isWhole && { 'content-length': bytes }),
    ...(mustClose && { connection: 'close' }),
    'x-content-type-options': 'nosniff',
  });
  using limit = deadline(clock, sendMs + (1_000 * bytes) / bytesPerSecondMin, () => new Error('the answer was taken too slowly'), signal);
  const sent = once(response, 'finish', { signal: limit.signal });
  // Waited for below, unless something else fails before.
  sent.catch(() => {});
  if (body === undefined || isWhole) response.end(body);
  else {
    for await (const piece of body) {
      bytes += piece.length;
      if (!response.write(piece)) await once(response, 'drain', { signal: limit.signal });
    }
    response.end();
  }
  await sent;
  if (mustClose) request.socket.destroySoon();
  else request.resume();
  return { bytes: request.method === 'HEAD' ? 0 : bytes };
}
