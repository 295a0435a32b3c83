import { connect, type Socket } from 'node:net';
import type { Clock } from '../../../core/clock.ts';
import type { Route } from './board.ts';
import { Inlet } from './inlet.ts';
import { deadline } from '../../../core/deadline.ts';
import type { Verdict } from './startup.ts';

/** Idle time after which TCP asks whether the other machine still lives. */
export const keepAliveDelayMs = 15_000;
/** How long a server may take for its first answer. Long: it may have to start a process under load. */
const answerTimeoutMs = 10_000;
/** What a server says before its client is connected to it. */
const earlyBytesMax = 65_536;

/** A server that took a client's first message; `inlet` has what it said so far. */
export interface Backend {
  readonly socket: Socket;
  readonly inlet: Inlet;
  readonly route: Route;
}

/** What to say to a server, and how to tell from its answer whether it will do. Without `judge` a connection is enough. */
export interface Hello {
  readonly bytes?: Buffer;
  readonly judge?: (answer: Buffer) => Verdict;
}

/**
 * Connects to a server. The socket has an error listener from the start and is the caller's when this returns.
 * @throws any error: it does not take clients now; the signal's reason
 */
export async function dial(route: Route, clock: Clock, connectTimeoutMs: number, signal: AbortSignal): Promise<Backend> {
  signal.throwIfAborted();
  using limit = deadline(clock, connectTimeoutMs, () => new Error(`no connection within ${connectTimeoutMs} ms`), signal);
  const { host, port } = route.target;
  const socket = connect({ host, port, allowHalfOpen: true, noDelay: true, keepAlive: true, keepAliveInitialDelay: keepAliveDelayMs });
  try {
    await new Promise<void>((resolve, reject) => {
      socket.on('error', reject).once('connect', resolve);
      limit.signal.addEventListener('abort', () => reject(limit.signal.reason as Error), { once: true });
    });
    return { socket, inlet: new Inlet(socket, earlyBytesMax), route };
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

/**
 * Says hello on a connection and waits until the answer is known to be for the client. Destroys the connection when it is not.
 * @throws any error: it does not take clients now; the signal's reason
 */
export async function greet(backend: Backend, hello: Hello, clock: Clock, signal: AbortSignal): Promise<void> {
  const { socket, inlet } = backend;
  using limit = deadline(clock, answerTimeoutMs, () => new Error(`no answer within ${answerTimeoutMs} ms`), signal);
  try {
    if (hello.bytes) socket.write(hello.bytes);
    while (hello.judge) {
      const verdict = hello.judge(inlet.bytes);
      if (verdict.kind === 'pass') return;
      if (verdict.kind === 'retry') throw new Error(verdict.why);
      if (inlet.ended) throw new Error('it closed the connection without an answer');
      await inlet.more(limit.signal);
    }
  } catch (error) {
    socket.destroy();
    throw error;
  }
}
