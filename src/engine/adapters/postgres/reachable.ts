import { connect } from 'node:net';
import type { Clock } from '../../../core/clock.ts';

/** SSLRequest: its length, then 80877103 (PostgreSQL manual, Message Formats). */
const sslRequest = Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]);

/** What a server says when asked for TLS, before anyone has to log in; an old one, or one that has no room, answers with an error. */
type TlsAnswer = 'tls' | 'plain' | 'error' | 'refused' | 'silent';

/**
 * Asks a server whether it speaks TLS. That it answers at all proves more than a TCP connection, which the kernel takes for a server that
 * stands still. Never throws.
 */
export async function askForTls(server: { host: string; port: number }, clock: Clock, timeoutMs: number): Promise<TlsAnswer> {
  const { promise, resolve } = Promise.withResolvers<TlsAnswer>();
  using _timer = clock.after(timeoutMs, () => resolve('silent'));
  const socket = connect({ host: server.host, port: server.port });
  socket.once('connect', () => socket.write(sslRequest));
  socket.once('data', (answer) => resolve(answers[String.fromCharCode(answer[0]!)] ?? 'silent'));
  socket.once('error', (error: NodeJS.ErrnoException) =>
    resolve(error.code === 'ECONNREFUSED' || error.code === 'ECONNRESET' ? 'refused' : 'silent'),
  );
  socket.once('close', () => resolve('silent'));
  const answer = await promise;
  socket.destroy();
  return answer;
}

const answers: Readonly<Record<string, TlsAnswer>> = { S: 'tls', N: 'plain', E: 'error' };
